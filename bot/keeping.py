"""What the running daemon does with its store for the command line: dead letters, forgetting a person, sums."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import structlog

from bot.app import App
from bot.control import Method
from bot.errors import BotError
from bot.lanes import Turn
from bot.recovery import Recovery
from bot.store.chores import drop_letter, forget_person, revive
from bot.store.people import Person
from bot.store.sqlite import SqliteStore

log = structlog.get_logger()

PATIENCE = 20.0
"""Seconds in which answers that are broken off have to end."""


def keeping_methods(app: App, store: SqliteStore) -> Mapping[str, Method]:
    """What command-line verbs may ask the daemon about its store."""

    async def retry(params: Mapping[str, Any]) -> Any:
        turn_id = str(params.get("id", ""))
        await revive(store, turn_id)
        pending = await store.waiting(turn_id)
        if pending is None:
            raise BotError(f"the message of {turn_id} cannot be read; it is set aside again")
        recovery = Recovery(store, app.accounts, app.inbox, app.clock, time.time)
        verdict = await recovery.take_up(pending)
        return {"verdict": None if verdict is None else str(verdict)}

    async def drop(params: Mapping[str, Any]) -> Any:
        await drop_letter(store, str(params.get("id", "")))
        return {}

    async def forget(params: Mapping[str, Any]) -> Any:
        person = Person.parse(str(params.get("person", "")))
        await _break_off(app, person)
        forgotten = await forget_person(store, person)
        app.conversations.drop((*forgotten.own, *forgotten.shared))
        if (account := app.accounts.get((person.channel, person.account))) is not None:
            app.messenger.forget(account)
        await app.grants.forgotten(person)
        app.desk.spending.forget(str(person), tuple(forgotten.own))
        log.info("person forgotten", lines=forgotten.lines, messages=forgotten.messages)
        return asdict(forgotten)

    async def usage_cost(params: Mapping[str, Any]) -> Any:
        days = max(1, min(int(params.get("days", 30)), 400))
        return {"costs": [each.plain() for each in await app.desk.spending.costs(days)]}

    return {
        "deadletters.retry": retry,
        "deadletters.drop": drop,
        "data.forget": forget,
        "usage.cost": usage_cost,
    }


async def _break_off(app: App, person: Person) -> None:
    """End whatever runs or waits for the person: its end would write down what is to be forgotten."""

    def is_theirs(turn: Turn) -> bool:
        key = turn.message.address.key
        return (key.channel, key.account, turn.message.sender.id) == (
            person.channel,
            person.account,
            person.sender,
        )

    try:
        async with asyncio.timeout(PATIENCE):
            # Their next message begins another; there is no one event to wait for.
            while app.lanes.dismiss(is_theirs):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise BotError("an answer to them did not end; nothing was forgotten: try again") from None
