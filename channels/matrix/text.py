"""Characters: what must not go onto the wire, and what a name may hold. Pure."""

from __future__ import annotations

import re

# JSON on the wire is UTF-8: half a surrogate pair cannot be sent. NUL and the other controls show as nothing.
_UNSENDABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\ud800-\udfff\ufffe\uffff]")
# Marks that turn the direction of what follows, or show as nothing: a name may not hold them.
_TRICKS = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]|[\x00-\x1f\x7f-\x9f]|[\ud800-\udfff]")
_MAX_NAME = 128
# What shows as nothing at all.
_BLANK = re.compile(
    "[\\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0]+"
)


def wash(text: str) -> str:
    """Text without characters that cannot be sent, and with one kind of line end."""
    return _UNSENDABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def clean_name(name: str) -> str:
    """A display name on one line, without marks that could make it read as another."""
    return " ".join(_TRICKS.sub(" ", name[: 4 * _MAX_NAME]).split())[:_MAX_NAME]


def is_visible(text: str) -> bool:
    """Whether a person sees anything of it."""
    return bool(_BLANK.sub("", text))


def cut(text: str, max_bytes: int) -> str:
    """The beginning of it, in at most so many bytes of UTF-8."""
    data = text.encode()
    return text if len(data) <= max_bytes else data[:max_bytes].decode(errors="ignore")
