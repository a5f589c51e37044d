"""HOME/run/control.sock: how command-line verbs reach the running daemon. One JSON line each way."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from bot.errors import BotError
from bot.home import Home, make_private

MAX_LINE = 1_000_000
DEADLINE = 10.0
LONGEST = 600.0
"""Seconds that the longest method may take; whoever calls it waits as long (`call(deadline=...)`)."""

LOOK_EVERY = 5.0
"""Seconds between two looks whether the socket's file is still there."""

MAX_SOCKET_PATH = 100
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Method = Callable[[Mapping[str, Any]], Awaitable[Any]]


class NoDaemon(BotError):
    """None runs in this home."""


def socket_path(home: Home) -> Path:
    """Where the daemon of this home listens: HOME/run/control.sock.

    A home whose path is too long for a socket's name (about 100 bytes on Linux and macOS) gets a folder of
    its own, named after it, under the system's folder for temporary files.
    """
    path = home.control_socket
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(home.root)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"firstword-{os.getuid()}-{name}" / path.name


@asynccontextmanager
async def open_control(
    home: Home,
    methods: Mapping[str, Method],
    renewed: Callable[[OSError | None], None] = lambda _: None,
) -> AsyncIterator[None]:
    """Answer calls while the context is open. The socket is the owner's alone (mode 0600).

    `renewed` is told when the socket's file was gone and is there again, or why it could not be made.
    """
    path = socket_path(home)
    make_private(path.parent)
    path.unlink(missing_ok=True)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(DEADLINE):
                line = await reader.readline()
            async with asyncio.timeout(LONGEST):
                answer = await _answer(line, methods)
            async with asyncio.timeout(DEADLINE):
                writer.write(orjson.dumps(answer, default=str) + b"\n")
                await writer.drain()
        except (TimeoutError, ConnectionError, ValueError):
            return  # the caller is gone or sent no line; there is nobody to tell
        finally:
            writer.close()

    server = await _listen(path, serve)

    async def keep() -> None:
        """Where the socket's file goes (a sweep of old files in /tmp, say), make another."""
        nonlocal server
        while True:
            await asyncio.sleep(LOOK_EVERY)
            if path.exists():
                continue
            try:
                fresh = await _listen(path, serve)
            except OSError as error:  # a full disk, say; the next look tries again
                renewed(error)
                continue
            server.close()
            server = fresh
            renewed(None)

    keeping = asyncio.create_task(keep(), name="control socket")
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.wait((keeping,))
        server.close()
        path.unlink(missing_ok=True)


async def _listen(path: Path, serve: Serve) -> asyncio.Server:
    make_private(path.parent)
    mask = os.umask(0o177)
    try:
        return await asyncio.start_unix_server(serve, path=str(path), limit=MAX_LINE)
    finally:
        os.umask(mask)


async def _answer(line: bytes, methods: Mapping[str, Method]) -> dict[str, Any]:
    try:
        request = orjson.loads(line)
        method = methods[request["method"]]
        params = request.get("params") or {}
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return {"ok": False, "error": {"type": "usage", "message": f"methods: {', '.join(sorted(methods))}"}}
    try:
        return {"ok": True, "result": await method(params)}
    except BotError as error:
        return {"ok": False, "error": {"type": type(error).__name__, "message": str(error)}}


async def call(
    home: Home, method: str, params: Mapping[str, Any] | None = None, *, deadline: float = DEADLINE
) -> Any:
    """Ask the running daemon. Raises BotError when none runs here or it says no."""
    path = socket_path(home)
    try:
        async with asyncio.timeout(deadline):
            reader, writer = await asyncio.open_unix_connection(str(path), limit=MAX_LINE)
            try:
                writer.write(orjson.dumps({"method": method, "params": dict(params or {})}) + b"\n")
                await writer.drain()
                answer = orjson.loads(await reader.readline())
            finally:
                writer.close()
    except (OSError, TimeoutError, orjson.JSONDecodeError) as error:
        raise NoDaemon(f"no daemon answers in {home.root}; start one with `firstword run`") from error
    if not answer.get("ok"):
        raise BotError(str(answer.get("error", {}).get("message", "the daemon refused")))
    return answer.get("result")
