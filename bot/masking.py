"""Names taken out of logs in place, so that a daemon may go on writing at their end."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

import orjson

LEAST = 4
"""A shorter id is as likely a count or a status; it is taken out as a part of longer names only."""


def mask_files(paths: Iterable[Path], names: Sequence[str]) -> int:
    """Write x over every place where one of the names stands, in any form in which a log writes it; how many.

    Blocks (disk). The files keep their length. Raises OSError.
    """
    pattern = _pattern(names)
    return 0 if pattern is None else sum(_mask(path, pattern) for path in paths if path.is_file())


def _pattern(names: Sequence[str]) -> re.Pattern[bytes] | None:
    forms = {form for name in names if len(name) >= LEAST for form in _forms(name)}
    if not forms:
        return None
    either = b"|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
    # Not within a longer word, and no bare number of a JSON line, which would be none any more.
    return re.compile(rb'(?<!\w)(?<!":)(?:' + either + rb")(?!\w)")


def _forms(name: str) -> set[bytes]:
    """As it is, percent-encoded as in a conversation's key, and as JSON writes it, once and within a text again."""
    plain = name.encode(errors="replace")
    once = orjson.dumps(plain.decode())[1:-1]
    return {plain, quote(name, safe="", errors="replace").encode(), once, orjson.dumps(once.decode())[1:-1]}


def _mask(path: Path, pattern: re.Pattern[bytes]) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        found = list(pattern.finditer(path.read_bytes()))
        for each in found:
            os.pwrite(descriptor, b"x" * len(each[0]), each.start())
        if found:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return len(found)
