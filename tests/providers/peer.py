"""A TCP server that plays exact bytes: what no well-behaved server would ever send."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Self


class Do(Enum):
    """What the peer does between bytes."""

    CLOSE = "close"  # end the connection properly
    RESET = "reset"  # break it with a TCP reset
    HANG = "hang"  # say nothing more until the client goes
    NEXT = "next"  # wait for the next request on this connection


Step = bytes | float | asyncio.Event | Do
"""Bytes are written, a float waits so many seconds, an event until it is set."""


def head(*, status: str = "200 OK", kind: str = "text/event-stream", length: int | None = None) -> bytes:
    """The head of an answer; chunked unless a length is given."""
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{size}\r\n\r\n".encode()


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


END = b"0\r\n\r\n"
"""The end of a chunked body."""


def whole(body: bytes, *, status: str = "200 OK", kind: str = "application/json", more: str = "") -> bytes:
    """A complete answer; `more` holds further header lines, each ended."""
    top = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return top.encode() + body


def streamed(*events: bytes) -> bytes:
    """A complete event stream: each event's data line, chunk by chunk."""
    return head() + b"".join(chunk(b"data: %b\n\n" % event) for event in events) + END


@dataclass(slots=True)
class Connection:
    """One connection that the peer has had."""

    requests: list[bytes] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """The client has closed it."""


class Peer:
    """Plays one script a connection; the last script goes on for all that follow."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.connections: list[Connection] = []
        self.port = 0
        self.read_bodies = True
        """False: answer when the head of a request is there."""
        self._scripts: list[Sequence[Step]] = [()]
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._arrival = asyncio.Condition()

    @property
    def origin(self) -> str:
        """Where it listens."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """What a provider is configured with."""
        return f"{self.origin}/v1"

    @property
    def requests(self) -> list[bytes]:
        """Every request so far: head and body as they came."""
        return [request for connection in self.connections for request in connection.requests]

    def play(self, *scripts: Sequence[Step]) -> None:
        """From now on play these, one a connection."""
        self._scripts = list(scripts)

    async def until_asked(self, count: int = 1) -> None:
        """Wait until so many requests have arrived."""
        async with self._arrival:
            await asyncio.wait_for(self._arrival.wait_for(lambda: len(self.requests) >= count), 30)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection()
        self.connections.append(connection)
        self._writers.add(writer)
        script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        try:
            await self._take(connection, reader)
            for step in script:
                await self._do(step, connection, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            connection.gone.set()
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _take(self, connection: Connection, reader: asyncio.StreamReader) -> None:
        top = await reader.readuntil(b"\r\n\r\n")
        lengths = [line for line in top.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        length = int(lengths[0].split(b":")[1]) if lengths and self.read_bodies else 0
        body = await reader.readexactly(length)
        async with self._arrival:
            connection.requests.append(top + body)
            self._arrival.notify_all()

    async def _do(
        self, step: Step, connection: Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        match step:
            case bytes():
                writer.write(step)
                await writer.drain()
            case float() | int():
                await asyncio.sleep(step)
            case asyncio.Event():
                await step.wait()
            case Do.NEXT:
                await self._take(connection, reader)
            case Do.HANG:
                await reader.read()
                connection.gone.set()
            case Do.RESET:
                raw: socket.socket = writer.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            case Do.CLOSE:
                writer.close()
