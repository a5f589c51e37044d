"""The daemon's side without a daemon: a Host that notes what arrives, a Journal in memory. For tests of channels."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from channels.base import HistoryLine, ModelChoice, Vectors
from channels.commands import CommandSpec
from channels.errors import Gone, GoneWhat, Refused, TooLong
from channels.events import ConversationKey, Event, Message, Sent
from channels.journal import SentPart

EventT = TypeVar("EventT")

PATIENCE = 20.0  # seconds that a test waits for anything to come true


class RecordingHost:
    """A Host that notes the events; it answers False to the first `refuse` of them.

    `refusals`: sender id -> what `refusal` says of whatever that person does. `pages`: what `fetch` finds.
    """

    def __init__(self, folder: Path) -> None:
        self.events: list[Event] = []
        self.refuse = 0
        self.refused: list[Event] = []
        self.signals: list[str] = []
        self.refusals: dict[str, str] = {}
        self.pages: dict[str, bytes] = {}
        self.is_online = False
        self.heard_count = 0
        self._folder = folder
        self._cursors: dict[str, str] = {}
        self._changed = asyncio.Event()

    @property
    def folder(self) -> Path:
        """A folder of the test's own."""
        return self._folder

    @property
    def messages(self) -> list[Message]:
        """The messages among the events."""
        return [event for event in self.events if isinstance(event, Message)]

    async def accept(self, event: Event) -> bool:
        """Noted, unless it has to be refused."""
        is_taken = self.refuse <= 0
        self.refuse -= 0 if is_taken else 1
        (self.events if is_taken else self.refused).append(event)
        self._changed.set()
        return is_taken

    def refusal(self, event: Event) -> str | None:
        """As `refusals` say."""
        return self.refusals.get(event.sender.id) if event.sender is not None else None

    async def until_messages(self, count: int) -> list[Message]:
        """The messages, as soon as there are `count`. Raises TimeoutError."""
        await self._until(lambda: len(self.messages) >= count, f"{count} messages that `accept` took")
        return self.messages

    async def until_event(self, kind: type[EventT]) -> EventT:
        """The first event of that kind. Raises TimeoutError."""
        await self._until(lambda: any(isinstance(each, kind) for each in self.events), kind.__name__)
        return next(each for each in self.events if isinstance(each, kind))

    async def until_online(self) -> None:
        """The account said that it is connected. Raises TimeoutError."""
        await self._until(lambda: self.is_online, "online(is_online=True)")

    async def _until(self, holds: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while not holds():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            seen = [type(event).__name__ for event in self.events]
            refused = f", refused: {len(self.refused)}" if self.refused else ""
            raise TimeoutError(f"waited {PATIENCE:g} s for {what}; taken: {seen}{refused}") from None

    async def cursor(self, name: str) -> str | None:
        """What `set_cursor` stored."""
        return self._cursors.get(name)

    async def set_cursor(self, name: str, value: str) -> None:
        """Kept for `cursor`."""
        self._cursors[name] = value

    async def history(self, key: ConversationKey, limit: int = 50) -> Sequence[HistoryLine]:
        """Nothing was said before."""
        return ()

    def commands(self) -> Sequence[CommandSpec]:
        """One."""
        return (CommandSpec("help", "what the bot can do"),)

    async def models(self, key: ConversationKey) -> Sequence[ModelChoice]:
        """One."""
        return (ModelChoice("demo/demo", "Demo", is_current=True),)

    async def embed(self, model: str, texts: Sequence[str]) -> Vectors:
        """Two numbers a text, by a model that is called "demo/vectors"."""
        if model != "demo/vectors":
            raise Refused("unknown_model", model)
        return Vectors(model, [(1.0, 0.0) for _ in texts], sum(len(text) for text in texts))

    async def fetch(self, url: str, max_bytes: int) -> bytes:
        """What `pages` hold at this address."""
        if url not in self.pages:
            raise Gone(GoneWhat.MESSAGE, "404")
        if len(self.pages[url]) > max_bytes:
            raise TooLong(f"more than {max_bytes} bytes")
        return self.pages[url]

    def signal(self, name: str, value: float = 1.0) -> None:
        """Noted."""
        self.signals.append(name)

    def online(self, *, is_online: bool, reason: str = "") -> None:
        """Noted."""
        self.is_online = is_online
        self._changed.set()

    def heard(self) -> None:
        """Counted."""
        self.heard_count += 1


class MemoryJournal:
    """A Journal without a disk. `granted`: `intent` waits for it; `denies`: it answers None."""

    def __init__(
        self,
        *,
        resumed: Sequence[SentPart] = (),
        granted: asyncio.Event | None = None,
        denies: bool = False,
        turn: str = "turn",
    ) -> None:
        self.granted = granted
        self.denies = denies
        self.turn = turn
        self.intents: list[int] = []
        self.sents: list[tuple[int, str, Sent]] = []
        self.saved: list[str] = []
        self.finals: list[str] = []
        self._resumed = tuple(resumed)

    @property
    def resumed(self) -> Sequence[SentPart]:
        """What was given."""
        return self._resumed

    async def intent(self, part: int) -> str | None:
        """The key "turn-part", the same every time."""
        if self.granted is not None:
            await self.granted.wait()
        self.intents.append(part)
        return None if self.denies else f"{self.turn}-{part}"

    def sent(self, part: int, send_key: str, sent: Sent) -> None:
        """Noted."""
        self.sents.append((part, send_key, sent))

    def progress(self, text: str) -> None:
        """Noted."""
        self.saved.append(text)

    async def final(self, text: str) -> None:
        """Noted."""
        self.finals.append(text)

    def after_crash(self, texts: Mapping[str, str] | None = None) -> MemoryJournal:
        """What a new process finds: the parts that were noted; `texts`: message id -> what it read, where known."""
        known = texts or {}
        parts = [SentPart(part, sent.id, key, known.get(sent.id, "")) for part, key, sent in self.sents]
        return MemoryJournal(resumed=parts, turn=self.turn)
