"""A Host that records what an adapter asks of the daemon and answers with what the test laid down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from channels.base import HistoryLine, ModelChoice, Vectors
from channels.commands import CommandSpec
from channels.events import ConversationKey, Event, Message

COMMANDS = (
    CommandSpec("help", "Short help", usage="[command]", aliases=("commands",)),
    CommandSpec("model", "Show or choose the model", usage="[name]", choices=("fast", "deep")),
    CommandSpec("new", "Begin a new session"),
    CommandSpec("retry", "Answer the last message again", takes_turn=True),
    CommandSpec("stop", "Stop the running answer"),
)
MODELS = (
    ModelChoice("auto", "Automatic", is_current=True, hint="This is a stand-in. Connect a model."),
    ModelChoice("loopback/small", "Small model", aliases=("fast",)),
    ModelChoice("loopback/large", "Large model", aliases=("deep",)),
)


@dataclass(slots=True)
class RecordingHost:
    """`events` holds everything that was accepted, in order; `has_room` False turns messages away.

    `on_message` is called with every accepted message, as a daemon that begins to answer.
    """

    folder: Path = Path()
    events: list[Event] = field(default_factory=list)
    lines: dict[ConversationKey, list[HistoryLine]] = field(default_factory=dict)
    cursors: dict[str, str] = field(default_factory=dict)
    signals: list[tuple[str, float]] = field(default_factory=list)
    states: list[tuple[bool, str]] = field(default_factory=list)
    has_room: bool = True
    known_commands: Sequence[CommandSpec] = COMMANDS
    known_models: Sequence[ModelChoice] = MODELS
    on_message: Callable[[Message], object] | None = None
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def messages(self) -> list[Message]:
        """The accepted messages."""
        return [event for event in self.events if isinstance(event, Message)]

    async def accept(self, event: Event) -> bool:
        """Record it, once per event key."""
        if not self.has_room:
            return False
        if not isinstance(event, Message) or event.event_key not in {one.event_key for one in self.messages}:
            self.events.append(event)
            if isinstance(event, Message) and self.on_message is not None:
                self.on_message(event)
        async with self._changed:
            self._changed.notify_all()
        return True

    async def wait_for_messages(self, count: int, timeout: float = 20.0) -> list[Message]:
        """The messages, once there are `count` of them."""
        async with asyncio.timeout(timeout), self._changed:
            await self._changed.wait_for(lambda: len(self.messages) >= count)
        return self.messages

    def refusal(self, event: Event) -> str | None:
        """Everybody may do everything."""
        return None

    async def cursor(self, name: str) -> str | None:
        """As stored."""
        return self.cursors.get(name)

    async def set_cursor(self, name: str, value: str) -> None:
        """Store it."""
        self.cursors[name] = value

    async def history(self, key: ConversationKey, limit: int = 50) -> Sequence[HistoryLine]:
        """What the test laid down."""
        return self.lines.get(key, [])[-limit:]

    def commands(self) -> Sequence[CommandSpec]:
        """What the test laid down."""
        return self.known_commands

    async def models(self, key: ConversationKey) -> Sequence[ModelChoice]:
        """What the test laid down."""
        return self.known_models

    async def embed(self, model: str, texts: Sequence[str]) -> Vectors:
        """Nobody asks for vectors in these tests."""
        raise AssertionError(f"{model} was asked for vectors")

    async def fetch(self, url: str, max_bytes: int) -> bytes:
        """Nothing is fetched in these tests."""
        raise AssertionError(f"{url} was asked for")

    def signal(self, name: str, value: float = 1.0) -> None:
        """Count it."""
        self.signals.append((name, value))

    def online(self, *, is_online: bool, reason: str = "") -> None:
        """Note it."""
        self.states.append((is_online, reason))

    def heard(self) -> None:
        """Nobody watches."""
