"""A message as it stands, and one page's place in it. No I/O, no tasks.

A subscriber (one connection showing one conversation) holds only how much of a message has been handed out:
when it is slow it gets fewer, larger steps, and never costs more than its place in the text. A step takes
`cut` UTF-16 units off the end and appends the rest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from channels.events import AnswerNote
from channels.web.render import encode, note_of, utf16_length

MAX_WAITING_FRAMES = 256


@dataclass(slots=True)
class Shown:
    """A message of ours as it stands now. `n` grows with every change."""

    id: str
    text: str
    at: float
    n: int = 1
    is_open: bool = True
    closed_at: float = 0.0
    note: AnswerNote | None = None

    def line(self) -> dict[str, Any]:
        """The message for an `opened` frame."""
        return {
            "id": self.id,
            "role": "assistant",
            "text": self.text,
            "at": self.at,
            "n": self.n,
            "open": self.is_open,
            "note": note_of(self.note),
        }


@dataclass(slots=True)
class _Mark:
    """How far a subscriber has been told of a message: revision, characters handed out, units to take back."""

    shown: Shown
    n: int
    told: int
    cut: int = 0
    is_open: bool = True


class Subscriber:
    """One connection showing one conversation; `wake` is called when there is something to take."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._queue: deque[bytes | Shown] = deque()
        self._waiting: dict[str, Shown] = {}
        self._marks: dict[str, _Mark] = {}
        self._released: set[str] = set()
        self.is_overrun = False

    def tell(self, frame: Mapping[str, Any]) -> None:
        """Queue a frame of its own. With too many waiting the subscriber is overrun and has to start anew."""
        self._push(encode(frame))

    def take(self) -> bytes | None:
        """The next frame to put on the wire, or None."""
        while self._queue:
            item = self._queue.popleft()
            if isinstance(item, bytes):
                return item
            if self._waiting.get(item.id) is item:
                del self._waiting[item.id]
            frame = self._step(item)
            if item.id in self._released:
                self._released.discard(item.id)
                self._marks.pop(item.id, None)
            if frame is not None:
                return encode(frame)
        return None

    @property
    def is_waiting(self) -> bool:
        """There is something to take."""
        return bool(self._queue)

    def changed(self, shown: Shown) -> None:
        """The message has more to show."""
        if self._waiting.get(shown.id) is not shown:
            self._waiting[shown.id] = shown
            self._released.discard(shown.id)
            self._push(shown)

    def replaced(self, shown: Shown, old: str, shared: int) -> None:
        """The text no longer begins with all of `old`, only with its first `shared` characters."""
        mark = self._marks.get(shown.id)
        if mark is not None and mark.shown is shown and mark.told > shared:
            mark.cut += utf16_length(old[shared : mark.told])
            mark.told = shared

    def knows(self, shown: Shown) -> None:
        """The message was handed out whole as it is now."""
        self._marks[shown.id] = _Mark(shown, shown.n, len(shown.text), is_open=shown.is_open)

    def release(self, shown: Shown) -> None:
        """The message will not change any more; what is still waiting of it is told first."""
        if self._waiting.get(shown.id) is shown:
            self._released.add(shown.id)
        else:
            self._marks.pop(shown.id, None)

    def forget(self, message_id: str) -> None:
        """The message is gone; what is still waiting of it is not told."""
        self._marks.pop(message_id, None)
        if self._waiting.pop(message_id, None) is not None:
            self._queue = deque(
                item for item in self._queue if isinstance(item, bytes) or item.id != message_id
            )

    def reset(self) -> None:
        """Another conversation is about to be shown; frames that answer the page itself stay."""
        self._queue = deque(item for item in self._queue if isinstance(item, bytes))
        self._waiting.clear()
        self._marks.clear()
        self._released.clear()

    def _step(self, shown: Shown) -> dict[str, Any] | None:
        mark = self._marks.get(shown.id)
        if mark is None or mark.shown is not shown:
            self.knows(shown)
            return {"t": "show"} | shown.line()
        if mark.n == shown.n:
            return None
        frame = {"t": "more", "id": shown.id, "was": mark.n, "n": shown.n, "text": shown.text[mark.told :]}
        if mark.cut:
            frame["cut"] = mark.cut
        if mark.is_open != shown.is_open:
            frame["open"] = shown.is_open
        self.knows(shown)
        return frame

    def _push(self, item: bytes | Shown) -> None:
        if len(self._queue) >= MAX_WAITING_FRAMES:
            self.is_overrun = True
            self._queue.clear()
            self._waiting.clear()
        if not self.is_overrun:
            self._queue.append(item)
        self._wake()
