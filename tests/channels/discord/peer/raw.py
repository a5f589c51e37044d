"""Plain REST calls and a plain gateway socket, past every library: for testing the server itself."""

from __future__ import annotations

from typing import Any

import aiohttp
import orjson

from .client import Bot, Peer


class Raw:
    """REST calls as the first bot (or `bot`); returns status, headers and body."""

    def __init__(self, peer: Peer, session: aiohttp.ClientSession) -> None:
        self.peer = peer
        self.session = session

    async def __call__(
        self, method: str, path: str, body: Any = None, *, bot: Bot | None = None, **more: Any
    ) -> tuple[int, Any, dict[str, str]]:
        headers = {"Authorization": f"Bot {(bot or self.peer.bot).token}", **more.pop("headers", {})}
        data = more.pop("data", None)
        if body is not None:
            data, headers["Content-Type"] = orjson.dumps(body), "application/json"
        url = self.peer.api_url + path
        async with self.session.request(method, url, data=data, headers=headers, **more) as response:
            found = await response.read()
            is_json = response.headers.get("Content-Type") == "application/json"
            return response.status, orjson.loads(found) if is_json else found, dict(response.headers)

    async def result(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """The body of a success."""
        status, found, _ = await self(method, path, body, **more)
        assert 200 <= status < 300, found
        return found

    async def refused(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, int, Any]:
        """Status, JSON error code and body of a refusal."""
        status, found, _ = await self(method, path, body, **more)
        assert status >= 400, found
        return status, found["code"], found

    async def send(self, content: str, channel: str | None = None, **more: Any) -> Any:
        """A bot's message."""
        return await self.result(
            "POST", f"/channels/{channel or self.peer.channel}/messages", {"content": content, **more}
        )

    async def socket(self, path: str = "/gateway", **query: str) -> Socket:
        """A gateway socket that was greeted."""
        asked = {"v": "10", "encoding": "json", **query}
        url = f"{self.peer.base_url}{path}"
        ws = await self.session.ws_connect(url, params=asked)
        socket = Socket(self.peer, ws)
        socket.hello = (await socket.receive())["d"]
        return socket


class Socket:
    """One gateway connection. `seq` and `session` are what a RESUME needs."""

    def __init__(self, peer: Peer, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.peer = peer
        self.ws = ws
        self.hello: dict[str, Any] = {}
        self.seq: int | None = None
        self.session = ""
        self.ready: dict[str, Any] = {}

    async def send(self, op: int, data: Any) -> None:
        """One frame."""
        await self.ws.send_str(orjson.dumps({"op": op, "d": data}).decode())

    async def receive(self) -> dict[str, Any]:
        """The next frame. Raises ConnectionError when the socket is closed."""
        frame = await self.ws.receive(10)
        if frame.type is not aiohttp.WSMsgType.TEXT:
            raise ConnectionError(str(frame.type))
        found: dict[str, Any] = orjson.loads(frame.data)
        if found.get("s") is not None:
            self.seq = found["s"]
        return found

    async def until(self, name: str) -> Any:
        """The data of the next dispatch of that name; others are passed over."""
        while True:
            found = await self.receive()
            if found["t"] == name:
                return found["d"]

    async def closed(self) -> int | None:
        """The code that the server closes with; frames before it are passed over."""
        while True:
            frame = await self.ws.receive(10)
            if frame.type is aiohttp.WSMsgType.CLOSE:
                return int(frame.data)
            if frame.type is not aiohttp.WSMsgType.TEXT:
                return None

    async def identify(self, intents: int, *, bot: Bot | None = None, token: str = "", **more: Any) -> Socket:
        """Send IDENTIFY; wait for READY with `ready`."""
        data = {
            "token": token or (bot or self.peer.bot).token,
            "intents": intents,
            "properties": {"os": "linux", "browser": "test", "device": "test"},
            **more,
        }
        await self.send(2, data)
        return self

    async def until_ready(self) -> Socket:
        """READY, and its session kept."""
        self.ready = await self.until("READY")
        self.session = self.ready["session_id"]
        return self

    async def resume(self, session: str, seq: int | None, token: str = "") -> Socket:
        """Send RESUME."""
        await self.send(6, {"token": token or self.peer.token, "session_id": session, "seq": seq})
        return self
