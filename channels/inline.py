"""Half-written emphasis, code and links at the end of a growing Markdown text. Pure, linear; for markup.repair."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

# Only the last paragraph can be open, and of a monstrous one only its end is looked at.
_WINDOW = 16_000
_MAX_OPEN = 32
_LABEL = 80  # characters for which an opened "[" may still become a link
_TARGET = 2_000  # characters that a link's target may have

_TOKEN = re.compile(
    r"(?P<escape>\\[\s\S]?)"
    r"|(?P<code>`+)"
    r"|(?P<mark>\*+|_+|~+)"
    r"|(?P<open>!?\[)"
    r"|(?P<close>\])"
    r"|(?P<item>\n[ \t>]*+(?:[-*+]|\d{1,9}[.)]|\#{1,6})(?=[ \t]))"
)
_TARGET_START = re.compile(
    r"\([^\s()]*+(?:\([^\s()]*+\)[^\s()]*+)*+(?:\([^\s()]*+\Z)?(?:[ \t]++(?:\"[^\"\n]*+\"?+)?+)?+"
)
_HALF_TAG = re.compile(r"<[a-zA-Z/!][^<>\n]{0,200}\Z")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")


@dataclass(slots=True)
class _Open:
    """A mark that was opened and not yet closed: `count` of `char`, written at `start` up to `end`."""

    char: str
    count: int
    start: int
    end: int


@dataclass(slots=True)
class _State:
    """What is open at one point; `links` holds where brackets were opened and the marks that were open there."""

    marks: list[_Open] = field(default_factory=list)
    links: list[tuple[int, list[_Open]]] = field(default_factory=list)


def close_inline(text: str, used: int) -> tuple[str, int]:
    """The first `used` characters or fewer, with the marks that close what is open there; and how many those are.

    Fences must be closed in them.
    """
    window = _paragraph(text, used)
    state = _State()
    position = window
    while (token := _TOKEN.search(text, position, used)) is not None:
        position = token.end()
        match token.lastgroup:
            case "escape":
                if position == used and len(token.group()) == 1:
                    used = token.start()
            case "code":
                closing = _closing_run(text, token.end(), used, len(token.group()))
                if closing is None:
                    return _end_in_code(text, used, token, state)
                position = closing
            case "mark":
                used = _mark(text, used, token, state.marks)
            case "open":
                state.links.append((token.start(), [_copy(mark) for mark in state.marks]))
                del state.links[:-8]
            case "close":
                position, used = _close_link(text, used, token, state)
            case _:
                state.marks.clear()
                state.links.clear()
    if state.links:
        start, marks = state.links[0] if used - state.links[0][0] <= _LABEL else state.links[-1]
        if used - start <= _LABEL and "\n" not in text[start:used]:
            used, state.marks = start, marks
    half_tag = _HALF_TAG.search(text, max(window, used - 210), used)
    if half_tag is not None:
        used = half_tag.start()
    return _closed(text, used, state.marks)


def _paragraph(text: str, used: int) -> int:
    """Where the last paragraph begins, at most the window before the end."""
    low = max(0, used - _WINDOW)
    start = low
    for blank in _BLANK_LINE.finditer(text, low, used):
        start = blank.end()
    return start


def _closing_run(text: str, start: int, used: int, length: int) -> int | None:
    """The end of the run of exactly `length` backticks after `start`."""
    position = start
    while (position := text.find("`" * length, position, used)) >= 0:
        end = position + length
        while end < used and text[end] == "`":
            end += 1
        if end - position == length:
            return end
        position = end
    return None


def _end_in_code(text: str, used: int, token: re.Match[str], state: _State) -> tuple[str, int]:
    run = token.group()
    end = used
    while end > token.end() and text[end - 1] == "`":  # a closing run that is not complete
        end -= 1
    if end == token.end():  # nothing in it yet
        return _closed(text, token.start(), state.marks)
    body = text[:end].rstrip()
    if len(body) <= token.end():
        return _closed(text, token.start(), state.marks)
    closers = "".join(mark.char * mark.count for mark in reversed(state.marks))
    return body + run + closers, end


def _mark(text: str, used: int, token: re.Match[str], marks: list[_Open]) -> int:
    """Take a run of *, _ or ~ into account. Returns the new end: a run at the very end waits for what follows."""
    char, count = token.group()[0], len(token.group())
    before = text[token.start() - 1] if token.start() else " "
    after = text[token.end()] if token.end() < used else ""
    if not after:
        return _last_mark(token, before, marks, used)
    if count > 3 or (char == "~" and count != 2):
        return used
    opens, closes = _flanks(char, before, after)
    if closes:
        count = _close_marks(char, count, marks)
    if opens and count:
        marks.append(_Open(char, count, token.start(), token.end()))
        del marks[:-_MAX_OPEN]
    return used


def _last_mark(token: re.Match[str], before: str, marks: list[_Open], used: int) -> int:
    """A run at the end closes what it can close wholly; else it is not shown yet."""
    char, count = token.group()[0], len(token.group())
    mine = [mark for mark in marks if mark.char == char]
    if mine and not before.isspace() and count == sum(mark.count for mark in mine[-2:][-1:]):
        _close_marks(char, count, marks)
        return used
    return token.start()


def _close_marks(char: str, count: int, marks: list[_Open]) -> int:
    """Close open marks of `char`; what stood open inside them was literal. Returns what is left of the run."""
    for index in range(len(marks) - 1, -1, -1):
        mark = marks[index]
        if mark.char != char:
            continue
        if count < mark.count:
            mark.count -= count
            del marks[index + 1 :]
            return 0
        count -= mark.count
        del marks[index:]
        if not count:
            return 0
    return count


def _flanks(char: str, before: str, after: str) -> tuple[bool, bool]:
    """Whether the run can open and can close emphasis (CommonMark 0.31, left- and right-flanking runs)."""
    left = not after.isspace() and (not _is_punctuation(after) or before.isspace() or _is_punctuation(before))
    right = not before.isspace() and (
        not _is_punctuation(before) or after.isspace() or _is_punctuation(after)
    )
    if char == "_":
        return left and (not right or _is_punctuation(before)), right and (not left or _is_punctuation(after))
    return left, right


def _is_punctuation(char: str) -> bool:
    return unicodedata.category(char)[0] in "PS"


def _close_link(text: str, used: int, token: re.Match[str], state: _State) -> tuple[int, int]:
    """Take a "]" into account. Returns where to go on and the new end."""
    position = token.end()
    if not state.links:
        return position, used
    start, marks = state.links.pop()
    if position == used:
        if used - start <= 2 * _LABEL:
            state.marks = marks
            return start, start
        return position, used
    if text[position] != "(":
        return position, used
    target = _TARGET_START.match(text, position, used)
    end = target.end() if target is not None else position
    if end == used and used - start <= _TARGET:
        state.marks = marks
        return start, start
    return end, used


def _copy(mark: _Open) -> _Open:
    return _Open(mark.char, mark.count, mark.start, mark.end)


def _closed(text: str, used: int, marks: list[_Open]) -> tuple[str, int]:
    """`text[:used]` with its open marks closed; a mark with nothing behind it is not shown yet."""
    body = text[:used]
    while marks:
        body = body.rstrip()
        if len(body) > marks[-1].end:
            break
        used = marks.pop().start
        body = text[:used]
    return body + "".join(mark.char * mark.count for mark in reversed(marks)), used
