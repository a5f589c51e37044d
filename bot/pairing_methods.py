"""What the command line may ask a running daemon about who is let in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from bot import words
from bot.app import App
from bot.control import Method
from bot.pairing import typed
from bot.store.access import COMMAND_LINE, Approval
from bot.store.people import Person

log = structlog.get_logger()


def pairing_methods(app: App) -> Mapping[str, Method]:
    """The methods by name."""

    async def approve(params: Mapping[str, Any]) -> Any:
        found = await app.grants.approve(typed(str(params.get("code", ""))), COMMAND_LINE)
        return {**found.to_plain(), "is_told": bool(params.get("notify")) and await _welcome(app, found)}

    async def revoke(params: Mapping[str, Any]) -> Any:
        person = Person.parse(str(params.get("person", "")))
        taken = await app.grants.take(person, COMMAND_LINE)
        return {"roles": [row.role for row in taken]}

    return {"pairing.approve": approve, "pairing.revoke": revoke}


async def _welcome(app: App, found: Approval) -> bool:
    """Tell whoever was let in. False: their account is not connected."""
    if found.let_in is None:
        return False
    person = found.let_in.person
    account = app.accounts.get((person.channel, person.account))
    if account is None or not account.is_online:
        return False
    await app.inbox.tell(account, found.let_in.place, words.WELCOME)
    return True
