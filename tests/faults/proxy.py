"""A line that misbehaves: a TCP proxy between the daemon and a peer, its faults switched while it runs.

What it does to a line is a `Trouble`, looked at with every piece of bytes, so that a new one counts for lines that are
open, too. Counts of bytes begin anew with each `Trouble`. A line that fell silent stays so, as a half-open one does.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

PIECE = 65_536
END = b"\n\n\r\n"
"""Of a server-sent event that is an HTTP chunk of its own."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happens to answers on their way to the daemon. Seconds; bytes; None: it does not happen.

    `latency`, `jitter`: each piece comes so much later, and up to so much more. `rate`: bytes a second. `piece`: cut
    into pieces of so many bytes, one each `gap`. `reset_after`, `end_after`, `silent_after`: after so many bytes the
    line is reset, ends with a proper FIN, or swallows everything. `is_mute`: who connects is never answered at all.
    `twice`: the first event of a chunked stream that holds these bytes comes twice; `late`: after the one behind it.
    """

    latency: float = 0.0
    jitter: float = 0.0
    rate: float | None = None
    piece: int = 0
    gap: float = 0.0
    reset_after: int | None = None
    end_after: int | None = None
    silent_after: int | None = None
    is_mute: bool = False
    twice: bytes = b""
    late: bytes = b""


HEALTHY = Trouble()


class Line:
    """One connection through the proxy."""

    def __init__(self, proxy: Proxy, client: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._client = client
        self._trouble = HEALTHY
        self._passed = 0
        self.is_silent = False
        self._is_done = False  # with `twice` or `late`, which happen once
        self._kept = b""

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Until either side ends."""
        if self._proxy.trouble.is_mute:
            await _swallow(reader)
            return
        there, server = await asyncio.open_connection(self._proxy.host, self._proxy.target)
        ways = [asyncio.create_task(self._up(reader, server)), asyncio.create_task(self._down(there))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            server.close()
            for each in ways:
                each.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _up(self, reader: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        while data := await _read(reader):
            if not self.is_silent:
                server.write(data)
                with contextlib.suppress(ConnectionError):
                    await server.drain()

    async def _down(self, there: asyncio.StreamReader) -> None:
        while data := await _read(there):
            if not await self._pass(data):
                return
        if self.is_silent:
            await asyncio.Event().wait()  # the FIN is swallowed too

    async def _pass(self, data: bytes) -> bool:
        """Hand a piece on as the trouble wants it; False: the line is over."""
        trouble = self._proxy.trouble
        if trouble is not self._trouble:
            self._trouble, self._passed, self._is_done = trouble, 0, False
        if self.is_silent:
            return True
        if trouble.latency or trouble.jitter:
            await asyncio.sleep(trouble.latency + trouble.jitter * self._proxy.chance.random())
        data = self._shuffled(data, trouble)
        ends = {trouble.reset_after: "reset", trouble.end_after: "end", trouble.silent_after: "silent"}
        ends.pop(None, None)
        limit = min(cast("dict[int, str]", ends), default=None)
        room = len(data) if limit is None else max(0, limit - self._passed)
        await self._write(data[:room], trouble)
        self._passed += len(data)
        if limit is None or self._passed < limit:
            return True
        if ends[limit] == "reset":
            self.reset()
        self.is_silent = ends[limit] == "silent"
        return self.is_silent

    def _shuffled(self, data: bytes, trouble: Trouble) -> bytes:
        if self._kept:
            end = data.find(END) + len(END)
            data, self._kept = data[:end] + self._kept + data[end:], b""
        mark = trouble.twice or trouble.late
        if not mark or self._is_done or mark not in data:
            return data
        self._is_done = True
        before, event, after = _cut(data, mark)
        if trouble.twice:
            return before + event + event + after
        end = after.find(END) + len(END)
        if end < len(END):
            self._kept = event
            return before + after
        return before + after[:end] + event + after[end:]

    async def _write(self, data: bytes, trouble: Trouble) -> None:
        step = trouble.piece or PIECE
        for at in range(0, len(data), step):
            some = data[at : at + step]
            self._client.write(some)
            self._proxy.passed += len(some)
            await self._client.drain()
            pause = trouble.gap + (len(some) / trouble.rate if trouble.rate else 0.0)
            if pause:
                await asyncio.sleep(pause)
            if self._proxy.trouble is not trouble and self._proxy.trouble == HEALTHY:
                trouble, step = replace(HEALTHY), PIECE  # what is left comes at once
                self._client.write(data[at + len(some) :])
                await self._client.drain()
                return

    def reset(self) -> None:
        """End it with a TCP reset."""
        peer = self._client.get_extra_info("socket")
        if peer is not None and peer.fileno() >= 0:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._client.transport.abort()


class Proxy:
    """A listener in front of `target`. `trouble` may be set at any time; `passed`: bytes handed to the daemon."""

    def __init__(self, target: int, secrecy: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.host, self.target, self.port = host, target, 0
        self.trouble = HEALTHY
        self.secrecy = secrecy
        self.passed = 0
        self.opened = 0
        self.chance = random.Random(20_261_121)
        self._server: asyncio.Server | None = None
        self._lines: dict[asyncio.Task[Any], Line] = {}

    @property
    def url(self) -> str:
        """Where the peer seems to be."""
        return f"{'http' if self.secrecy is None else 'https'}://{self.host}:{self.port}"

    @property
    def silent(self) -> int:
        """How many of the lines that stand have fallen silent."""
        return sum(line.is_silent for line in self._lines.values())

    async def up(self) -> None:
        """Listen, at the same port as before."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, self.host, self.port, ssl=self.secrecy)
            self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Refuse who connects from now on, and reset all lines."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()

    def cut(self) -> int:
        """Reset all lines now; how many there were."""
        for line in self._lines.values():
            line.reset()
        return len(self._lines)

    async def heal(self) -> None:
        """No trouble from now on. Lines that fell silent stay so."""
        self.trouble = HEALTHY
        await self.up()

    async def close(self) -> None:
        """End everything."""
        await self.down()
        await asyncio.sleep(0)  # who was just accepted is in the list by then
        tasks = list(self._lines)
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        line = self._lines[task] = Line(self, writer)
        self.opened += 1
        try:
            await line.run(reader)
        except OSError:
            line.reset()  # the peer is not there
        except asyncio.CancelledError:
            pass  # the proxy ends; asyncio's own callback would log it as an error
        finally:
            del self._lines[task]
            await _close(writer)


@asynccontextmanager
async def open_proxy(target: int, secrecy: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
    """A healthy proxy in front of the port `target` of this machine."""
    proxy = Proxy(target, secrecy)
    await proxy.up()
    try:
        yield proxy
    finally:
        await proxy.close()


def _cut(data: bytes, mark: bytes) -> tuple[bytes, bytes, bytes]:
    """What comes before the chunk that holds the mark, the chunk with the line of its size, and what comes after."""
    at = data.index(mark)
    body = data.rfind(b"data:", 0, at + len(mark))
    start = data.rfind(b"\n", 0, max(0, body - 2)) + 1
    end = data.find(END, at) + len(END)
    return data[:start], data[start:end], data[end:]


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(PIECE)
    except (ConnectionError, ssl.SSLError):
        return b""


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):  # ssl.SSLError is one
        await writer.wait_closed()


async def _swallow(reader: asyncio.StreamReader) -> None:
    while await _read(reader):
        pass
