"""One connection of Socket Mode: its own session, its frames, its acknowledgements, its watch.

slack_sdk's client confirms events around its listeners, keeps a session that broke, and was seen to reconnect without
delivering anything (slackapi/bolt-python#1529, slackapi/python-slack-sdk#1110); so the frames are read here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import orjson
import structlog

from channels.errors import Unavailable
from channels.slack.intake import Intake
from channels.slack.payload import Parsed
from channels.slack.timing import Timing

log = structlog.get_logger()

MAX_FRAME = 4 * 1024 * 1024
MAX_IN_FLIGHT = 200
SILENT = "silent"
"""The reason of a connection that looked open and on which nothing came, no ping either."""

_CLOSE_SECONDS = 0.5  # for the other side to say goodbye
_KINDS = frozenset({"events_api", "slash_commands", "interactive"})
_CLOSED = frozenset(
    {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
)


class Link:
    """Open it with `connect`, run it with `run`. `ending` is set with a reason as soon as another one is needed."""

    def __init__(
        self,
        number: int,
        intake: Intake,
        timing: Timing,
        clock: Callable[[], float],
        account: str,
        on_frame: Callable[[], None],
    ) -> None:
        self.number = number
        self.reason = ""
        self.app_id = ""
        self.is_alive = False
        self.ending = asyncio.Event()
        self._intake = intake
        self._timing = timing
        self._clock = clock
        self._account = account
        self._on_frame = on_frame
        self._session: aiohttp.ClientSession | None = None
        self._ws: aiohttp.ClientWebSocketResponse | None = None
        self._frame_at = self._event_at = 0.0
        self._in_flight = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._retired: asyncio.Event = asyncio.Event()

    async def connect(self, url: str, proxy: str | None) -> None:
        """Until the greeting has come. Raises Unavailable; the address holds a ticket and is in no error."""
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        try:
            async with asyncio.timeout(self._timing.hello):
                self._ws = await self._session.ws_connect(
                    url,
                    autoping=False,
                    proxy=proxy,
                    max_msg_size=MAX_FRAME,
                    timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_SECONDS),
                )
                hello = await self._next(self._ws)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"no socket: {type(error).__name__}") from None
        if hello is None or hello.get("type") != "hello":
            why = hello.get("reason") if hello is not None else "closed"
            raise Unavailable(f"no greeting on the socket ({str(why)[:40]})")
        info = hello.get("connection_info")
        self.app_id = str(info.get("app_id") or "") if isinstance(info, dict) else ""
        self._frame_at = self._event_at = self._clock()
        self.is_alive = True

    def retire(self) -> None:
        """Another one has taken over: hear what is still on its way, then close."""
        self._retired.set()

    async def close(self) -> None:
        """Close it, whatever it does."""
        self.is_alive = False
        ws, self._ws = self._ws, None
        session, self._session = self._session, None
        try:
            if ws is not None:
                await ws.close()
        finally:
            if session is not None:
                await session.close()

    async def run(self) -> None:
        """Until the connection has ended; all that was begun is finished then."""
        try:
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(self._read(group))
                watching = group.create_task(self._watch(reading))
                leaving = group.create_task(self._leave(reading))
                await asyncio.wait({reading})
                watching.cancel()
                leaving.cancel()
        finally:
            self._end("closed", is_dead=True)
            await self.close()

    def _end(self, reason: str, *, is_dead: bool) -> None:
        if is_dead:
            self.is_alive = False
        if not self.ending.is_set():
            self.reason = reason
            self.ending.set()

    # -- frames

    async def _read(self, group: asyncio.TaskGroup) -> None:
        ws = self._ws
        assert ws is not None  # noqa: S101  (connect came first)
        while True:
            frame = await self._next(ws)
            if frame is None:
                return
            kind = frame.get("type")
            if kind == "disconnect":
                reason = str(frame.get("reason") or "")[:40]
                log.debug("socket is to be replaced", channel="slack", account=self._account, reason=reason)
                self._end(reason or "disconnect", is_dead=reason in ("link_disabled", "too_many_websockets"))
                if not self.is_alive:
                    return
            elif isinstance(kind, str) and isinstance(frame.get("envelope_id"), str):
                self._event_at = self._clock()
                # Asked for in the order of arrival: what waits here keeps what comes behind it waiting too.
                await self._in_flight.acquire()
                parsed = await self._intake.read(kind, frame.get("payload"))
                group.create_task(self._settle(ws, frame, kind, parsed))

    async def _settle(self, ws: Any, frame: dict[str, Any], kind: str, parsed: Parsed) -> None:
        try:
            outcome = await self._intake.settle(parsed)
            if not outcome.is_taken:
                return  # no acknowledgement: Slack offers it again
            told: dict[str, Any] = {"envelope_id": frame["envelope_id"]}
            if outcome.line and kind == "slash_commands":
                told["payload"] = {"response_type": "ephemeral", "text": outcome.line}
            await self._write(lambda: ws.send_str(orjson.dumps(told).decode()))
        finally:
            self._in_flight.release()

    async def _next(self, ws: aiohttp.ClientWebSocketResponse) -> dict[str, Any] | None:
        """The next frame with JSON; None at the end. Pings are answered."""
        while True:
            try:
                message = await ws.receive()
            except (aiohttp.ClientError, OSError, RuntimeError):
                return None
            self._frame_at = self._clock()
            if message.type in _CLOSED:
                return None
            self._on_frame()
            if message.type is aiohttp.WSMsgType.PING:
                data = message.data
                await self._write(lambda: ws.pong(data))  # noqa: B023 - called at once
            elif message.type is aiohttp.WSMsgType.TEXT:
                try:
                    found = orjson.loads(message.data)
                except orjson.JSONDecodeError:
                    continue
                if isinstance(found, dict):
                    return found

    async def _write(self, write: Callable[[], Awaitable[None]]) -> None:
        """A connection that breaks meanwhile is no error: what was not confirmed comes again."""
        try:
            async with asyncio.timeout(self._timing.ping):
                await write()
        except (aiohttp.ClientError, OSError, RuntimeError, TimeoutError):
            self._end("broken", is_dead=False)

    # -- its watch

    async def _watch(self, reading: asyncio.Task[None]) -> None:
        """Ping; end it when it is dead, and ask for a fresh one when it has been without events for long."""
        ws = self._ws
        assert ws is not None  # noqa: S101  (connect came first)
        while True:
            await asyncio.sleep(min(self._timing.ping, self._timing.deaf / 2))
            now = self._clock()
            if now - self._frame_at >= self._timing.silence:
                self._end(SILENT, is_dead=True)
                reading.cancel()
                return
            if now - self._event_at >= self._timing.deaf:
                self._end("deaf", is_dead=False)
            await self._write(lambda: ws.ping(b"firstword"))

    async def _leave(self, reading: asyncio.Task[None]) -> None:
        await self._retired.wait()
        await asyncio.sleep(self._timing.overlap)
        reading.cancel()
