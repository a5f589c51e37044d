"""HTTP/1.1 as cheaply as a test peer can speak it: one Protocol, no task a request."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from tests.mock_model.multipart import Part, parts

MAX_BODY_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Http:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    raw: bytes

    def json(self) -> Any:
        """The body as JSON, decompressed; a form as its fields, a file in it as its name, type and size.

        The raw text where it is neither.
        """
        raw = self.raw
        kind = self.headers.get("content-type", "")
        if kind.startswith("multipart/"):
            return {name: _shown(part) for name, part in parts(kind, raw).items()}
        try:
            if self.headers.get("content-encoding") == "gzip":
                raw = gzip.decompress(raw)
            return json.loads(raw) if raw else None
        except (ValueError, OSError):
            return raw.decode("utf-8", "replace")


def _shown(part: Part) -> Any:
    if not part.filename:
        return part.data.decode("utf-8", "replace")
    return {"name": part.filename, "mime": part.mime, "bytes": len(part.data)}


class Connection(asyncio.Protocol):
    """One client; requests are answered one after the other."""

    def __init__(self, number: int, handle: Callable[[Connection, Http], None]) -> None:
        self.number = number
        self.http10 = False
        self.on_lost: Callable[[], None] | None = None
        self.on_writable: Callable[[], None] | None = None
        self.paused = False
        self._handle = handle
        self._buffer = bytearray()
        self._busy = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        peer = transport.get_extra_info("socket")
        if peer is not None:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self.on_lost is not None:
            self.on_lost()

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        if self.on_writable is not None:
            self.on_writable()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._next()

    @property
    def is_open(self) -> bool:
        """Whether the client is still there."""
        return self._transport is not None

    def write(self, data: bytes) -> None:
        """Send bytes; nothing happens after the client has gone."""
        if self._transport is not None:
            self._transport.write(data)

    def respond(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """A whole answer; the next request may follow."""
        given = {"Content-Type": "application/json"} | dict(headers or {})
        given["Content-Length"] = str(len(body))
        self.write(self.head(status, given) + body)
        self.done()

    def head(self, status: int, headers: Mapping[str, str]) -> bytes:
        """Status line and headers."""
        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = "Unknown"
        version = "HTTP/1.0" if self.http10 else "HTTP/1.1"
        lines = [f"{version} {status} {phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def done(self) -> None:
        """The answer is complete: serve what has arrived meanwhile, or close under HTTP/1.0."""
        self._busy = False
        self.on_lost = self.on_writable = None
        if self.http10 and self._transport is not None:
            self._transport.close()
        elif self._buffer:
            asyncio.get_running_loop().call_soon(self._next)

    def drop(self, *, reset: bool) -> None:
        """End the connection here; with `reset` the client sees ECONNRESET."""
        if self._transport is None:
            return
        if not reset:
            self._transport.close()
            return
        peer = self._transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _next(self) -> None:
        if self._busy or self._transport is None:
            return
        try:
            request = _take(self._buffer)
        except ValueError as error:
            self.respond(400, json.dumps({"error": {"message": str(error)}}).encode())
            self.drop(reset=False)
            return
        if request is not None:
            self._busy = True
            self._handle(self, request)


def _take(buffer: bytearray) -> Http | None:
    """The first whole request of the buffer, removed from it; None: more bytes are needed."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    lines = buffer[:end].decode("latin-1").split("\r\n")
    try:
        method, target, _ = lines[0].split(" ", 2)
    except ValueError as error:
        raise ValueError("no HTTP request line") from error
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        chunked = _chunked(buffer, end + 4)
        if chunked is None:
            return None
        raw, used = chunked
    else:
        length = int(headers.get("content-length", "0"))
        if length > MAX_BODY_BYTES:
            raise ValueError("the body is too large")
        used = end + 4 + length
        if len(buffer) < used:
            return None
        raw = bytes(buffer[end + 4 : used])
    del buffer[:used]
    url = urlsplit(target)
    return Http(method, url.path, dict(parse_qsl(url.query)), headers, raw)


def _chunked(buffer: bytearray, at: int) -> tuple[bytes, int] | None:
    """A chunked body from `at` and where it ends; None: more bytes are needed."""
    body = b""
    while True:
        line = buffer.find(b"\r\n", at)
        if line < 0:
            return None
        size = int(bytes(buffer[at:line]).split(b";")[0], 16)
        start = line + 2
        if len(buffer) < start + size + 2:
            return None
        body += buffer[start : start + size]
        at = start + size + 2
        if size == 0:
            return body, at
