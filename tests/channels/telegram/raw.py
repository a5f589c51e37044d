"""Plain HTTP calls of the fake Bot API server, past every library."""

from __future__ import annotations

from typing import Any

import aiohttp
import orjson

from tests.channels.telegram.peer.client import Peer


class Raw:
    """Plain HTTP calls; returns (status, body)."""

    def __init__(self, peer: Peer, session: aiohttp.ClientSession) -> None:
        self._peer = peer
        self._session = session

    async def __call__(self, method: str, token: str = "", **args: Any) -> tuple[int, dict[str, Any]]:
        url = f"{self._peer.base_url}/bot{token or self._peer.token}/{method}"
        async with self._session.post(url, json=args) as response:
            return response.status, orjson.loads(await response.read())

    async def refused(self, method: str, **args: Any) -> str:
        status, body = await self(method, **args)
        assert status == body["error_code"] and body["ok"] is False
        return f"{status} {body['description']}"

    async def result(self, method: str, **args: Any) -> Any:
        status, body = await self(method, **args)
        assert status == 200, body
        return body["result"]
