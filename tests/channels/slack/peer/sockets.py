"""Socket Mode connections: the address, hello, pings, frames, goodbye.

Sources (2026-11): Slack docs, "Using Socket Mode"; slack_sdk 3.47, socket_mode/aiohttp (which pings by itself and
reconnects when no pong came for four intervals).
"""

from __future__ import annotations

import asyncio
import secrets
import time

import orjson
from aiohttp import WSMsgType, web

from .deliveries import MAX_SOCKETS, Dispatcher, Socket
from .state import Workspace
from .wire import ApiError


class Line:
    """The socket side of one app."""

    def __init__(self, workspace: Workspace, dispatcher: Dispatcher) -> None:
        self._workspace = workspace
        self._dispatcher = dispatcher
        self._tickets: dict[str, float] = {}
        self._numbers = 0

    def address(self, base_url: str) -> str:
        """What apps.connections.open answers: good once, for a short time."""
        ticket = secrets.token_urlsafe(12)
        self._tickets[ticket] = time.monotonic() + self._workspace.settings.ticket
        base = base_url.replace("http", "ws", 1)
        return f"{base}/link/?ticket={ticket}&app_id={self._workspace.identity.app}"

    def knows(self, ticket: str) -> bool:
        return ticket in self._tickets

    async def serve(self, request: web.BaseRequest, ticket: str) -> web.StreamResponse:
        """One connection from its opening to its end."""
        if time.monotonic() > self._tickets.pop(ticket, 0.0):
            raise ApiError("expired_ticket", status=403)
        ws = web.WebSocketResponse(autoping=False, autoclose=True, compress=False)
        await ws.prepare(request)
        if len(self._dispatcher.sockets) >= MAX_SOCKETS:
            await ws.send_str(orjson.dumps({"type": "disconnect", "reason": "too_many_websockets"}).decode())
            await ws.close()
            return ws
        self._numbers += 1
        socket = Socket(self._numbers, ws, request.transport, time.monotonic())
        await ws.send_str(orjson.dumps(self._hello()).decode())
        self._dispatcher.add(socket)
        pinging = asyncio.ensure_future(self._ping(socket))
        try:
            await self._read(socket)
        finally:
            pinging.cancel()
            self._dispatcher.remove(socket)
        return ws

    def _hello(self) -> dict[str, object]:
        return {
            "type": "hello",
            "num_connections": len(self._dispatcher.sockets) + 1,
            "debug_info": {
                "host": "applink-of-the-fake-slack",
                "build_number": 1,
                "approximate_connection_time": self._workspace.settings.approximate,
            },
            "connection_info": {"app_id": self._workspace.identity.app},
        }

    async def _read(self, socket: Socket) -> None:
        async for message in socket.ws:
            if message.type is WSMsgType.TEXT:
                self._dispatcher.acknowledge(message.data)
            elif message.type is WSMsgType.PING:
                socket.pings += 1
                if not socket.mute:
                    await socket.ws.pong(message.data)
            elif message.type is WSMsgType.ERROR:
                return

    async def _ping(self, socket: Socket) -> None:
        while not socket.ws.closed:
            await asyncio.sleep(self._workspace.settings.ping)
            if socket.mute:
                continue
            try:
                await socket.ws.ping(b"Ping from applink-of-the-fake-slack")
            except (ConnectionError, RuntimeError):
                return
