"""The contract's own kit over the adapter: a chat and a thread that stream, a channel with edits, signed requests.

The server keeps its rate limits meanwhile: an adapter that wrote too fast would be refused and fail.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar

import pytest_asyncio
from aiohttp import web

from channels.base import Channel
from channels.conformance import ChannelConformance
from channels.conformance_peers import Peer as ConformancePeer
from channels.events import Address
from channels.fake_daemon import RecordingHost
from channels.slack.channel import SlackChannel
from tests.channels.slack.hosts import QUICK, address, settings
from tests.channels.slack.peer.client import Peer

_NAMES = {"\U0001f44d": "+1", "\U0001f440": "eyes"}


class Person:
    """Somebody in a conversation with the bot."""

    def __init__(self, server: Peer, where: Address) -> None:
        self.server = server
        self.address = where
        self._space = where.key.space
        self._last = ""

    async def seen(self) -> Sequence[str]:
        return [
            message["shown"]
            for message in await self.server.messages(self._space)
            if message["thread"] == self.address.key.thread
        ]

    async def say(self, text: str) -> None:
        said = await self.server.say(self._space, self._called(text), **self._where())
        self._last = said["ts"]

    async def react(self, message_id: str, emoji: str) -> None:
        await self.server.react(self._space, message_id, _NAMES[emoji])

    async def signs(self) -> Sequence[str]:
        there = await self.server.messages(self._space, from_bot=False)
        names = next(one["reactions"] for one in there if one["ts"] == self._last)
        return [emoji for emoji, name in _NAMES.items() if name in names]

    async def buttons(self, message_id: str) -> Sequence[str]:
        for message in await self.server.messages(self._space):
            if message["ts"] == message_id:
                return [button["value"] for button in message["buttons"]]
        raise AssertionError(f"no message {message_id}")

    async def press(self, message_id: str, action_id: str) -> None:
        await self.server.press(self._space, message_id, f"firstword:{action_id}")

    async def attach(self, name: str, mime: str, data: bytes) -> None:
        await self.server.attach(self._space, name, mime, data, self._called("a file"), **self._where())

    async def rewrite(self, text: str) -> None:
        await self.server.edit(self._space, self._last, self._called(text))

    async def unsay(self) -> None:
        await self.server.delete(self._space, self._last)

    async def remove(self, message_id: str) -> None:
        await self.server.delete(self._space, message_id)

    async def close(self) -> None:
        await self.server.control("archive", channel=self._space)

    async def hang_up(self) -> None:
        await self.server.drop_sockets()

    def limit_next(self, seconds: float) -> None:
        self._fault(retry_after=int(seconds))

    def drop_next(self) -> None:
        self._fault(lose="after")

    def _fault(self, **what: Any) -> None:
        """The kit wants it ordered before it goes on, so this one call blocks."""
        self.server.control_now("faults", method="chat.postMessage", what=what)

    def _called(self, text: str) -> str:
        return text if self._space.startswith("D") else f"<@{self.server.bot_user}> {text}"

    def _where(self) -> dict[str, Any]:
        thread = self.address.key.thread
        return {} if thread is None else {"thread": thread}


class SlackConformance(ChannelConformance):
    space = "D0PERSON01"
    is_thread = True
    more: ClassVar[dict[str, Any]] = {}

    @pytest_asyncio.fixture
    async def peer(self, peer: Peer) -> Person:
        await peer.settings(retries=[0, 0.05, 0.1])
        thread = None
        if self.is_thread:
            thread = (await peer.say(self.space, "the beginning", silent=True))["ts"]
        else:
            await peer.control("set_channel", channel=self.space)
        return Person(peer, address(self.space, thread, team=peer.team))

    @pytest_asyncio.fixture
    async def channel(self, peer: Person, host: RecordingHost) -> AsyncIterator[SlackChannel]:
        yield SlackChannel("main", settings(peer.server, **self.more), host, timing=QUICK)


class TestChat(SlackConformance):
    pass


class TestThread(SlackConformance):
    space = "C0GENERAL1"


class TestThreadByEdits(SlackConformance):
    space = "C0GENERAL1"
    more: ClassVar[dict[str, Any]] = {"stream": "edits", "buttons": False}


class TestChannel(SlackConformance):
    space = "C0GENERAL1"
    is_thread = False
    more: ClassVar[dict[str, Any]] = {"channel": "inline"}


class TestInlineChat(SlackConformance):
    is_thread = False
    more: ClassVar[dict[str, Any]] = {"direct": "inline", "stream": "off"}


class TestSignedRequests(SlackConformance):
    """Over HTTP a connection that is cut is Slack's own affair, so nobody hangs up here."""

    more: ClassVar[dict[str, Any]] = {"mode": "http", "appToken": None}

    @pytest_asyncio.fixture
    async def channel(self, peer: Person, host: RecordingHost) -> AsyncIterator[SlackChannel]:
        channel = SlackChannel("main", settings(peer.server, **self.more), host, timing=QUICK)
        app = web.Application()
        for route in channel.routes():
            app.router.add_route(route.method, route.path, route.handler)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        await peer.server.settings(http_url=f"http://127.0.0.1:{port}/slack/main")
        yield channel
        await runner.cleanup()

    async def test_every_message_has_its_own_key_and_they_keep_their_order(
        self, live: Channel, peer: ConformancePeer, host: RecordingHost
    ) -> None:
        """Slack's requests run side by side, so only what was confirmed before the next one has an order."""
        texts = ["same", "same", "third"]
        for number, text in enumerate(texts, 1):
            await peer.say(text)
            await host.until_messages(number)
        messages = await host.until_messages(3)
        assert [message.text for message in messages] == texts
        assert len({message.event_key for message in messages}) == 3
        assert len({message.message_id for message in messages}) == 3
