"""Events on their way to the app: over Socket Mode or as signed POSTs, acknowledged in 3 seconds or sent again.

Sources (2026-11): Slack docs, "Using Socket Mode" (hello, envelopes, acknowledgement by envelope_id, disconnect with
warning | refresh_requested | link_disabled, up to 10 connections, an event goes to one of them), "The Events API"
(3 seconds; retries nearly at once, after 1 minute, after 5 minutes; X-Slack-Retry-Num and -Reason;
X-Slack-No-Retry: 1), "Verifying requests from Slack" (v0 HMAC-SHA256 over v0:timestamp:body).
Assumptions: a redelivery over a socket has a new envelope_id and the old event_id, follows the same times, and
happens at once when the socket closed before the acknowledgement; commands and interactions are never repeated.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson
from aiohttp import web

from .state import Workspace

MAX_SOCKETS = 10


@dataclass(slots=True)
class Delivery:
    """One event, command or interaction. `outcome`: waiting | acked | unacked | lost."""

    seq: int
    kind: str
    payload: dict[str, Any]
    event_id: str = ""
    outcome: str = "waiting"
    attempts: list[dict[str, Any]] = field(default_factory=list)
    answer: Any = None
    respond: Callable[[dict[str, Any]], None] | None = None

    def json(self) -> dict[str, Any]:
        names = ("seq", "kind", "payload", "event_id", "outcome", "attempts", "answer")
        return {name: getattr(self, name) for name in names}


@dataclass(slots=True)
class Socket:
    """One connection. `deaf`: no envelope reaches the app; `mute`: not even its pings are answered."""

    number: int
    ws: web.WebSocketResponse
    transport: asyncio.Transport | None
    opened: float
    deaf: bool = False
    mute: bool = False
    is_leaving: bool = False
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    frames: int = 0
    pings: int = 0


class Dispatcher:
    """Hands over what happens to one app."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.sockets: list[Socket] = []
        self.opened = 0
        self.strange: list[str] = []
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._arrived = asyncio.Event()
        self._turn = 0
        self._session: aiohttp.ClientSession | None = None

    def send(self, kind: str, payload: dict[str, Any], event_id: str = "", *, copies: int = 1) -> Delivery:
        """Begin a delivery; `copies` of the same event go out side by side."""
        delivery = Delivery(len(self._workspace.deliveries) + 1, kind, payload, event_id)
        self._workspace.deliveries.append(delivery)
        for _ in range(copies):
            self.run(self._deliver(delivery))
        return delivery

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Let it run beside; it ends with the dispatcher."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End all deliveries and connections."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for socket in list(self.sockets):
            self.cut(socket)
        if self._session is not None:
            await self._session.close()

    async def _deliver(self, delivery: Delivery) -> None:
        settings = self._workspace.settings
        waits = [settings.delay, *settings.retries] if delivery.kind == "events_api" else [0.0]
        reason = ""
        for number, wait in enumerate(waits):
            if wait:
                await asyncio.sleep(wait)
            attempt: dict[str, Any] = {"at": time.monotonic(), "number": number, "reason": reason}
            delivery.attempts.append(attempt)
            if settings.http_url:
                reason, again = await self._post(delivery, attempt)
            else:
                reason, again = await self._over_socket(delivery, attempt)
            self._workspace.changed()
            if not again:
                break
        if delivery.outcome == "waiting":
            delivery.outcome = "unacked"
        if delivery.respond is not None and isinstance(delivery.answer, dict):
            delivery.respond(delivery.answer)
        if self._workspace.lean:
            delivery.payload = {}
        self._workspace.changed()

    # Socket Mode

    def add(self, socket: Socket) -> None:
        """A connection said hello."""
        self.sockets.append(socket)
        self.opened += 1
        self._arrived.set()
        self._workspace.changed()

    def remove(self, socket: Socket) -> None:
        socket.gone.set()
        if socket in self.sockets:
            self.sockets.remove(socket)
        if not self.sockets:
            self._arrived.clear()
        self._workspace.changed()

    def cut(self, socket: Socket) -> None:
        """End a connection without a word."""
        self.remove(socket)
        if socket.transport is not None:
            socket.transport.abort()

    async def dismiss(self, socket: Socket, reason: str, close_after: float | None) -> None:
        """`disconnect` with a reason; the connection is cut after that many seconds (None: the app has to go)."""
        frame = {"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-of-the-fake-slack"}}
        socket.is_leaving = True
        await socket.ws.send_str(orjson.dumps(frame).decode())
        if close_after is not None:
            try:
                await asyncio.wait_for(socket.gone.wait(), close_after)
            except TimeoutError:
                self.cut(socket)

    def acknowledge(self, raw: str) -> None:
        """A text frame of the app."""
        try:
            found = orjson.loads(raw)
            future = self._waiting.get(found["envelope_id"])
        except (ValueError, KeyError, TypeError):
            self.strange.append(raw[:200])
            return
        if future is not None and not future.done():
            future.set_result(found.get("payload"))

    def _pick(self) -> Socket | None:
        """The next connection in turn; one that was asked to leave gets nothing new while there is another."""
        able = [socket for socket in self.sockets if not socket.is_leaving] or self.sockets
        if not able:
            return None
        self._turn += 1
        return able[self._turn % len(able)]

    async def _over_socket(self, delivery: Delivery, attempt: dict[str, Any]) -> tuple[str, bool]:
        socket = self._pick()
        if socket is None:
            try:
                await asyncio.wait_for(self._arrived.wait(), self._workspace.settings.offline)
            except TimeoutError:
                delivery.outcome = "lost"
                return "no_connection", False
            socket = self._pick()
            if socket is None:
                return "no_connection", True
        envelope_id = self._workspace.new_id(f"{self._workspace.identity.team}-envelope-")
        attempt.update(envelope_id=envelope_id, socket=socket.number, at=time.monotonic())
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[envelope_id] = future
        gone = asyncio.ensure_future(socket.gone.wait())
        try:
            await _send(socket, self._envelope(delivery, envelope_id, attempt))
            await asyncio.wait(
                {future, gone}, timeout=self._workspace.settings.ack, return_when=asyncio.FIRST_COMPLETED
            )
            if future.done():
                attempt["acked"] = time.monotonic()
                delivery.outcome, delivery.answer = "acked", future.result()
                return "", False
            return ("socket_closed" if gone.done() else "timeout"), True
        finally:
            del self._waiting[envelope_id]
            gone.cancel()

    def _envelope(self, delivery: Delivery, envelope_id: str, attempt: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {
            "envelope_id": envelope_id,
            "payload": delivery.payload,
            "type": delivery.kind,
            "accepts_response_payload": delivery.kind != "events_api",
        }
        if delivery.kind == "events_api":
            found["retry_attempt"] = attempt["number"]
            found["retry_reason"] = attempt["reason"]
        return found

    # HTTP

    async def _post(self, delivery: Delivery, attempt: dict[str, Any]) -> tuple[str, bool]:
        headers = {"Content-Type": "application/json"}
        if delivery.kind == "events_api":
            body = orjson.dumps(delivery.payload)
        else:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(_form(delivery)).encode()
        if attempt["number"]:
            headers["X-Slack-Retry-Num"] = str(attempt["number"])
            headers["X-Slack-Retry-Reason"] = attempt["reason"]
        try:
            status, told, answered = await self.post(body, headers)
        except TimeoutError:
            return "http_timeout", True
        except aiohttp.ClientError:
            return "connection_failed", True
        attempt["status"] = status
        if 200 <= status < 300:
            attempt["acked"] = time.monotonic()
            delivery.outcome, delivery.answer = "acked", told
            return "", False
        return "http_error", answered.get("X-Slack-No-Retry") != "1"

    async def post(self, body: bytes, headers: dict[str, str]) -> tuple[int, Any, Any]:
        """POST a signed body to the app's request URL; returns status, body and headers of the answer."""
        if self._session is None:
            self._session = aiohttp.ClientSession()
        settings = self._workspace.settings
        signed = sign(self._workspace.identity.signing_secret, int(self._workspace.now()), body)
        async with asyncio.timeout(settings.ack):
            async with self._session.post(
                settings.http_url, data=body, headers={**signed, **headers}, allow_redirects=False
            ) as response:
                raw = await response.read()
                try:
                    told = orjson.loads(raw) if raw else None
                except orjson.JSONDecodeError:
                    told = {"text": raw.decode("utf-8", "replace")}
                return response.status, told, response.headers


def sign(secret: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The two headers by which an app knows that a request is Slack's."""
    digest = hmac.new(secret.encode(), b"v0:%d:%b" % (timestamp, body), hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": str(timestamp), "X-Slack-Signature": f"v0={digest}"}


def _form(delivery: Delivery) -> dict[str, str]:
    """A command is a flat form, an interaction one field of JSON."""
    if delivery.kind == "interactive":
        return {"payload": orjson.dumps(delivery.payload).decode()}
    return {name: str(value) for name, value in delivery.payload.items()}


async def _send(socket: Socket, frame: dict[str, Any]) -> None:
    if socket.deaf:
        return
    socket.frames += 1
    try:
        await socket.ws.send_str(orjson.dumps(frame).decode())
    except (ConnectionError, RuntimeError):
        socket.gone.set()
