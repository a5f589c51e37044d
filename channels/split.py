"""Cutting a Markdown text into messages: in the channel's unit, at good places, with code fences kept whole. Pure."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass

from channels.capabilities import LengthUnit
from channels.markup import Fence, fence_lines, is_blank, open_fence

_BLANK_LINES = re.compile(r"\n(?:[ \t]*+\n)++")
_SENTENCE_END = re.compile(
    r"[.!?\u2026\u3002\uff01\uff1f][\"')\]\u201d\u2019*_]*+(?:\s++|(?<=[\u3002\uff01\uff1f]))"
)
_SPACE = re.compile(r"\s++")
_LINE = re.compile(r"\n++")
_GOES_ON = re.compile(r"[ \t]|[-*+][ \t]|\d{1,9}[.)][ \t]|\|")
_HEADING = re.compile(r"[ \t>]*#{1,6}[ \t]")
_CLOSING_SPACE = 16  # units kept free for what `repair` adds
_LONGEST_GRAPHEME = 64
_LONGEST_FLAGS = 1_000  # flags in a row are pairs; of a longer row one may be torn


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a part ends, and the fence that is open there."""

    end: int
    fence: Fence | None = None


def measure(text: str, unit: LengthUnit) -> int:
    """The length of `text` as the channel counts it."""
    if unit is LengthUnit.CODE_POINTS or text.isascii():
        return len(text)
    if unit is LengthUnit.UTF16:
        return len(text.encode("utf-16-le", "surrogatepass")) // 2
    return len(text.encode("utf-8", "surrogatepass"))


def reach(text: str, start: int, limit: int, unit: LengthUnit) -> int:
    """The largest end for which `text[start:end]` measures at most `limit`."""
    end = min(len(text), start + max(0, limit))
    piece = text[start:end]
    if unit is LengthUnit.CODE_POINTS or piece.isascii():
        return end
    if unit is LengthUnit.UTF16:
        coded = piece.encode("utf-16-le", "surrogatepass")[: 2 * limit]
        whole = len(coded.decode("utf-16-le", "surrogatepass" if _ends_whole(coded) else "ignore"))
        return start + whole
    coded = piece.encode("utf-8", "surrogatepass")
    stop = min(limit, len(coded))
    while 0 < stop < len(coded) and coded[stop] & 0xC0 == 0x80:
        stop -= 1
    return start + len(coded[:stop].decode("utf-8", "surrogatepass"))


def _ends_whole(coded: bytes) -> bool:
    return len(coded) < 2 or not 0xD8 <= coded[-1] <= 0xDB


def split(text: str, limit: int, unit: LengthUnit = LengthUnit.CODE_POINTS) -> list[str]:
    """`text` in messages of at most `limit` units, in order; [] for a blank text.

    Cut between blocks, else lines, else sentences, else words, else graphemes, in the last half of a message;
    a code fence that has to be cut is closed and opened again. Joined, the messages are the text but for white
    space at the cuts and such fences. Raises ValueError for a limit below 1.
    """
    if limit < 1:
        raise ValueError(f"limit is {limit}; a message holds at least 1")
    parts: list[str] = []
    start = 0
    fence: Fence | None = None
    while start < len(text):
        found = cut(text, start, limit, unit, fence)
        part = dress(text, start, found.end, fence, found.fence)
        if part:
            parts.append(part)
        start, fence = found.end, found.fence
    return parts


def dress(text: str, start: int, end: int, before: Fence | None, after: Fence | None) -> str:
    """What a part shows of `text[start:end]`: trimmed, its cut fences closed and opened again; "" when blank."""
    low, high = trim(text, start, end, before)
    body = text[low:high]
    if is_blank(body):
        return ""
    if before is not None:
        body = f"{before.opening}\n{body}"
    return body if after is None else f"{body}\n{after.marker}"


def trim(text: str, start: int, end: int, before: Fence | None) -> tuple[int, int]:
    """`start` and `end` without the white space that no message begins or ends with; code keeps its indent."""
    piece = text[start:end]
    body = piece.lstrip("\n") if before is not None or (start and text[start - 1] == "\n") else piece.lstrip()
    return end - len(body), end - len(body) + len(body.rstrip())


def room(limit: int, unit: LengthUnit, before: Fence | None) -> int:
    """Units of text for which a part of `limit` has room beside opened and closed fences."""
    free = limit - _spare(limit)
    return free if before is None else free - measure(before.opening, unit) - 1


