"""The secrets of the tests' own fixtures are marked, and no test may leave a mark where none belongs.

`canary(name)` is a piece for a token, key or password. After each test its folder (databases, logs, caches, whatever
was kept) and what it printed and logged are searched (tests/canary_watch.py), as are the output and the figures of
daemons. Files in which an owner writes secrets down are left out.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

MARK = "KaNaRi7Q"
"""Letters and digits alone: it stays the same in URLs, JSON and headers."""

_KEPT_THERE = re.compile(r"(config\.json|credentials\.json|\.env)")
"""Where owners keep secrets, and the backups of it."""

_MOST = 64 * 1024 * 1024


def canary(name: str) -> str:
    """A part of a secret that tells, wherever it turns up, whose it is. `name`: letters and digits."""
    assert name.isalnum(), name
    return f"{MARK}{name}Z"


def _forms() -> list[bytes]:
    """The mark as it stands in a text, and in the middle of Base64 (three places in a group)."""
    encoded = []
    for before in range(3):
        text = base64.b64encode(b"\0" * before + MARK.encode()).decode()
        first, last = (8 * before + 5) // 6, (before + len(MARK)) * 8 // 6
        encoded.append(text[first:last].encode())
    return [MARK.encode(), *encoded]


_FORMS = _forms()
_NAME = re.compile(re.escape(MARK) + r"([A-Za-z0-9]{1,20}?)Z")


def marks(data: bytes) -> list[str]:
    """Whose secrets stand in it."""
    if not any(form in data for form in _FORMS):
        return []
    names = _NAME.findall(data.decode("latin-1"))
    return sorted(set(names)) or ["one in Base64"]


def found_in(folder: Path) -> Iterator[str]:
    """Each file below that holds a secret, and whose."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file() or _KEPT_THERE.match(path.name):
            continue
        if path.stat().st_size <= _MOST and (names := marks(path.read_bytes())):
            yield f"{path}: {', '.join(names)}"


def check(text: str, where: str) -> None:
    """Raise AssertionError when a secret stands in a text, with whose it is and where."""
    names = marks(text.encode(errors="replace"))
    if names:
        line = next(each for each in text.splitlines() if marks(each.encode(errors="replace")))
        raise AssertionError(f"secrets of {', '.join(names)} stand in {where}: {line[:500]}")
