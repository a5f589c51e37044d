"""As much of HTTP/1.1 as a relay needs: one message at a time, passed on byte for byte."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

MAX_HEAD = 64 * 1024


@dataclass(frozen=True, slots=True)
class Part:
    """A request or an answer: its first line, its headers in small letters, and all of its bytes."""

    first: str
    headers: dict[str, str]
    body: bytes
    raw: bytes


async def read_part(reader: asyncio.StreamReader, *, has_body: bool | None = None) -> Part | None:
    """The next message on a connection, or None at its end.

    `has_body` False for answers that have none whatever they say (to HEAD). Raises IncompleteReadError when it breaks
    off in the middle.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {
        name.strip().lower(): value.strip()
        for name, found, value in (line.partition(":") for line in lines)
        if found
    }
    if has_body is False or first.split(" ")[1:2] in (["204"], ["304"]):
        return Part(first, headers, b"", head)
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body, raw = await _chunks(reader)
        return Part(first, headers, body, head + raw)
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Part(first, headers, body, head + body)


async def _chunks(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The joined chunks, and what was on the wire."""
    body, raw = bytearray(), bytearray()
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        chunk = await reader.readexactly(size + 2)
        body += chunk[:-2]
        raw += line + chunk
        if size == 0:
            return bytes(body), bytes(raw)
