"""The processes of one chain of lives: the platforms, the model, the daemon, and the people before them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.store.backup import Backup
from tests.channels.discord.peer import client as discord
from tests.channels.slack.peer import client as slack
from tests.channels.telegram.peer import client as telegram
from tests.chaos.kills.crowd import Crowd
from tests.chaos.kills.rooms import LENGTHS, Question, Room, Size, rules
from tests.chaos.kills.sides import MOMENT, Discord, Side, Slack, Telegram, open_sides
from tests.mock_model.client import MockModel, running
from tests.story.running import Daemon, config

MANY, FEW = Size(8, 4, 8, 4, 2, 0.15), Size(5, 3, 5, 3, 1, 0.3)


@dataclass
class Stage:
    """What a chain of lives plays on. `past`: how long the log was before the life that runs.

    `strangers`: who is not let in yet; `came`: how many there were. `calls`: what was asked of lives that are over.
    """

    model: MockModel
    daemon: Daemon
    crowd: Crowd
    dice: random.Random
    copies: list[asyncio.Task[Backup]] = field(default_factory=list)
    past: int = 0
    strangers: list[Room] = field(default_factory=list)
    came: int = 0
    calls: list[asyncio.Task[Any]] = field(default_factory=list)

    def side(self, channel: str) -> Side:
        """The platform of that name."""
        return self.crowd.sides[channel]

    @property
    def telegram(self) -> telegram.Peer:
        """What only it can do."""
        side = self.side("telegram")
        assert isinstance(side, Telegram)
        return side.peer

    @property
    def discord(self) -> discord.Peer:
        """What only it can do."""
        side = self.side("discord")
        assert isinstance(side, Discord)
        return side.peer

    @property
    def slack(self) -> slack.Peer:
        """What only it can do."""
        side = self.side("slack")
        assert isinstance(side, Slack)
        return side.peer

    # Trouble that holds a moment until the process is dead.

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
        for side in self.crowd.sides.values():
            await side.calm()
        self.model.script(*rules())


def _settings(crowd: Crowd, model: MockModel) -> dict[str, Any]:
    accounts = {
        name: {"accounts": {"main": side.settings([each for each in crowd.rooms if each.channel == name])}}
        for name, side in crowd.sides.items()
    }
    return config(model.base_url, **accounts)


@asynccontextmanager
async def open_stage(folder: Path, seed: int, size: Size) -> AsyncIterator[Stage]:
    """All processes started, everybody greeted and answered once."""
    dice = random.Random(f"kills {seed}")
    async with AsyncExitStack() as stack:
        sides = await stack.enter_async_context(open_sides())
        model = stack.enter_context(running())
        crowd = Crowd(sides, model, dice)
        await crowd.gather(size)
        model.script(*rules())
        daemon = Daemon(folder / "home", _settings(crowd, model))
        stack.push_async_callback(daemon.kill)
        crowd.waiting = lambda: taken(daemon)[1]
        await daemon.start()
        await crowd.greet()
        await daemon.kept("turn WHERE state = 'done'", len(crowd.rooms))
        yield Stage(model, daemon, crowd, dice)


def taken(daemon: Daemon) -> tuple[int, Counter[str]]:
    """How many messages the store has, and how many of them wait for an answer in each place (see Room)."""
    path = daemon.home / "data" / "firstword.db"
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
        found = store.execute("SELECT conversation, state FROM inbox WHERE payload IS NOT NULL").fetchall()
    keys = [str(key).split(":") for key, state in found if state == "new"]
    return len(found), Counter(f"{key[0]}:{key[2]}" for key in keys)
