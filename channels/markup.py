"""Markdown while it is still being written: cleaned, closed where it is open, compared by its words. Pure.

Every function takes time linear in its text.
"""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from channels.inline import close_inline

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]+")
_VISIBLE = re.compile("[^\\s\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")

_FENCE = re.compile(
    r"^[ \t>]*+(?:(?:[-*+]|\d{1,9}[.)])[ \t]++)?(`{3,12}(?!`)|~{3,12}(?!~))([^\n]*)",
    re.MULTILINE,
)
_MAX_INFO = 40
_HALF_CLOSING = re.compile(r"\n[ \t>]*+[`~]{1,31}\Z")
_BARE_MARKER = re.compile(r"(?:#{1,6}|[-*+=_~]+|\d{1,9}[.)]|>)?[ \t]*\Z")

_DESTINATION = re.compile(r"\]\([^\s()]*(?:\([^\s()]*\)[^\s()]*)*(?:[ \t]+\"[^\"\n]*\")?\)")
_TAG = re.compile(r"</?[a-zA-Z][^<>\n]{0,100}>")
_TASK = re.compile(r"^([ \t>]*+(?:[-*+]|\d{1,9}[.)])[ \t]++)\[[ xX]\](?=\s)", re.MULTILINE)
_NUMBER = re.compile(r"^([ \t>]*+(?:[-*+\u2022][ \t]++)?)\d{1,9}\\?[.)](?=\s)", re.MULTILINE)
_NO_WORD = re.compile(r"[\W_]+")
_TAIL_WORDS = 24


@dataclass(frozen=True, slots=True)
class Fence:
    """An open code fence: `marker` is what closes it, `info` the words behind its opening ("python")."""

    marker: str
    info: str = ""

    @property
    def opening(self) -> str:
        """The line that opens it again."""
        return self.marker + self.info


@dataclass(frozen=True, slots=True)
class FenceLine:
    """A line that opens a fence, or closes it where `fence` is None, from `start` to `end` without its newline."""

    start: int
    end: int
    fence: Fence | None


def clean(text: str) -> str:
    """`text` without what no channel should be sent: NUL and other controls, lone surrogates, bidi overrides.

    Newline and tab stay; CR LF and CR become newlines; surrogate pairs become their character, halves U+FFFD.
    """
    if _CONTROL.search(text) is None:
        return text
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _UNWANTED.sub("", text)


def whole(text: str) -> str:
    """`text` as it is, but for surrogates: pairs become their character, halves U+FFFD."""
    if text.isascii() or _SURROGATE.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def is_blank(text: str) -> bool:
    """Nothing in it can be seen."""
    return _VISIBLE.search(text) is None


def fence_lines(text: str, fence: Fence | None = None) -> Iterator[FenceLine]:
    """The lines that open and close fences, in order; `fence` is open where the text begins."""
    marker = None if fence is None else fence.marker
    for match in _fence_matches(text):
        if marker is None and _opens(match):
            marker = match[1]
            yield FenceLine(match.start(), match.end(), _fence_of(match))
        elif marker is not None and _closes(match, marker):
            marker = None
            yield FenceLine(match.start(), match.end(), None)


def open_fence(text: str, fence: Fence | None = None) -> Fence | None:
    """The fence that is open where the text ends; `fence` is open where it begins."""
    opened, is_open = _last_opening(text, None if fence is None else fence.marker)
    if not is_open:
        return None
    return fence if opened is None else _fence_of(opened)


def _last_opening(text: str, marker: str | None = None) -> tuple[re.Match[str] | None, bool]:
    """The last line that opens a fence, and whether one is open at the end. Makes no objects but the matches."""
    opened = None
    for match in _fence_matches(text):
        if marker is None:
            if _opens(match):
                opened, marker = match, match[1]
        elif _closes(match, marker):
            marker = None
    return opened, marker is not None


def _fence_matches(text: str) -> Iterator[re.Match[str]]:
    return _FENCE.finditer(text) if "```" in text or "~~~" in text else iter(())


def _opens(match: re.Match[str]) -> bool:
    return match.end(1) == match.end() or match[1][0] == "~" or "`" not in match[2]


def _closes(match: re.Match[str], marker: str) -> bool:
    return match[1].startswith(marker) and (match.end(1) == match.end() or not match[2].strip())


def _fence_of(match: re.Match[str]) -> Fence:
    info = match[2].strip()
    return Fence(match[1], info if len(info) <= _MAX_INFO else "")


