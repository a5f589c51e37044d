"""A Host that keeps what it is given, and an account that runs, for tests of the adapter alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from channels.base import HistoryLine, ModelChoice, Vectors
from channels.capabilities import Surface
from channels.commands import CommandSpec, Role
from channels.events import Address, ConversationKey, Event, Message
from channels.slack import SlackSettings
from channels.slack.channel import SlackChannel
from channels.slack.payload import handle
from channels.slack.timing import Timing
from tests.channels.slack.peer.client import Peer

PERSON = "U0PERSON01"
COMMANDS = (
    CommandSpec("help", "what the bot can do"),
    CommandSpec("model", "show or switch the model", "[name]", choices=("fast",)),
    CommandSpec("models", "list the models"),
    CommandSpec("status", "how it is", channel_names={"slack": "agentstatus"}),
    CommandSpec("stop", "stop the answer", aliases=("abort",)),
    CommandSpec("config", "write settings", role=Role.OWNER),
)
# Short waits, so that a test of a failure takes no longer than the failure.
QUICK = Timing(
    hello=3.0,
    ping=0.1,
    silence=1.0,
    retry_first=0.02,
    retry_last=0.1,
    overlap=0.1,
    full=0.02,
    seen_every=0.01,
    auth_every=0.2,
)
E = TypeVar("E")


class KeepingHost:
    """Takes every event over; `room` decides whether there is room for one, `gate` holds `accept` up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[Event] = []
        self.seen: set[str] = set()
        self.offered: list[str] = []
        self.cursors: dict[str, str] = {}
        self.signals: dict[str, float] = {}
        self.states: list[tuple[bool, str]] = []
        self.heard_count = 0
        self.refusals: dict[str, str] = {}
        self.lines: dict[str, list[HistoryLine]] = {}
        self.room: Callable[[Event], bool] = lambda _: True
        self.gate: Callable[[Event], Any] | None = None
        self._changed = asyncio.Condition()

    async def _note(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait for something that a call of this host brings about."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(condition)

    def of(self, kind: type[E]) -> list[E]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def texts(self) -> list[str]:
        """What was said."""
        return [event.text for event in self.of(Message)]

    async def accept(self, event: Event) -> bool:
        self.offered.append(event.event_key)
        if self.gate is not None:
            await self.gate(event)
        if not self.room(event):
            await self._note()
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
        return self.lines.get(str(key), [])[-limit:]

    def commands(self) -> Sequence[CommandSpec]:
        return COMMANDS

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


def settings(peer: Peer, **more: Any) -> SlackSettings:
    """The settings that reach the fake workspace, keys as in config.json."""
    given = {
        "botToken": peer.bot_token,
        "appToken": peer.app_token,
        "signingSecret": peer.signing_secret,
        "apiBase": peer.base_url,
        **more,
    }
    return SlackSettings.model_validate({name: value for name, value in given.items() if value is not None})


def address(space: str, thread: str | None = None, *, team: str = "", account: str = "main") -> Address:
    """An address as parse makes it."""
    key = ConversationKey("slack", account, space, thread)
    surface = Surface.DIRECT if space.startswith("D") else Surface.THREAD if thread else Surface.GROUP
    return Address(key, surface, handle=handle(PERSON, team))


@asynccontextmanager
async def running(
    peer: Peer,
    host: KeepingHost,
    timing: Timing = QUICK,
    *,
    account: str = "main",
    kind: type[SlackChannel] = SlackChannel,
    **more: Any,
) -> AsyncIterator[SlackChannel]:
    """A channel whose `run` is under way and which holds a socket."""
    channel = kind(account, settings(peer, **more), host, timing=timing)
    opened = (await peer.state())["opened"]
    task = asyncio.create_task(channel.run())
    try:
        await peer.wait(sockets=1, opened=opened + 1)
        yield channel
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
