"""The real app with real adapters behind the real listeners, inside the test's own process."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bot.app import App
from bot.gate import LIMITS, Limits
from bot.home import Home
from bot.server import Health, Listening, open_servers
from bot.settings import AccountSettings
from channels.base import ChannelSpec
from providers.fake import FakeProvider
from tests.story.inside import Inside, inside

LOOPBACK = ("127.0.0.1", 0)


@dataclass(slots=True)
class House:
    """A running app, where it listens, and why strangers were turned away."""

    inside: Inside
    listening: Listening
    folder: Path
    turned_away: list[str]

    @property
    def app(self) -> App:
        """The app."""
        return self.inside.app

    @property
    def public(self) -> str:
        """The address of the public listener."""
        assert self.listening.public is not None
        return self.listening.public

    def kept(self) -> dict[str, int]:
        """How many rows each table of the store holds, but for the adapters' own notes (that the menu is set)."""
        tables = [name for (name,) in self._read("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: self.count(name) for name in tables if name != "cursor"}

    def count(self, what: str) -> int:
        """How many rows: "turn WHERE state = 'done'"."""
        return int(self._read(f"SELECT count(*) FROM {what}")[0][0])

    def _read(self, statement: str) -> list[tuple[Any, ...]]:
        path = Home(self.folder).database
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
            return store.execute(statement).fetchall()

    def effects(self) -> dict[str, int]:
        """What a request may bring about: rows in the store, and questions to the model."""
        return {**self.kept(), "asked": len(self.inside.provider.asked)}

    async def answered(self, turns: int) -> None:
        """Until so many turns are over in the store, which comes after people have seen their answers."""
        async with asyncio.timeout(30):
            while self.count("turn WHERE state = 'done'") < turns:
                await asyncio.sleep(0.005)
        await self.inside.quiet()

    async def online(self, spec: ChannelSpec, account: str = "main") -> None:
        """Until an account is connected."""
        async with asyncio.timeout(30):
            while not self.app.accounts[spec.name, account].is_online:
                await asyncio.sleep(0.005)


@asynccontextmanager
async def open_house(
    folder: Path,
    spec: ChannelSpec,
    accounts: Mapping[str, Any],
    *,
    allow: tuple[str, ...] = ("*",),
    groups: tuple[str, ...] = ("*",),
    limits: Limits = LIMITS,
    token: str | None = None,
) -> AsyncIterator[House]:
    """The app with these accounts of one channel, connected; `accounts`: name -> settings."""
    turned_away: list[str] = []
    async with AsyncExitStack() as stack:
        found = await stack.enter_async_context(inside(folder, FakeProvider()))
        for name, settings in accounts.items():
            row = AccountSettings(spec.name, name, spec, settings, allow=allow, groups=groups)
            found.app.open_account(row)
        health = Health(
            lambda: None, lambda: (b"", "text/plain"), lambda: None if token is None else SecretStr(token)
        )
        listening = await stack.enter_async_context(
            open_servers(
                found.app.routes(), health, LOOPBACK, LOOPBACK, limits=limits, report=turned_away.append
            )
        )
        channels = [found.app.accounts[spec.name, name].channel for name in accounts]
        running = [asyncio.create_task(channel.run()) for channel in channels]
        house = House(found, listening, folder, turned_away)
        try:
            for name in accounts:
                await house.online(spec, name)
            yield house
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
