"""A Host that keeps what it is given, and a channel that runs against the fake server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from channels.base import HistoryLine, ModelChoice, Vectors
from channels.capabilities import Surface
from channels.commands import CommandSpec, Role
from channels.discord import DiscordSettings
from channels.discord.channel import DiscordChannel
from channels.discord.timing import Timing
from channels.events import Address, ConversationKey, Event, Message
from tests.channels.discord.peer.client import Bot, Peer

T = TypeVar("T")

MENU = (
    CommandSpec("help", "short help", "[command]"),
    CommandSpec("model", "show or switch the model", "[fast|NAME|list] [-s|-a|-g]", choices=("fast", "list")),
    CommandSpec("models", "list the models", "[provider] [page]"),
    CommandSpec("queue", "what a message does meanwhile", "[queue|steer]", choices=("queue", "steer")),
    CommandSpec("stop", "stop the answer"),
    CommandSpec("config", "write settings", "<path>", role=Role.OWNER),
)
MODELS = (
    ModelChoice("auto", "automatic", is_current=True),
    ModelChoice("fast", "fast (small)"),
    ModelChoice("demo/large", "A large model"),
)
# Short waits, so that a test of a failure takes no longer than the failure.
QUICK = Timing(
    hello=3.0,
    ready=1.0,
    silence=5.0,
    retry_first=0.02,
    retry_last=0.1,
    full=0.02,
    full_patience=2.0,
    intents=0.05,
    identify_again=0.5,
    spacing=0.05,
    cursor_every=0.02,
    tidy=0.05,
)


class KeepingHost:
    """Takes every event over; `room` decides whether there is room for one, `gate` holds `accept` up."""

    def __init__(self, folder: Path, commands: Sequence[CommandSpec] = MENU) -> None:
        self.folder = folder
        self.events: list[Event] = []
        self.seen: set[str] = set()
        self.doubles: list[str] = []
        self.cursors: dict[str, str] = {}
        self.signals: dict[str, float] = {}
        self.states: list[tuple[bool, str]] = []
        self.heard_count = 0
        self.refusals: dict[str, str] = {}
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

    def of(self, kind: type[T]) -> list[T]:
        """The events of that kind."""
        return [event for event in self.events if isinstance(event, kind)]

    async def first(self, kind: type[T], count: int = 1) -> T:
        """The latest of that kind as soon as there are `count`."""
        await self.until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)[count - 1]

    async def texts(self, count: int) -> list[str]:
        """What was said, once there are so many messages."""
        await self.until(lambda: len(self.of(Message)) >= count)
        return [message.text for message in self.of(Message)]

    async def accept(self, event: Event) -> bool:
        if self.gate is not None:
            await self.gate(event)
        if not self.room(event):
            return False
        if event.event_key in self.seen:
            self.doubles.append(event.event_key)
        else:
            self.seen.add(event.event_key)
            self.events.append(event)
        await self._note()
        return True

    def refusal(self, event: Event) -> str | None:
        return self.refusals.get(event.sender.id) if event.sender is not None else None

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
        return MODELS

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

    @property
    def is_online(self) -> bool:
        """As it was last told."""
        return bool(self.states) and self.states[-1][0]

    @property
    def reason(self) -> str:
        """Why it is offline."""
        return self.states[-1][1] if self.states else ""


def settings(peer: Peer, token: str | None = None, **more: Any) -> DiscordSettings:
    """The settings that reach the fake server, keys as in config.json."""
    given = {"token": token or peer.token, "apiBase": peer.api_url, **more}
    return DiscordSettings.model_validate(given)


def direct(channel: str, account: str = "main") -> Address:
    """The address of a DM as parse makes it."""
    return Address(ConversationKey("discord", account, channel), Surface.DIRECT)


def group(channel: str, reply_to: str | None = None, thread: str | None = None) -> Address:
    """The address of a channel of a server, or of a thread in it."""
    surface = Surface.GROUP if thread is None else Surface.THREAD
    return Address(ConversationKey("discord", "main", channel, thread), surface, reply_to)


@asynccontextmanager
async def running(
    peer: Peer,
    host: KeepingHost,
    timing: Timing = QUICK,
    *,
    account: str = "main",
    bot: Bot | None = None,
    wall: Callable[[], float] = time.time,
    **more: Any,
) -> AsyncIterator[DiscordChannel]:
    """A channel whose `run` is under way and whose gateway is ready."""
    token = (bot or peer.bot).token
    channel = DiscordChannel(account, settings(peer, token, **more), host, timing=timing, wall=wall)
    task = asyncio.create_task(channel.run())
    ready = asyncio.create_task(until_online(host))
    try:
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        await ready
        yield channel
    finally:
        for one in (task, ready):
            one.cancel()
        await asyncio.gather(task, ready, return_exceptions=True)


async def until_online(host: KeepingHost, *, is_online: bool = True, seconds: float = 15.0) -> None:
    """The host was told so."""
    async with asyncio.timeout(seconds):
        while host.is_online is not is_online:
            await asyncio.sleep(0.005)
