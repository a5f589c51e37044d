"""The processes of one chain of lives: both platforms, the model, the daemon, and the people before them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.store.backup import Backup
from tests.channels.discord.peer import client as discord
from tests.channels.telegram.peer import client as telegram
from tests.chaos.kills.crowd import LENGTHS, Crowd, Question, Room, rules
from tests.mock_model.client import MockModel, running
from tests.story.running import Daemon, config


@dataclass(frozen=True, slots=True)
class Size:
    """Places: private chats and groups of Telegram, direct messages of Discord. `pace`: seconds between two words."""

    chats: int
    groups: int
    direct: int
    pace: float


MANY, FEW = Size(8, 4, 8, 0.15), Size(6, 3, 6, 0.3)

MOMENT = 5.0
"""Seconds that a named moment may take to come; then the process is killed where it is."""


@dataclass
class Stage:
    """What a chain of lives plays on. `past`: how long the log was before the life that runs.

    `strangers`: who is not let in yet; `came`: how many there were. `calls`: what was asked of lives that are over.
    """

    telegram: telegram.Peer
    discord: discord.Peer
    model: MockModel
    daemon: Daemon
    crowd: Crowd
    dice: random.Random
    copies: list[asyncio.Task[Backup]] = field(default_factory=list)
    past: int = 0
    strangers: list[Room] = field(default_factory=list)
    came: int = 0
    calls: list[asyncio.Task[Any]] = field(default_factory=list)

    # Trouble that holds a moment until the process is dead.

    async def hold_telegram(self, method: str, room: Room | None, *, taken: bool) -> int:
        """The next such call is carried out and not answered, or neither; returns the calls so far."""
        what: dict[str, Any] = {"delay_after": 60} if taken else {"hang": True}
        await self.telegram.fault(method, chat=int(room.id) if room else None, **what)
        return int((await self.telegram.state())["counts"].get("calls", 0))

    async def telegram_called(self, method: str, since: int, room: Room | None = None) -> None:
        """Such a call has come."""
        where = {"chat": int(room.id)} if room else {}
        await self.telegram.wait(MOMENT, method=method, since=since, arrived=True, **where)

    async def hold_discord(self, route: str, room: Room | None, *, taken: bool) -> int:
        """The same there."""
        what: dict[str, Any] = {"delay_after": 60} if taken else {"hang": True}
        where = {"channel": room.id} if room else {}
        await self.discord.control("fault", route=route, times=1, what=what, **where)
        return int((await self.discord.state())["calls"])

    async def discord_called(self, route: str, since: int, room: Room | None = None) -> None:
        """Such a call has come."""
        where = {"channel": room.id} if room else {}
        await self.discord.wait(MOMENT, route=route, since=since, arrived=True, **where)

    def hold_model(self, marker: str, kind: str, **what: Any) -> None:
        """The question with this marker is answered so, once; the others as ever."""
        length = {"count": LENGTHS[kind]}
        self.model.script({"match": marker, "times": 1, **length, **what}, *rules())

    async def ask_held(self, room: Room, kind: str, **what: Any) -> Question:
        """Somebody asks, and the model answers so."""
        marker = self.crowd.marker()
        self.hold_model(marker, kind, **what)
        return await self.crowd.ask(room, kind, marker)

    async def model_at(self, marker: str, stage: int) -> None:
        """The request of this marker was read (1), its first (2) word was sent."""
        async with asyncio.timeout(MOMENT):
            while not any(each[0] == marker and each[stage] is not None for each in self.model.marks()):
                await asyncio.sleep(0.005)

    async def calm(self) -> None:
        """No trouble any more but what has begun."""
        await self.telegram.control("clear_faults")
        await self.discord.control("clear_faults")
        self.model.script(*rules())


def _settings(crowd: Crowd, bot: telegram.Peer, other: discord.Peer, model: MockModel) -> dict[str, Any]:
    chats = {
        "token": bot.token,
        "baseUrl": bot.base_url,
        "allow": [int(each.person) for each in crowd.rooms if each.channel == "telegram"],
        "groups": [int(each.id) for each in crowd.rooms if each.is_group],
        "rich": "off",
        "limits": "none",  # as the server: twenty messages a minute in a group would be most of a chain's time
    }
    direct = {
        "token": other.token,
        "apiBase": other.api_url,
        "gateway": other.gateway_url,
        "allow": [each.person for each in crowd.rooms if each.channel == "discord"],
    }
    return config(
        model.base_url, telegram={"accounts": {"main": chats}}, discord={"accounts": {"main": direct}}
    )


@asynccontextmanager
async def open_stage(folder: Path, seed: int, size: Size) -> AsyncIterator[Stage]:
    """All processes started, everybody greeted and answered once."""
    dice = random.Random(f"kills {seed}")
    async with AsyncExitStack() as stack:
        bot = await stack.enter_async_context(telegram.start_peer("--no-flood"))
        other = await stack.enter_async_context(discord.start_peer())
        model = stack.enter_context(running())
        crowd = Crowd(bot, other, model, dice)
        await crowd.gather(size.chats, size.groups, size.direct)
        await other.limits(enabled=False)
        model.script(*rules())
        daemon = Daemon(folder / "home", _settings(crowd, bot, other, model))
        stack.push_async_callback(daemon.kill)
        crowd.waiting = lambda: taken(daemon)[1]
        await daemon.start()
        await crowd.greet()
        await daemon.kept("turn WHERE state = 'done'", len(crowd.rooms))
        yield Stage(bot, other, model, daemon, crowd, dice)


def taken(daemon: Daemon) -> tuple[int, int]:
    """How many messages the store has, and how many of them wait for an answer."""
    path = daemon.home / "data" / "firstword.db"
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
        found = store.execute(
            "SELECT count(*), coalesce(sum(state = 'new'), 0) FROM inbox WHERE payload IS NOT NULL"
        ).fetchone()
    return int(found[0]), int(found[1])
