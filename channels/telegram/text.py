"""Text in Telegram's own measure: UTF-16 units, and what the server does to odd characters. Pure."""

from __future__ import annotations

import re
import unicodedata

# Bot API docs, sendMessage (2026-11): 4096 characters after entities parsing, counted in UTF-16 units.
MAX_TEXT = 4096

_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_ODD = re.compile("[\x00-\x08\x0b-\x1f\x7f\u2028-\u202e\u2066-\u2069\u030a\u0333\u033f\ud800-\udfff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_LINE_ENDS = re.compile("\r\n?|[\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
# TDLib takes \u202a-\u202e out itself; isolates turn around what follows just as well.
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
# Combining marks that TDLib takes out; a letter that has a form of its own is put into it first.
_MARKS = re.compile("[\u030a\u0333\u033f]")
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad\u180e]")
# Bot API docs, MessageEntity: the server makes a mention of every "@username" outside code, and notifies who that is.
_CALL = re.compile(r"(?<![\w@/.])@(?=[A-Za-z])")
JOINER = "\u2060"


def uncalled(text: str) -> str:
    """`text` with an invisible joiner in each "@username", which then notifies nobody; addresses of mail stay."""
    return _CALL.sub(f"@{JOINER}", text) if "@" in text else text


def utf16(text: str) -> int:
    """The length of `text` in UTF-16 units."""
    return len(text) if text.isascii() else len(text) + len(_ASTRAL.findall(text))


def wash(text: str) -> str:
    """`text` as the server can keep it: no control characters, lone surrogates or direction overrides.

    What the server would take out without a trace is put into a form that it keeps, where there is one.
    """
    if not _ODD.search(text):
        return text
    text = _SURROGATES.sub("\ufffd", _LINE_ENDS.sub("\n", text))
    if _MARKS.search(text):
        text = _MARKS.sub("", unicodedata.normalize("NFC", text))
    return _BIDI.sub("", _CONTROLS.sub(" ", text))


def clean_name(name: str, limit: int = 64) -> str:
    """A person's display name on one line, without invisible and direction characters."""
    plain = _INVISIBLE.sub("", " ".join(wash(name).split()))
    return plain[:limit].strip()


def is_visible(text: str) -> bool:
    """Whether a person would see anything of `text`; the server refuses a message that shows nothing."""
    return bool(_INVISIBLE.sub("", text).strip(" \n\t\u00a0\u2800\u3000\ufffc"))


def width(text: str) -> int:
    """Columns that `text` takes in a fixed-width font."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )
