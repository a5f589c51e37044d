"""Text in Discord's measure and words: lengths, widths, names, and what the client reads as more than words. Pure."""

from __future__ import annotations

import re
import unicodedata

from channels.markup import clean

# Discord docs, Message resource, Create Message (2026-11): content up to 2000 characters. What a character is stands
# nowhere; UTF-16 units, as the clients count, are never fewer than code points.
MAX_TEXT = 2000

_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad\u180e\u3164\u2800]")

# Discord docs, Reference, Message Formatting (2026-11): users, channels, roles, commands, custom and animated emoji,
# timestamps, guild navigation. Written by a model they would show names, times and pictures nobody wrote.
_SPECIAL = re.compile(r"<(?=@[!&]?\d|#\d|a?:\w+:\d|t:-?\d|id:\w|/[^\n>]{1,120}:\d|sound:\d)")
_EVERYBODY = re.compile(r"@(?=everyone|here)")


def utf16(text: str) -> int:
    """The length of `text` in UTF-16 units."""
    return len(text) if text.isascii() else len(text) + len(_ASTRAL.findall(text))


def defused(text: str) -> str:
    """`text` without anything that a client would turn into a mention, an emoji or a time; the words stay."""
    if "<" in text:
        text = _SPECIAL.sub(r"\\<", text)
    return _EVERYBODY.sub("@\u200b", text) if "@" in text else text


def clean_name(name: str, limit: int = 64) -> str:
    """A person's display name on one line, without invisible and direction characters."""
    return _INVISIBLE.sub("", " ".join(clean(name).split()))[:limit].strip()


def is_visible(text: str) -> bool:
    """Whether a person would see anything; Discord refuses a message that is empty (error 50006)."""
    return bool(_INVISIBLE.sub("", text).strip())


def width(text: str) -> int:
    """Columns that `text` takes in a fixed-width font."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )
