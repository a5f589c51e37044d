"""The composition root: everything is built here and handed down; nothing is looked up from below."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from bot.accounts import Account
from bot.answering import Answering
from bot.choices import WiderChoices
from bot.commands.registry import Desk, Table, answer_command
from bot.commands.table import all_commands
from bot.conversations import Conversations
from bot.host import AccountHost
from bot.ids import new_turn_id
from bot.inbox import Inbox
from bot.lanes import Lanes, Turn
from bot.record import report_attempt
from bot.settings import Settings
from bot.sources import Models, open_models
from bot.store.base import Store
from bot.turn import Turns
from channels.base import Route, Routes
from routing.execute import Tools
from routing.health import Health

log = structlog.get_logger()

WARM_EVERY = 30.0
"""Seconds between two warmings of the first model's connection, however often people begin to type."""


@dataclass(slots=True)
class App:
    """A built daemon: what runs, and what it is reached by."""

    settings: Settings
    store: Store
    models: Models
    health: Health
    lanes: Lanes
    inbox: Inbox
    turns: Turns
    desk: Desk
    table: Table
    accounts: dict[tuple[str, str], Account] = field(default_factory=dict)
    is_draining: bool = False

    def routes(self) -> Sequence[Route]:
        """Every HTTP route that a channel wants served."""
        found: list[Route] = []
        for account in self.accounts.values():
            if isinstance(account.channel, Routes):
                found.extend(account.channel.routes())
        return found

    def missing(self) -> Mapping[str, str] | None:
        """What is not ready yet and why; None when everything is."""
        if self.is_draining:
            return {"daemon": "stopping"}
        late = {
            f"{name}:{account}": each.offline_reason
            for (name, account), each in self.accounts.items()
            if not each.is_online
        }
        return late or None