def _spare(limit: int) -> int:
    return min(_CLOSING_SPACE, limit // 8)


def fitting(fence: Fence | None, limit: int, unit: LengthUnit) -> Fence | None:
    """`fence` where a part of `limit` can carry it, else None: then it is cut like any text."""
    if fence is None or len(fence.marker) >= _spare(limit):
        return None
    return fence if room(limit, unit, fence) >= limit // 2 else None


def cut(text: str, start: int, limit: int, unit: LengthUnit, fence: Fence | None, at_least: int = 0) -> Cut:
    """Where the part that begins at `start`, with `fence` open, has to end: at the text's end where it fits.

    `at_least`: nothing before this index may go into the next part.
    """
    end = reach(text, start, room(limit, unit, fence), unit)
    if end >= len(text):
        return Cut(len(text), fitting(open_fence(text[start:], fence), limit, unit))
    found = _Places(text, start, end, fence, _spare(limit)).best(max(at_least, start + (end - start) // 2))
    if found is None:
        index = max(grapheme_start(text, end, start), at_least)
        index = index if index > start else max(end, start + 1)
        found = Cut(index, open_fence(text[start:index], fence))
    return Cut(found.end, fitting(found.fence, limit, unit))


def block_end(text: str, start: int, after: int, before: int, fence: Fence | None) -> int | None:
    """The first place in `after`..`before` where a block ends and another begins; None inside one."""
    places = _Places(text, start, before, fence)
    return next((place for place in places.blocks(after) if place > after), None)


def last_block_end(text: str, start: int, after: int, before: int, fence: Fence | None) -> int | None:
    """The last such place."""
    places = _Places(text, start, before, fence)
    return max((place for place in places.blocks(after) if place > after), default=None)


class _Places:
    """The places in `text[start:end]` where a part may end; the closing line of a fence may go on for `spare`."""

    def __init__(self, text: str, start: int, end: int, fence: Fence | None, spare: int = 0) -> None:
        self._text = text
        self._start = start
        self._end = end
        self._spare = spare
        self._edges = [start - 1]
        self._fences = [fence]
        self._closing: dict[int, int] = {}
        for line in fence_lines(text[start : end + 40], fence):
            # A cut before the opening line is outside, one behind the closing line too.
            edge = line.start if line.fence is not None else line.end
            self._edges.append(start + edge)
            self._fences.append(line.fence)
            if line.fence is None:
                self._closing[start + line.start] = start + line.end

    def fence(self, place: int) -> Fence | None:
        return self._fences[bisect_right(self._edges, place - 1) - 1]

    def blocks(self, after: int) -> list[int]:
        """Between blocks: a blank line outside fences, lists and tables, and not under a heading."""
        found = []
        for blank in _BLANK_LINES.finditer(self._text, after, self._end):
            place = blank.end()
            if place >= len(self._text) or _GOES_ON.match(self._text, place) or self.fence(place):
                continue
            line = self._text.rfind("\n", self._start, blank.start()) + 1
            if not _HEADING.match(self._text, max(line, self._start)):
                found.append(place)
        return found

    def best(self, after: int) -> Cut | None:
        blocks = self.blocks(after)
        if blocks:
            return Cut(blocks[-1])
        lines = [line.end() for line in _LINE.finditer(self._text, after, self._end)]
        loose = [place for place in lines if self.fence(place) is None]
        between = [place for place in loose if not self._text.startswith("|", place)]
        if between:
            return Cut(between[-1])
        sentences = [end.end() for end in _SENTENCE_END.finditer(self._text, after, self._end)]
        sentences = [place for place in sentences if self.fence(place) is None]
        if sentences:
            return Cut(sentences[-1])
        if lines:
            return self._in_fence(lines[-1])
        words = [space.end() for space in _SPACE.finditer(self._text, after, self._end)]
        if words:
            return Cut(words[-1], self.fence(words[-1]))
        return None

    def _in_fence(self, place: int) -> Cut:
        """A cut just before a fence's closing line goes behind it: there is room for it."""
        end = self._closing.get(place)
        if end is not None and end <= self._end + self._spare:
            return Cut(end)
        return Cut(place, self.fence(place))


def grapheme_start(text: str, index: int, lowest: int) -> int:
    """The last place at or before `index` that is not inside a grapheme; `index` itself where none is near."""
    for place in range(index, max(lowest, index - _LONGEST_GRAPHEME), -1):
        if not _is_inside(text, place):
            return place
    return index


def _is_inside(text: str, place: int) -> bool:
    if not 0 < place < len(text):
        return False
    before, after = text[place - 1], text[place]
    if after < "\u0300":
        return before == "\r" and after == "\n"
    if "\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff":
        return True
    if (
        "\u200d" in (before, after)
        or "\U0001f3fb" <= after <= "\U0001f3ff"
        or "\U000e0020" <= after <= "\U000e007f"
    ):
        return True
    if unicodedata.category(after) in {"Mn", "Mc", "Me"}:
        return True
    if "\u1160" <= after <= "\u11ff" and "\u1100" <= before <= "\u11ff":
        return True
    return _is_flag_half(text, place)


def _is_flag_half(text: str, place: int) -> bool:
    """Flags are pairs of regional indicators."""
    count = 0
    while (
        count < _LONGEST_FLAGS and place > count and "\U0001f1e6" <= text[place - 1 - count] <= "\U0001f1ff"
    ):
        count += 1
    return count % 2 == 1 and "\U0001f1e6" <= text[place] <= "\U0001f1ff"
