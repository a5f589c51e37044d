"""Bytes from a pipe into messages, one a line, with a bound on what is ever held. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_MESSAGE = 4 * 1024 * 1024
"""Bytes of one message. A picture of a screen fits; what is longer would hold the loop up while it is parsed."""

_KEPT = 512
_HEAD = re.compile(rb'\s*\{[^{}\[\]]*?"id"\s*:\s*(?:(\d{1,15})|"([^"\\]{1,64})")')
_TAIL = re.compile(rb'"id"\s*:\s*(?:(\d{1,15})|"([^"\\]{1,64})")\s*\}\s*$')


@dataclass(frozen=True, slots=True)
class TooLong:
    """A message that was too long to keep: its first and last bytes."""

    head: bytes
    tail: bytes

    @property
    def answers(self) -> int | str | None:
        """The id of the request that it answers, where one can be seen; ids stand first or last in a message."""
        found = _HEAD.match(self.head) or _TAIL.search(self.tail)
        if found is None or b'"method"' in self.head.partition(b"{")[2].partition(b"{")[0]:
            return None
        return int(found[1]) if found[1] is not None else found[2].decode("utf-8", "replace")


class Lines:
    """Cuts a stream at its line ends. Holds at most `most` bytes of an unfinished line.

    `size`: bytes of the unfinished line that have come.
    """

    def __init__(self, most: int = MAX_MESSAGE) -> None:
        self._most = most
        self._parts: list[bytes] = []
        self.size = 0
        self._head: bytes | None = None
        self._tail = b""

    def feed(self, data: bytes) -> list[bytes | TooLong]:
        """The lines that `data` completes, without their ends; empty ones are left out."""
        *ended, rest = data.split(b"\n")
        found: list[bytes | TooLong] = []
        for part in ended:
            self._add(part)
            line = self._take()
            if isinstance(line, TooLong) or line.strip():
                found.append(line)
        self._add(rest)
        return found

    def _add(self, part: bytes) -> None:
        self.size += len(part)
        if self._head is not None:
            self._tail = (self._tail + part)[-_KEPT:]
            return
        self._parts.append(part)
        if self.size > self._most:
            whole = b"".join(self._parts)
            self._head, self._tail = whole[:_KEPT], whole[-_KEPT:]
            self._parts.clear()

    def _take(self) -> bytes | TooLong:
        line = b"".join(self._parts) if self._head is None else TooLong(self._head, self._tail)
        self._parts.clear()
        self.size, self._head, self._tail = 0, None, b""
        return line
