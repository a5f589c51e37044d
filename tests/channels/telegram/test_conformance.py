"""The contract's own kit over the adapter: private chats by drafts, by edits, whole; a group and a topic.

The server keeps its flood limits meanwhile: an adapter that wrote too fast would be banned and fail.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
import pytest_asyncio

from channels.conformance import ChannelConformance
from channels.events import Address
from channels.fake_daemon import RecordingHost
from channels.telegram.channel import TelegramChannel
from tests.channels.telegram.hosts import QUICK, address, settings
from tests.channels.telegram.peer.client import Peer

CHAT = 4711
GROUP = -1001234567890
TOPIC = 9


class Person:
    """Somebody in a chat with the bot."""

    def __init__(self, server: Peer, where: Address, name: str) -> None:
        self.server = server
        self.address = where
        self._chat = int(where.key.space)
        self._mention = "" if self._chat > 0 else f"@{name} "

    async def seen(self) -> Sequence[str]:
        return await self.server.texts(self._chat)

    async def say(self, text: str) -> None:
        said = self._mention + text
        thread = self.address.key.thread
        more: dict[str, Any] = {} if thread is None else {"thread": int(thread)}
        if self._mention:
            more["entities"] = [{"type": "mention", "offset": 0, "length": len(self._mention) - 1}]
        await self.server.say(self._chat, said, user=CHAT, **more)

    def limit_next(self, seconds: float) -> None:
        wait = int(seconds)
        told = f"Too Many Requests: retry after {wait}"
        self._fault({"error": [429, told, {"retry_after": wait}]})

    def drop_next(self) -> None:
        self._fault({"drop": "after"})

    def _fault(self, what: dict[str, Any]) -> None:
        """The kit wants it ordered before it goes on, so this one call blocks."""
        body = orjson.dumps({"method": "sendMessage", "what": what})
        urllib.request.urlopen(f"{self.server.base_url}/control/faults", body, timeout=5).close()


class TelegramConformance(ChannelConformance):
    stream = "auto"
    where = address(CHAT)

    @pytest_asyncio.fixture
    async def peer(self, peer: Peer) -> Person:
        chat = int(self.where.key.space)
        await peer.control("set_chat", chat=chat, is_forum=self.where.key.thread is not None, threads=[TOPIC])
        state = await peer.state()
        return Person(peer, self.where, state["user"]["username"])

    @pytest.fixture
    def channel(self, peer: Person, host: RecordingHost) -> TelegramChannel:
        return TelegramChannel("main", settings(peer.server, stream=self.stream), host, timing=QUICK)


class TestDrafts(TelegramConformance):
    pass


class TestEdits(TelegramConformance):
    stream = "edits"


class TestWhole(TelegramConformance):
    stream = "off"


class TestGroup(TelegramConformance):
    where = address(GROUP)


class TestTopic(TelegramConformance):
    where = address(GROUP, thread=TOPIC)
