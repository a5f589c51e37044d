"""The kit over the page: a real server, and a client that does what the page's scripts do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from itertools import count

import pytest_asyncio
from aiohttp import ClientSession, web

from channels.capabilities import Surface
from channels.conformance import ChannelConformance
from channels.events import Address
from channels.fake_daemon import RecordingHost
from channels.web.channel import WebChannel
from channels.web.parse import key_of
from channels.web.settings import WebSettings
from tests.channels.web.site import Page


class WebPeer:
    """A page on one conversation; it connects when it is first looked at."""

    def __init__(self, channel: WebChannel, stack: AsyncExitStack) -> None:
        self._channel = channel
        self._stack = stack
        self._page: Page | None = None
        self._unsaid: dict[str, str] = {}
        self._ids = count(1)

    @property
    def address(self) -> Address:
        return Address(key_of("main", "conversation-1"), Surface.DIRECT)

    async def seen(self) -> Sequence[str]:
        page = await self._connected()
        await page.send({"t": "ping"})
        await page.next("pong")
        return list(page.texts.values())

    async def say(self, text: str) -> None:
        page = await self._connected()
        message_id = f"message-{next(self._ids)}"
        await page.say(text, message_id)
        while (frame := await page.next("said", "refused"))["t"] == "refused":
            assert frame["code"] == "busy" and frame["id"] == message_id
            await page.say(text, message_id)

    async def _connected(self) -> Page:
        if self._page is None:
            app = web.Application()
            for route in self._channel.routes():
                app.router.add_route(route.method, route.path, route.handler)
            runner = web.AppRunner(app, shutdown_timeout=2)
            await runner.setup()
            self._stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            session = await self._stack.enter_async_context(ClientSession())
            socket = await self._stack.enter_async_context(
                session.ws_connect(f"{url}/web/socket", headers={"Origin": url}, max_msg_size=0)
            )
            self._page = Page(socket, "conversation-1")
            await self._page.open()
        return self._page


class TestWeb(ChannelConformance):
    @pytest_asyncio.fixture
    async def channel(self, host: RecordingHost) -> WebChannel:
        return WebChannel("main", WebSettings(), host)

    @pytest_asyncio.fixture
    async def peer(self, channel: WebChannel) -> AsyncIterator[WebPeer]:
        async with AsyncExitStack() as stack:
            yield WebPeer(channel, stack)
            # The page leaves before the server stops, or the server would wait for it.
            await asyncio.sleep(0)