def repair(text: str) -> tuple[str, int]:
    """A growing text, fit to be shown now, and how many of its characters are in it.

    The result is a beginning of `text` (what is only half there waits: a link, a table, the marks of a list
    item, a closing fence) and the marks that close what is open.
    """
    opened, is_open = _last_opening(text)
    if opened is not None and is_open:
        if opened.end() < len(text):
            half = _HALF_CLOSING.search(text, max(opened.end(), len(text) - 200))
            used = len(text) if half is None else half.start()
            return f"{text[:used].rstrip()}\n{opened[1]}", used
        text = text[: opened.start()]  # the opening line itself is not complete
    used = _without_table(text)
    if used == len(text):
        last_line = text.rfind("\n") + 1
        indent = len(text) - len(text[last_line:].lstrip(" \t>"))
        if _BARE_MARKER.match(text, indent) or (
            text.startswith(("``", "~~"), indent) and len(text) - indent < 3
        ):
            used = last_line
    return close_inline(text, used)


def close(text: str) -> str:
    """A text that is at its end: an open fence is closed, everything else stays as it was written."""
    fence = open_fence(text)
    return text if fence is None else f"{text.rstrip()}\n{fence.marker}"


def _without_table(text: str) -> int:
    """Where a table begins that may still grow at the end of `text`, else the text's length."""
    start = len(text)
    end = start - 1 if text.endswith("\n") else start
    while end > 0:
        line = text.rfind("\n", 0, end) + 1
        if not text[line:end].lstrip(" \t>").startswith("|"):
            break
        start = line
        end = line - 1
    return start


def words(text: str) -> str:
    """Letters and digits alone, in one case and normal form: what every rendering of a text has in common."""
    return _NO_WORD.sub("", unicodedata.normalize("NFKC", html.unescape(text)).casefold())


def missing_from(text: str, shown: str) -> int | None:
    """Where in the Markdown `text` begins what the plain text `shown` lacks; None when all of it is there.

    Tolerant: marks, spaces, link targets, a fence's language, the numbers of a list (which Markdown counts anew) and
    what a renderer adds do not count, nor do a few words lost in the middle of a text whose end is there.
    """
    wanted = _own_words(text, is_counted=False)
    have = words(_NUMBER.sub(r"\1", shown))
    if wanted == have:
        return None
    position = matched = 0
    for letter in wanted:
        position = have.find(letter, position) + 1
        if not position:
            break
        matched += 1
    if matched == len(wanted):
        return None
    tail = wanted[-_TAIL_WORDS:]
    ends = (
        have[-10 * _TAIL_WORDS :],
        _own_words(shown, is_counted=False)[-10 * _TAIL_WORDS :],
    )  # with tags that it shows, and without
    if len(have) >= 0.9 * len(wanted) and any(tail in end for end in ends):
        return None
    same = min(matched, _common_prefix(wanted, have) or matched)
    begins = bisect_left(
        range(len(text)), same + 1, key=lambda end: len(_own_words(text[:end], is_counted=False))
    )
    return max(0, begins - 1)


def reached_by(text: str, shown: str) -> int | None:
    """How far the plain text `shown` reaches into the Markdown `text`; None where it is not its beginning."""
    wanted = _own_words(shown)
    end = bisect_left(range(len(text)), len(wanted), key=lambda end: len(_own_words(text[:end])))
    return end if wanted and _own_words(text[:end]) == wanted else None


def is_other(text: str, shown: str) -> bool:
    """Whether the plain text `shown` is mostly of other words than the Markdown `text`, which was found in it."""
    return 2 * len(_own_words(text)) < len(words(shown))


def _own_words(text: str, *, is_counted: bool = True) -> str:
    """The words that every rendering shows: no fence's language, no link's target, no raw tag, no box's cross.

    `is_counted` False: nor the numbers of a list.
    """
    pieces = []
    position = 0
    for line in fence_lines(text):
        pieces.append(text[position : line.start])
        position = line.end
    pieces.append(text[position:])
    bare = _TASK.sub(r"\1", "".join(pieces))
    if not is_counted:
        bare = _NUMBER.sub(r"\1", bare)
    return words(_TAG.sub(" ", _DESTINATION.sub("] ", bare)))


def _common_prefix(left: str, right: str) -> int:
    return next(
        (i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right))
    )
