"""What the adapter remembers of events, within bounds: who wrote what, what was deleted. Pure."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A table that forgets the oldest entry beyond `size`."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._found: OrderedDict[K, V] = OrderedDict()

    def __contains__(self, key: K) -> bool:
        return key in self._found

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: K) -> V | None:
        """What was put there, None where nothing was or it is forgotten."""
        return self._found.get(key)

    def put(self, key: K, value: V) -> None:
        """Remember it, as the newest."""
        self._found[key] = value
        self._found.move_to_end(key)
        if len(self._found) > self._size:
            self._found.popitem(last=False)

    def pop(self, key: K) -> V | None:
        """Forget it; returns what it was."""
        return self._found.pop(key, None)


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a message, and in which thread it stands."""

    sender: str
    thread: str | None = None


@dataclass(frozen=True, slots=True)
class Reacted:
    """A reaction that stands: on which message, with what."""

    message_id: str
    emoji: str


class Memory:
    """One account's. `deleted`: event id -> who deleted it. Event ids are unique, so rooms need not be told apart."""

    def __init__(self, size: int = 10_000) -> None:
        self.authors: Recent[str, Author] = Recent(size)
        self.reactions: Recent[str, Reacted] = Recent(size)
        self.deleted: Recent[str, str] = Recent(size)

    def thread_of(self, event_id: str) -> str | None:
        """The thread in which a message stands, as far as we remember."""
        author = self.authors.get(event_id)
        return None if author is None else author.thread
