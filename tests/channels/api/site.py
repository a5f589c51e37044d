"""The endpoint behind a real HTTP server on 127.0.0.1, and programs that ask it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from aiohttp import web

from channels.api.channel import ApiChannel
from channels.api.settings import ApiSettings
from channels.base import Host
from channels.delivery import Reply, open_reply
from channels.events import Address, Message
from channels.fake_daemon import MemoryJournal
from channels.pacing import Budgets
from channels.programs import Conclusion
from tests.canary import canary

TOKEN = f"a-token-for-{canary('api')}-0123"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def settings(**more: Any) -> ApiSettings:
    """An account's settings, keys as in config.json."""
    return ApiSettings.model_validate({"token": TOKEN, **more})


def body(text: str = "hello", **more: Any) -> dict[str, Any]:
    """A request."""
    return {"model": "auto", "messages": [{"role": "user", "content": text}], **more}


def events(raw: str) -> list[Any]:
    """The data of a stream, its end included."""
    found = [line.removeprefix("data: ") for line in raw.splitlines() if line.startswith("data: ")]
    return [each if each == "[DONE]" else json.loads(each) for each in found]


def said(raw: str) -> str:
    """The text of a stream."""
    chunks = [each for each in events(raw) if each != "[DONE]" and each.get("choices")]
    return "".join(each["choices"][0]["delta"].get("content") or "" for each in chunks)


@asynccontextmanager
async def served(channel: ApiChannel) -> AsyncIterator[str]:
    """Its routes, on a port of their own; the address without a slash at its end."""
    app = web.Application()
    for route in channel.routes():
        app.router.add_route(route.method, route.path, route.handler)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@dataclass(slots=True)
class Site:
    """A running endpoint. `client` has the token."""

    channel: ApiChannel
    url: str
    client: httpx.AsyncClient
    running: asyncio.Task[None]

    async def ask(self, path: str = "chat/completions", **request: Any) -> httpx.Response:
        """POST some JSON."""
        return await self.client.post(f"/v1/{path}", json=request or body())

    @asynccontextmanager
    async def answering(self, message: Message) -> AsyncIterator[Reply]:
        """What a daemon does with a message."""
        async with reply_to(self.channel, message.address) as reply:
            yield reply


@asynccontextmanager
async def reply_to(channel: ApiChannel, address: Address) -> AsyncIterator[Reply]:
    """A reply at an address."""
    clock = asyncio.get_running_loop().time
    async with open_reply(channel, address, MemoryJournal(), Budgets(), clock=clock) as reply:
        yield reply


async def finish(reply: Reply, text: str = "", conclusion: Conclusion | None = None) -> None:
    """Say something and end."""
    reply.write(text)
    await reply.finish(conclusion=conclusion or Conclusion())


@asynccontextmanager
async def open_site(host: Host, given: ApiSettings | None = None) -> AsyncIterator[Site]:
    """Serve the channel until the block ends."""
    channel = ApiChannel("main", given or settings(), host)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(served(channel))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, headers=BEARER, timeout=20))
        running = asyncio.create_task(channel.run())
        await asyncio.sleep(0)
        try:
            yield Site(channel, url, client, running)
        finally:
            running.cancel()
            await asyncio.wait([running])
