"""A Host that keeps what it is given, and a channel that runs, for tests of the adapter alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from channels.base import HistoryLine, ModelChoice, Vectors
from channels.capabilities import Surface
from channels.commands import CommandSpec
from channels.events import Address, ConversationKey, Event, Message
from channels.matrix import MatrixSettings
from channels.matrix.channel import MatrixChannel
from channels.matrix.timing import Timing
from tests.channels.matrix.peer.home import Account
from tests.channels.matrix.peer.relay import Relay

# Short waits, so that a test of a failure takes no longer than the failure.
QUICK = Timing(
    poll_grace=2.0,
    retry_first=0.02,
    retry_last=0.2,
    full=0.02,
    receipts=0.01,
    cursor_every=0.0,
)


class KeepingHost:
    """Takes every event over; `room` decides whether there is room for one, `refusals` who may not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[Event] = []
        self.seen: set[str] = set()
        self.cursors: dict[str, str] = {}
        self.signals: dict[str, float] = {}
        self.states: list[tuple[bool, str]] = []
        self.heard_count = 0
        self.refusals: dict[str, str] = {}
        self.room: Callable[[Event], bool] = lambda _: True
        self._changed = asyncio.Condition()

    @property
    def messages(self) -> list[Message]:
        return [event for event in self.events if isinstance(event, Message)]

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def _note(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        """Wait for something that a call of this host brings about."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(condition)

    async def until_messages(self, count: int) -> list[Message]:
        await self.until(lambda: len(self.messages) >= count)
        return self.messages

    async def accept(self, event: Event) -> bool:
        if not self.room(event):
            await self._note()
            return False
        if event.event_key not in self.seen:
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
        return ()

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
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: loop.create_task(self._note()))


def settings(bot: Account, relay: Relay, **more: Any) -> MatrixSettings:
    """The settings that reach Synapse through the relay, keys as in config.json; without a limit of their own."""
    given: dict[str, Any] = {
        "homeserver": relay.url,
        "userId": bot.id,
        "writesPerSecond": 50,
        "writeBurst": 100,
        "pollSeconds": 5,
    }
    if "password" not in more:
        given["accessToken"] = bot.token
    return MatrixSettings.model_validate({**given, **more})


def address(room: str, *, surface: Surface = Surface.DIRECT, thread: str | None = None) -> Address:
    """An address as parse makes it."""
    return Address(ConversationKey("matrix", "main", room, thread), surface)


@asynccontextmanager
async def running(
    bot: Account,
    relay: Relay,
    host: KeepingHost,
    *,
    timing: Timing = QUICK,
    account: str = "main",
    **more: Any,
) -> AsyncIterator[MatrixChannel]:
    """A channel whose `run` is under way, from when it says that it is online."""
    channel = MatrixChannel(account, settings(bot, relay, **more), host, timing=timing)
    before = len(host.states)
    task = asyncio.create_task(channel.run())
    try:
        async with asyncio.timeout(30):
            while not any(is_online for is_online, _ in host.states[before:]):
                if task.done():
                    task.result()
                await asyncio.sleep(0.01)  # it says so without an await to hang on
        yield channel
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
