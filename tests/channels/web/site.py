"""The web channel behind a real HTTP server on 127.0.0.1, and a WebSocket client that speaks its frames."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, DummyCookieJar, web

from channels.capabilities import Surface
from channels.events import Address
from channels.web.channel import WebChannel
from channels.web.parse import key_of
from channels.web.settings import WebSettings
from tests.channels.host import RecordingHost


@dataclass(slots=True)
class Site:
    """A running page. `url` has no slash at its end."""

    channel: WebChannel
    host: RecordingHost
    port: int
    session: ClientSession
    runner: web.AppRunner
    running: asyncio.Task[None]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def origin(self) -> dict[str, str]:
        return {"Origin": self.url}

    def address(self, conversation: str, reply_to: str | None = None) -> Address:
        return Address(key_of("main", conversation), Surface.DIRECT, reply_to)

    @asynccontextmanager
    async def page(self, conversation: str = "conversation-1") -> AsyncIterator[Page]:
        """A connection that shows the conversation, as a browser opens it."""
        async with self.session.ws_connect(
            f"{self.url}/web/socket", headers=self.origin, max_msg_size=0
        ) as socket:
            page = Page(socket, conversation)
            page.hello = await page.next("hello")
            await page.open()
            yield page


class Page:
    """What a browser's page does, without the browser: it keeps `texts` by the frames' own rules."""

    def __init__(self, socket: ClientWebSocketResponse, conversation: str) -> None:
        self.socket = socket
        self.conversation = conversation
        self.hello: dict[str, Any] = {}
        self.opened: dict[str, Any] = {}
        self.texts: dict[str, str] = {}
        self.revisions: dict[str, int] = {}
        self.frames: list[dict[str, Any]] = []

    async def send(self, frame: dict[str, Any]) -> None:
        await self.socket.send_str(json.dumps(frame))

    async def open(self) -> None:
        await self.send({"t": "open", "c": self.conversation})
        self.opened = await self.next("opened")

    async def say(self, text: str, message_id: str) -> None:
        await self.send({"t": "say", "c": self.conversation, "id": message_id, "text": text})

    async def next(self, *kinds: str, timeout: float = 20.0) -> dict[str, Any]:
        """The next frame of one of these kinds; the texts of those before it are kept."""
        async with asyncio.timeout(timeout):
            while True:
                frame: dict[str, Any] = json.loads(await self.socket.receive_str())
                self.frames.append(frame)
                self._keep(frame)
                if not kinds or frame["t"] in kinds:
                    return frame

    async def reads(self, message_id: str, text: str, timeout: float = 20.0) -> None:
        """Wait until the message reads exactly this."""
        async with asyncio.timeout(timeout):
            while self.texts.get(message_id) != text:
                await self.next()

    def _keep(self, frame: dict[str, Any]) -> None:
        if frame["t"] == "opened":
            for line in frame["lines"]:
                self.texts[line["id"]] = line["text"]
                self.revisions[line["id"]] = line.get("n", 0)
        elif frame["t"] == "show":
            self.texts[frame["id"]] = frame["text"]
            self.revisions[frame["id"]] = frame["n"]
        elif frame["t"] == "more":
            assert frame["was"] == self.revisions[frame["id"]], "a step is missing"
            units = self.texts[frame["id"]].encode("utf-16-le")
            kept = units[: len(units) - 2 * frame.get("cut", 0)].decode("utf-16-le")
            self.texts[frame["id"]] = kept + frame["text"]
            self.revisions[frame["id"]] = frame["n"]
        elif frame["t"] == "gone":
            self.texts.pop(frame["id"], None)


@asynccontextmanager
async def open_site(
    host: RecordingHost | None = None,
    settings: WebSettings | None = None,
    port: int = 0,
    clock: Callable[[], float] = time.time,
) -> AsyncIterator[Site]:
    """Serve the channel until the block ends. `clock`: see WebChannel."""
    host = host or RecordingHost()
    channel = WebChannel("main", settings or WebSettings(), host, clock)
    app = web.Application()
    for route in channel.routes():
        app.router.add_route(route.method, route.path, route.handler)
    runner = web.AppRunner(app, shutdown_timeout=2)
    await runner.setup()
    running = asyncio.create_task(channel.run())
    try:
        site = web.TCPSite(runner, "127.0.0.1", port, reuse_address=True)
        await site.start()
        actual = runner.addresses[0][1]
        async with ClientSession(cookie_jar=DummyCookieJar()) as session:
            yield Site(channel, host, actual, session, runner, running)
    finally:
        running.cancel()
        await asyncio.wait([running])
        for listener in list(runner.sites):
            await listener.stop()
        for _ in range(5):
            # whom the system has let in already becomes a connection, which is then closed
            await asyncio.sleep(0)
        await runner.cleanup()
