"""Server-sent events out of a body's bytes, however they were cut. Pure.

The grammar is the WHATWG's (HTML standard, section 9.2): lines end with LF, CR LF or CR, an empty line ends an
event, a line that begins with a colon is a comment, several `data` lines are joined with LF. A stream has no
end mark of its own: what the model's dialect sends ("[DONE]") is data like any other.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from providers.errors import ErrorKind, ProviderError

MAX_LINE_BYTES = 1024 * 1024
"""No line, and no event's data, may be longer: a whole answer as one event stays far below."""

_FIELD = re.compile(rb"[A-Za-z][A-Za-z0-9_-]{0,31}(?::|$)")
_BOM = b"\xef\xbb\xbf"


class ServerEvent(NamedTuple):
    """One event. `name` is "message" unless the stream says otherwise.

    It is "" for a line that is no field at all: the grammar skips those, but some servers write their errors so.
    """

    data: bytes
    name: str = "message"


class Parser:
    """Feed it chunks, it gives the events that are complete. Raises ProviderError(MALFORMED) for endless lines."""

    __slots__ = ("_after_cr", "_data", "_name", "_rest", "_size", "_started")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._size = 0
        self._name = ""
        self._after_cr = False
        self._started = False

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """The events that end in this chunk."""
        if self._after_cr or b"\r" in chunk:
            chunk = self._with_lf(chunk)
        end = chunk.rfind(b"\n")
        if end < 0:
            self._keep(chunk)
            return []
        lines = chunk[:end]
        if self._rest:
            lines = bytes(self._rest) + lines
            self._rest.clear()
        events = self._read(lines)
        if end + 1 < len(chunk):
            self._keep(chunk[end + 1 :])
        return events

    def close(self) -> list[ServerEvent]:
        """The body is over: the event that its last lines make, although no empty line follows."""
        last = bytes(self._rest)
        self._rest.clear()
        return self._read(last + b"\n") if last or self._data else []

    def _keep(self, part: bytes) -> None:
        self._rest += part
        if len(self._rest) > MAX_LINE_BYTES:
            raise _too_long()

    def _with_lf(self, chunk: bytes) -> bytes:
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]  # the other half of a CR LF; the CR has ended the line already
            self._after_cr = False
        if chunk:
            self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _read(self, text: bytes) -> list[ServerEvent]:
        if not self._started:
            self._started = True
            text = text.removeprefix(_BOM)
        events: list[ServerEvent] = []
        for line in text.split(b"\n"):
            if line.startswith(b"data: "):
                self._add(line[6:])
            elif not line:
                if self._data:
                    events.append(self._event())
                self._name = ""
            elif line.startswith(b"event: "):
                self._name = line[7:].decode("utf-8", "replace")
            elif not line.startswith(b":"):
                self._field(line, events)
        return events

    def _event(self) -> ServerEvent:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        self._data.clear()
        self._size = 0
        return ServerEvent(data, self._name or "message")

    def _field(self, line: bytes, events: list[ServerEvent]) -> None:
        if not _FIELD.match(line):
            events.append(ServerEvent(line[:MAX_LINE_BYTES], ""))
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._add(value)
        elif name == b"event":
            self._name = value.decode("utf-8", "replace")

    def _add(self, value: bytes) -> None:
        self._size += len(value)
        if self._size > MAX_LINE_BYTES:
            raise _too_long()
        self._data.append(value)


def _too_long() -> ProviderError:
    return ProviderError(ErrorKind.MALFORMED, f"an event of the answer is longer than {MAX_LINE_BYTES} bytes")
