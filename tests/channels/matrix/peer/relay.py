"""What stands between the bot and the server: passes everything on, keeps a record, and makes trouble on demand.

The bot is given `relay.url` as its home server. The people talk to the server directly, so trouble is the bot's alone.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from tests.channels.matrix.peer.watch import PATIENCE
from tests.channels.matrix.peer.wire import MAX_HEAD, Part, read_part

KEPT = 20_000
_SECRETS = frozenset({"access_token", "password", "token", "refresh_token"})


@dataclass(slots=True)
class Request:
    """One request of the bot. `path` is decoded, `status` None until it was answered, `at` the loop's time.

    `body` is the JSON without secrets; {} where there was none, None where it was no JSON. `reply` is the answer's,
    `done` when it came.
    """

    method: str
    path: str
    query: dict[str, str]
    body: Any
    at: float
    status: int | None = None
    reply: Any = None
    done: float | None = None

    @property
    def is_send(self) -> bool:
        """A message, an edit or a reaction goes out."""
        return self.method == "PUT" and "/send/" in self.path

    @property
    def is_write(self) -> bool:
        """Anything that people would see: events and redactions, not typing or receipts."""
        return self.is_send or (self.method == "PUT" and "/redact/" in self.path)


Match = Callable[[Request], bool]


@dataclass(slots=True)
class _Trouble:
    """What happens to the next request that fits. `answer` None: it is passed on and its answer is lost."""

    fits: Match
    answer: bytes | None
    status: int = 0
    reply: Any = None


def is_send(request: Request) -> bool:
    """The usual match: the next message or edit."""
    return request.is_send


class Relay:
    """See the module. Everything but `start`, `stop`, `refuse` and `until` is done at once."""

    def __init__(self, upstream: str) -> None:
        where = urlsplit(upstream)
        self._host, self._port = str(where.hostname), where.port or 80
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        self._troubles: list[_Trouble] = []
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._changed = asyncio.Event()
        self.port = 0
        self.delay = 0.0
        self.requests: deque[Request] = deque(maxlen=KEPT)
        self.accepted = 0

    @property
    def url(self) -> str:
        """The home server as the bot knows it."""
        return f"http://127.0.0.1:{self.port}"

    # Trouble.

    def drop_all(self) -> int:
        """Reset every connection now; returns how many. What the server had taken, it keeps."""
        connections = list(self._connections.items())
        for writer, task in connections:
            writer.transport.abort()
            task.cancel()
        return len(connections)

    def lose_next(self, fits: Match = is_send) -> None:
        """The next such request reaches the server and takes effect; instead of its answer comes a reset."""
        self._troubles.append(_Trouble(fits, None))

    def answer_next(
        self, status: int, body: dict[str, Any], fits: Match = is_send, headers: dict[str, str] | None = None
    ) -> None:
        """The next such request is answered by the relay; the server does not hear of it."""
        data = orjson.dumps(body)
        lines = {"Content-Type": "application/json", "Content-Length": str(len(data))} | (headers or {})
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        answer = f"HTTP/1.1 {status} From the relay\r\n{head}\r\n".encode() + data
        self._troubles.append(_Trouble(fits, answer, status, body))

    def limit_next(self, seconds: float, fits: Match = is_send) -> None:
        """The next such request is refused as Synapse does it when somebody writes too fast."""
        wait = round(seconds * 1000)
        body = {"errcode": "M_LIMIT_EXCEEDED", "error": "Too Many Requests", "retry_after_ms": wait}
        # Synapse 1.163 rounds the header up to whole seconds (synapse/api/errors.py, LimitExceededError).
        self.answer_next(429, body, fits, {"Retry-After": str(-(-wait // 1000))})

    def silence(self, *, is_on: bool = True) -> None:
        """Nothing comes through any more, in either direction, but connections stay; until it is switched off."""
        if is_on:
            self._flowing.clear()
        else:
            self._flowing.set()

    async def refuse(self, *, is_on: bool = True) -> None:
        """Nobody listens at the port any more: connections are refused, standing ones are reset. Or again as usual."""
        if is_on:
            await self._close()
        elif self._server is None:
            await self._listen()

    # The record.

    def sent(self, kind: str = "m.room.message") -> list[Request]:
        """The events of that type that the bot put, oldest first."""
        return [request for request in self.requests if request.is_send and f"/send/{kind}/" in request.path]

    async def until(self, fits: Match, *, count: int = 1, timeout: float = PATIENCE) -> list[Request]:
        """Wait until so many fitting requests were answered; returns them."""
        found: list[Request] = []
        try:
            async with asyncio.timeout(timeout):
                while True:
                    self._changed.clear()
                    found = [
                        request for request in self.requests if request.status is not None and fits(request)
                    ]
                    if len(found) >= count:
                        return found
                    await self._changed.wait()
        except TimeoutError:
            last = [f"{request.method} {request.path} {request.status}" for request in self.requests][-10:]
            raise TimeoutError(
                f"{len(found)} of {count} requests in {timeout} s; the last were {last}"
            ) from None

    # The wire.

    async def start(self) -> None:
        """Listen on a free port."""
        await self._listen()

    async def stop(self) -> None:
        """Close everything."""
        self._flowing.set()
        await self._close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, limit=MAX_HEAD)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = list(self._connections.values())
        self.drop_all()
        if tasks:
            await asyncio.wait(tasks)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: asyncio of Python 3.11 logs an error when a connection's own task is cancelled.
        task = asyncio.create_task(self._connection(reader, writer))
        self._connections[writer] = task
        task.add_done_callback(lambda _: self._connections.pop(writer, None))
        self.accepted += 1

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up: asyncio.StreamWriter | None = None
        try:
            answers, up = await asyncio.open_connection(self._host, self._port, limit=MAX_HEAD)
            await self._serve(reader, writer, answers, up)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the connection is over, whoever ended it
        finally:
            for end in (writer, up):
                if end is not None:
                    end.transport.abort()

    async def _serve(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answers: asyncio.StreamReader,
        up: asyncio.StreamWriter,
    ) -> None:
        while (part := await read_part(reader)) is not None:
            request = _record(part)
            self.requests.append(request)
            trouble = self._trouble(request)
            await self._flow()
            if trouble is not None and trouble.answer is not None:
                writer.write(trouble.answer)
                self._answered(request, trouble.status, trouble.reply)
                continue
            up.write(part.raw)
            answer = await self._answer(reader, answers, has_body=request.method != "HEAD")
            if answer is None:
                return
            await self._flow()
            self._answered(request, int(answer.first.split(" ")[1]), _json(answer))
            if trouble is not None:
                return
            writer.write(answer.raw)
            await writer.drain()
            if answer.headers.get("connection", "").lower() == "close":
                return

    async def _answer(
        self, reader: asyncio.StreamReader, answers: asyncio.StreamReader, *, has_body: bool
    ) -> Part | None:
        """The server's answer; None when either side has gone, as in a long poll that the bot gave up.

        The bot sends nothing more before it has its answer (aiohttp does not pipeline), so a read that ends is its end.
        """
        coming = asyncio.create_task(read_part(answers, has_body=None if has_body else False))
        gone = asyncio.create_task(reader.read(1))
        try:
            await asyncio.wait({coming, gone}, return_when=asyncio.FIRST_COMPLETED)
            return coming.result() if coming.done() else None
        finally:
            coming.cancel()
            gone.cancel()
            await asyncio.wait({coming, gone})

    async def _flow(self) -> None:
        if self.delay:
            await asyncio.sleep(self.delay)
        await self._flowing.wait()

    def _trouble(self, request: Request) -> _Trouble | None:
        for trouble in self._troubles:
            if trouble.fits(request):
                self._troubles.remove(trouble)
                return trouble
        return None

    def _answered(self, request: Request, status: int, reply: Any) -> None:
        request.status, request.reply, request.done = status, reply, asyncio.get_running_loop().time()
        self._changed.set()


def _record(part: Part) -> Request:
    method, target, _ = part.first.split(" ", 2)
    where = urlsplit(target)
    query = {name: value for name, value in parse_qsl(where.query) if name not in _SECRETS}
    at = asyncio.get_running_loop().time()
    return Request(method, unquote(where.path), query, _json(part), at)


def _json(part: Part) -> Any:
    if not part.body:
        return {}
    with contextlib.suppress(orjson.JSONDecodeError):
        return _without_secrets(orjson.loads(part.body))
    return None


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_secrets(inner) for key, inner in value.items() if key not in _SECRETS}
    return [_without_secrets(inner) for inner in value] if isinstance(value, list) else value


@asynccontextmanager
async def open_relay(upstream: str) -> AsyncIterator[Relay]:
    """A relay in front of a server, closed on the way out."""
    relay = Relay(upstream)
    await relay.start()
    try:
        yield relay
    finally:
        await relay.stop()
