"""A Host that keeps what it is given, for tests of the adapter alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from channels.base import HistoryLine, ModelChoice, Vectors
from channels.capabilities import Surface
from channels.commands import CommandSpec, Role
from channels.events import Address, ConversationKey, Event
from channels.telegram import TelegramSettings
from channels.telegram.channel import TelegramChannel
from channels.telegram.timing import Timing
from tests.channels.telegram.peer.client import Peer

MENU = (
    CommandSpec("model", "show or switch the model", "[name]"),
    CommandSpec("stop", "stop the answer"),
    CommandSpec("config", "write settings", role=Role.OWNER),
)
# Short waits, so that a test of a failure takes no longer than the failure.
QUICK = Timing(
    poll_grace=0.4,
    retry_first=0.02,
    retry_last=0.1,
    conflict_first=0.05,
    conflict_last=0.2,
    full=0.02,
    album_quiet=0.1,
    cursor_every=0.01,
    webhook_check=0.1,
)


class KeepingHost:
    """Takes every event over; `room` decides whether there is room for one, `gate` holds `accept` up."""

    def __init__(self, folder: Path, commands: Sequence[CommandSpec] = MENU) -> None:
        self.folder = folder
        self.events: list[Event] = []
        self.seen: set[str] = set()
        self.cursors: dict[str, str] = {}
        self.signals: dict[str, float] = {}
        self.refusals: dict[str, str] = {}
        self.states: list[tuple[bool, str]] = []
        self.heard_count = 0
        self.room: Callable[[Event], bool] = lambda _: True
        self.gate: Callable[[Event], Any] | None = None
        self._commands = commands
        self._changed = asyncio.Condition()

    async def _note(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait for something that a call of this host brings about."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(condition)

    async def accept(self, event: Event) -> bool:
        if self.gate is not None:
            await self.gate(event)
        if not self.room(event):
            return False
        if event.event_key not in self.seen:
            self.seen.add(event.event_key)
            self.events.append(event)
        await self._note()
        return True

    def refusal(self, event: Event) -> str | None:
        return None if event.sender is None else self.refusals.get(event.sender.id)

    async def cursor(self, name: str) -> str | None:
        return self.cursors.get(name)

    async def set_cursor(self, name: str, value: str) -> None:
        self.cursors[name] = value
        await self._note()

    async def history(self, key: ConversationKey, limit: int = 50) -> Sequence[HistoryLine]:
        return ()

    def commands(self) -> Sequence[CommandSpec]:
        return self._commands

    async def models(self, key: ConversationKey) -> Sequence[ModelChoice]:
        return ()

    async def embed(self, model: str, texts: Sequence[str]) -> Vectors:
        raise AssertionError("this channel asks for no vectors")

    async def fetch(self, url: str, max_bytes: int) -> bytes:
        raise AssertionError("this channel opens its files itself")

    def signal(self, name: str, value: float = 1.0) -> None:
        self.signals[name] = self.signals.get(name, 0.0) + value

    def heard(self) -> None:
        self.heard_count += 1

    def online(self, *, is_online: bool, reason: str = "") -> None:
        if not self.states or self.states[-1] != (is_online, reason):
            self.states.append((is_online, reason))


def settings(peer: Peer, **more: Any) -> TelegramSettings:
    """The settings that reach the fake server, keys as in config.json."""
    given = {"token": peer.token, "baseUrl": peer.base_url, "pollSeconds": 5, **more}
    return TelegramSettings.model_validate(given)


def address(chat: int, thread: int | None = None, reply_to: int | None = None) -> Address:
    """An address as parse makes it."""
    key = ConversationKey("telegram", "main", str(chat), None if thread is None else str(thread))
    surface = Surface.DIRECT if chat > 0 else Surface.GROUP if thread is None else Surface.THREAD
    return Address(key, surface, None if reply_to is None else str(reply_to))


@asynccontextmanager
async def running(
    peer: Peer, host: KeepingHost, timing: Timing = QUICK, **more: Any
) -> AsyncIterator[TelegramChannel]:
    """A channel whose `run` is under way and which holds its first poll (or has set its webhook)."""
    channel = TelegramChannel("main", settings(peer, **more), host, timing=timing)
    before = (await peer.state())["counts"].get("getupdates", 0)
    task = asyncio.create_task(channel.run())
    try:
        method = "setWebhook" if "webhook" in more else "getUpdates"
        if method == "getUpdates":
            await peer.wait(holding=True, after=before)
        else:
            await peer.wait(method=method)
        yield channel
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
