"""Plain HTTP calls and plain sockets of the fake Slack, past every library."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson

from .client import Peer


class Raw:
    """Plain calls of one workspace."""

    def __init__(self, peer: Peer, session: aiohttp.ClientSession) -> None:
        self.peer = peer
        self.session = session

    async def __call__(
        self, method: str, token: str | None = None, **args: Any
    ) -> tuple[int, dict[str, Any]]:
        """POST JSON; returns status and body."""
        headers = {"Authorization": f"Bearer {self.peer.bot_token if token is None else token}"}
        url = f"{self.peer.base_url}{method}"
        async with self.session.post(url, json=args, headers=headers) as response:
            return response.status, orjson.loads(await response.read())

    async def result(self, method: str, **args: Any) -> dict[str, Any]:
        """The body of a call that is granted."""
        status, body = await self(method, **args)
        assert status == 200 and body["ok"], body
        return body

    async def refused(self, method: str, **args: Any) -> str:
        """The error of a call that is refused; 200 unless it is a rate limit."""
        status, body = await self(method, **args)
        assert body["ok"] is False and status == (429 if body["error"] == "ratelimited" else 200)
        return str(body["error"])

    @asynccontextmanager
    async def socket(self, **options: Any) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A connection that has said hello."""
        opened = await self.result("apps.connections.open", token=self.peer.app_token)
        async with self.session.ws_connect(opened["url"], **options) as ws:
            assert (await ws.receive_json())["type"] == "hello"
            yield ws
