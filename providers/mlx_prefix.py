"""Prompts that a model has read already, by their tokens: the longest common beginning is found again. Pure.

Bounded by number and bytes; what was used longest ago goes first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Kept = TypeVar("Kept")

MIN_SHARED = 8
"""Tokens; a shorter beginning is read again sooner than its cache is copied."""


@dataclass(frozen=True, slots=True)
class Entry(Generic[Kept]):
    """A prompt and what was kept of it. `cuts`: the end may be cut off, so that any beginning of it serves."""

    model: str
    tokens: tuple[int, ...]
    kept: Kept
    size: int
    cuts: bool = True


@dataclass(frozen=True, slots=True)
class Hit(Generic[Kept]):
    """An entry whose first `shared` tokens are the prompt's."""

    entry: Entry[Kept]
    shared: int


class Prefixes(Generic[Kept]):
    """The entries, oldest use first. At most `max_entries` and `max_bytes`; not safe for threads."""

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._entries: list[Entry[Kept]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry[Kept]]:
        return iter(self._entries)

    @property
    def size(self) -> int:
        """Bytes of all entries."""
        return sum(entry.size for entry in self._entries)

    def find(self, model: str, tokens: Sequence[int]) -> Hit[Kept] | None:
        """The entry that spares the most; at least the last token of a prompt is always read anew."""
        wanted = tuple(tokens)
        best: Hit[Kept] | None = None
        for entry in self._entries:
            if entry.model != model:
                continue
            shared = min(common(entry.tokens, wanted), len(wanted) - 1)
            if not entry.cuts and shared < len(entry.tokens):
                continue
            if shared >= MIN_SHARED and (best is None or shared > best.shared):
                best = Hit(entry, shared)
        if best is not None:
            self._entries.remove(best.entry)
            self._entries.append(best.entry)
        return best

    def put(self, entry: Entry[Kept]) -> None:
        """Keep an entry; its own beginnings are dropped, then the oldest, until all bounds hold."""
        if entry.size > self._max_bytes or self._max_entries == 0 or len(entry.tokens) < MIN_SHARED:
            return
        self._entries = [old for old in self._entries if not _covers(entry, old)]
        self._entries.append(entry)
        while len(self._entries) > self._max_entries or self.size > self._max_bytes:
            self._entries.pop(0)

    def forget(self, model: str) -> None:
        """Drop what belongs to a model."""
        self._entries = [entry for entry in self._entries if entry.model != model]


def common(first: tuple[int, ...], second: tuple[int, ...]) -> int:
    """How many tokens two prompts share from the beginning; compares slices, so that long ones cost little."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _covers(new: Entry[Kept], old: Entry[Kept]) -> bool:
    if new.model != old.model:
        return False
    if new.tokens == old.tokens:
        return True
    return new.cuts and new.tokens[: len(old.tokens)] == old.tokens
