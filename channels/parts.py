"""Where the messages of a growing answer begin and end. Pure.

A boundary that has been drawn stays: messages that a person has read do not move. Only `fix`, `narrow` and
`reset` draw them anew.
"""

from __future__ import annotations

from dataclasses import dataclass

from channels.capabilities import LengthUnit
from channels.markup import Fence, is_blank, open_fence, repair
from channels.split import block_end, cut, dress, fitting, last_block_end, reach, room, trim

NEAR = 0.85  # from this share of a message on, the next block goes into a new one
SMALLEST = 32  # no message is split below this


@dataclass(frozen=True, slots=True)
class Part:
    """One message: the characters `start`..`end` of the answer.

    `text` is what the channel is handed. `raw` is the same without what `repair` took away or added: a growing
    part's `raw` only ever grows at its end.
    """

    start: int
    end: int
    text: str
    fence: Fence | None
    origin: int


class Plan:
    """The parts of one answer. `limit` counts `unit`s."""

    __slots__ = ("_fence", "_start", "closed", "limit", "unit")

    def __init__(self, limit: int, unit: LengthUnit) -> None:
        self.limit = limit
        self.unit = unit
        self.closed: list[Part] = []
        self._start = 0
        self._fence: Fence | None = None

    def grow(self, text: str, *, is_final: bool, floor: int = 0) -> None:
        """Close every part that `text` has outgrown. Nothing before `floor` leaves the part that is open now."""
        while True:
            space = room(self.limit, self.unit, self._fence)
            end = reach(text, self._start, space, self.unit)
            near = reach(text, self._start, int(space * NEAR), self.unit)
            if not is_final and len(text) > near:
                place = block_end(text, self._start, max(near, floor), end, self._fence)
                if place is not None:
                    self._close(text, place, None)
                    continue
            if end >= len(text):
                return
            found = cut(text, self._start, self.limit, self.unit, self._fence, floor)
            if not is_final and floor < found.end == len(text) and not text.endswith("\n"):
                return  # behind a fence's closing line, it seems; with more words in it, it is none
            self._close(text, found.end, found.fence)

    def open(self, text: str, *, is_final: bool, is_raw: bool = False) -> Part | None:
        """The part that is still growing, as it can be shown now; None while there is nothing to see of it.

        `is_raw`: not repaired, for a channel that takes nothing back: such a text only ever grows at its end.
        """
        start, fence = self._start, self._fence
        if is_final:
            return self._part(text, len(text), open_fence(text[start:], fence))
        low, high = trim(text, start, len(text), fence)
        opening = "" if fence is None else f"{fence.opening}\n"
        raw = opening + text[low:high]
        shown, used = (raw, len(raw)) if is_raw else repair(raw)
        shown = shown.rstrip()
        if used <= len(opening) or is_blank(shown[len(opening) :]):
            return None
        origin = low - len(opening)
        return Part(start, origin + used, shown, fence, origin)

    def block(self, text: str, smallest: int) -> int | None:
        """The end of the last whole block that would make a message of `smallest` characters or more."""
        end = reach(text, self._start, room(self.limit, self.unit, self._fence), self.unit)
        return last_block_end(text, self._start, self._start + smallest, end, self._fence)

    def close_block(self, text: str, smallest: int) -> None:
        """Close the open part at what `block` gives."""
        end = self.block(text, smallest)
        if end is not None:
            self._close(text, end, None)

    def fix(self, index: int, text: str, end: int, shown: str) -> None:
        """Part `index` stands as `shown`, up to the character `end`, and cannot be changed any more."""
        self._reopen(index)
        self.closed.append(Part(self._start, end, shown, self._fence, self._start))
        self._fence = fitting(open_fence(text[self._start : end], self._fence), self.limit, self.unit)
        self._start = end

    def narrow(self, index: int, length: int) -> bool:
        """Part `index` was too long for the channel: halve it. False when it is too short for that."""
        smaller = min(self.limit, length // 2)
        if smaller < SMALLEST:
            return False
        self._reopen(index)
        self.limit = smaller
        self._fence = fitting(self._fence, self.limit, self.unit)
        return True

    def reset(self) -> None:
        """The text was replaced."""
        self.closed.clear()
        self._start = 0
        self._fence = None

    def _reopen(self, index: int) -> None:
        if index < len(self.closed):
            self._start = self.closed[index].start
            self._fence = self.closed[index].fence
            del self.closed[index:]

    def _close(self, text: str, end: int, after: Fence | None) -> None:
        part = self._part(text, end, after)
        if part is not None:
            self.closed.append(part)
        self._start = end
        self._fence = after

    def _part(self, text: str, end: int, after: Fence | None) -> Part | None:
        start, fence = self._start, self._fence
        shown = dress(text, start, end, fence, after)
        if not shown:
            return None
        origin = trim(text, start, end, fence)[0] - (0 if fence is None else len(fence.opening) + 1)
        return Part(start, end, shown, fence, origin)
