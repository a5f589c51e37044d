"""How a server's tools are called towards models, and which of them are offered. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

MAX_NAME = 64
"""Letters of a tool's name, of a-z, A-Z, 0-9, _ and -: what OpenAI, Anthropic and Gemini all take (docs 2026-11)."""

_JOIN = "__"
_FOREIGN = re.compile(r"[^a-zA-Z0-9_-]")
_MARK = re.compile(r"_[0-9a-f]{10}$")
_MARK_LENGTH = 11


def offered_name(server: str, tool: str) -> str:
    """`server__tool`, the same for ever, and another one for any other pair.

    A plain name can be taken apart again, as its server's part holds no "__" and does not end in "_". Every other
    one ends in a mark made from both names, and no plain one looks as if it did.
    """
    plain = f"{server}{_JOIN}{tool}"
    is_plain = not _FOREIGN.search(plain) and len(plain) <= MAX_NAME and not _MARK.search(plain)
    if is_plain and server and tool and _JOIN not in server and not server.endswith("_"):
        return plain
    mark = hashlib.sha256(f"{server}\0{tool}".encode("utf-8", "backslashreplace")).hexdigest()
    return f"{_FOREIGN.sub('_', plain)[: MAX_NAME - _MARK_LENGTH]}_{mark[: _MARK_LENGTH - 1]}"


def is_listed(name: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns (`*` for any letters) fits a tool's own name."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)
