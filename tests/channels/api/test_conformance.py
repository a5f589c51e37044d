"""The kit over the endpoint: every conversation is a streamed request over a real connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import httpx
import pytest_asyncio

from channels.api.channel import ApiChannel
from channels.capabilities import Surface
from channels.conformance import ChannelConformance
from channels.events import Address, ConversationKey
from channels.fake_daemon import RecordingHost
from tests.channels.api.site import BEARER, body, said, served, settings

SPARE = 3
"""Requests that wait from the start: the kit says something before anybody has asked."""


class Program:
    """A program with several requests; those in the kit's `live` are open before anything is said."""

    def __init__(self, channel: ApiChannel, client: httpx.AsyncClient, host: RecordingHost) -> None:
        self._channel = channel
        self._client = client
        self._host = host
        self._read: list[list[str]] = []
        self._asked: list[Address] = []
        self.tasks: set[asyncio.Task[None]] = set()

    async def prepare(self) -> None:
        for _ in range(SPARE):
            await self._open("?")
        self._host.events.clear()

    @property
    def address(self) -> Address:
        """Of the newest request that still waits for a message."""
        for address in reversed(self._asked):
            pending = self._channel.request(address.key.space)
            if pending is not None and not pending.is_whole:
                return address
        return Address(ConversationKey("api", "main", "nobody"), Surface.API)

    async def seen(self) -> Sequence[str]:
        return [text for text in (said("".join(parts)) for parts in self._read) if text]

    async def say(self, text: str) -> None:
        await self._open(text)

    async def _open(self, text: str) -> None:
        count = len(self._host.messages) + 1
        parts: list[str] = []
        self._read.insert(0, parts)
        self.tasks.add(asyncio.create_task(self._ask(text, parts)))
        self._asked.append((await self._host.until_messages(count))[-1].address)

    async def _ask(self, text: str, parts: list[str]) -> None:
        request = body(text, stream=True)
        async with self._client.stream("POST", "/v1/chat/completions", json=request) as response:
            async for part in response.aiter_text():
                parts.append(part)  # noqa: PERF401 - read while it grows


class TestApi(ChannelConformance):
    offers_again = False  # whoever asked is told 503 and asks again

    @pytest_asyncio.fixture
    async def channel(self, host: RecordingHost) -> ApiChannel:
        return ApiChannel("main", settings(), host)

    @pytest_asyncio.fixture
    async def peer(self, channel: ApiChannel, host: RecordingHost) -> AsyncIterator[Program]:
        async with (
            served(channel) as url,
            httpx.AsyncClient(base_url=url, headers=BEARER, timeout=20) as client,
        ):
            program = Program(channel, client, host)
            yield program
            for task in program.tasks:
                task.cancel()
            await asyncio.gather(*program.tasks, return_exceptions=True)

    @pytest_asyncio.fixture
    async def live(  # type: ignore[override]
        self, channel: ApiChannel, peer: Program, host: RecordingHost
    ) -> AsyncIterator[ApiChannel]:
        running = asyncio.create_task(channel.run())
        await host.until_online()
        await peer.prepare()
        try:
            yield channel
        finally:
            running.cancel()
            await asyncio.wait({running})
