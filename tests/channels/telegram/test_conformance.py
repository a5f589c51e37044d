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
    """Somebody in a chat with the bot. Telegram tells bots of no deleted messages, so nothing is unsaid."""

    def __init__(self, server: Peer, where: Address, name: str) -> None:
        self.server = server
        self.address = where
        self._chat = int(where.key.space)
        self._mention = "" if self._chat > 0 else f"@{name} "
        self._last = 0
        self.writes = ("sendMessage",)

    async def seen(self) -> Sequence[str]:
        return await self.server.texts(self._chat)

    async def say(self, text: str) -> None:
        said = await self.server.say(self._chat, self._mention + text, **self._as_said("entities"))
        self._last = int(said["message_id"])

    async def signs(self) -> Sequence[str]:
        put = (await self.server.chat(self._chat))["reactions"]
        return [one["emoji"] for one in [kinds for message, kinds in put if message == self._last][-1]]

    async def attach(self, name: str, mime: str, data: bytes) -> None:
        await self.server.file(name, data)
        document = {"file_id": name, "file_unique_id": name, "file_name": name, "mime_type": mime}
        more = self._as_said("caption_entities")
        extra = {"document": {**document, "file_size": len(data)}, "caption": f"{self._mention}look"}
        extra |= {"caption_entities": more.pop("caption_entities", [])}
        await self.server.say(self._chat, extra=extra, **more)

    def _as_said(self, entities: str) -> dict[str, Any]:
        thread = self.address.key.thread
        more: dict[str, Any] = {"user": CHAT} | ({} if thread is None else {"thread": int(thread)})
        if self._mention:
            more[entities] = [{"type": "mention", "offset": 0, "length": len(self._mention) - 1}]
        return more

    async def rewrite(self, text: str) -> None:
        more = self._as_said("entities")
        entities = more.get("entities", [])
        said = self._mention + text
        await self.server.control(
            "edit", chat=self._chat, message_id=self._last, text=said, entities=entities
        )

    async def react(self, message_id: str, emoji: str) -> None:
        await self.server.control(
            "react", chat=self._chat, user=CHAT, message_id=int(message_id), old=[], new=[emoji]
        )

    async def buttons(self, message_id: str) -> Sequence[str]:
        for message in (await self.server.chat(self._chat))["messages"]:
            if message["id"] == int(message_id) and message["markup"] is not None:
                rows = message["markup"]["inline_keyboard"]
                return [button["callback_data"] for row in rows for button in row]
        return []

    async def press(self, message_id: str, action_id: str) -> None:
        press = await self.server.press(self._chat, int(message_id), action_id, user=CHAT)
        await self.server.wait(answered=press)

    async def remove(self, message_id: str) -> None:
        await self.server.control("remove", chat=self._chat, message_id=int(message_id))

    async def close(self) -> None:
        trouble = "blocked" if self._chat > 0 else "kicked"
        await self.server.control("set_chat", chat=self._chat, trouble=trouble)

    async def hang_up(self) -> None:
        await self.server.hang_up()

    def limit_next(self, seconds: float) -> None:
        wait = int(seconds)
        told = f"Too Many Requests: retry after {wait}"
        self._fault({"error": [429, told, {"retry_after": wait}]})

    def drop_next(self) -> None:
        self._fault({"drop": "after"})

    def _fault(self, what: dict[str, Any]) -> None:
        """The kit wants it ordered before it goes on, so this one call blocks."""
        for method in self.writes:
            body = orjson.dumps({"method": method, "what": what})
            urllib.request.urlopen(f"{self.server.base_url}/control/faults", body, timeout=5).close()


class TelegramConformance(ChannelConformance):
    stream = "auto"
    rich = "auto"
    where = address(CHAT)

    @pytest_asyncio.fixture
    async def peer(self, peer: Peer) -> Person:
        chat = int(self.where.key.space)
        is_forum = self.where.key.thread is not None
        await peer.control("set_chat", chat=chat, is_forum=is_forum, threads=[TOPIC], is_admin=True)
        state = await peer.state()
        person = Person(peer, self.where, state["user"]["username"])
        if self.rich == "on":
            person.writes = ("sendRichMessage",)
        return person

    @pytest.fixture
    def channel(self, peer: Person, host: RecordingHost) -> TelegramChannel:
        return TelegramChannel(
            "main", settings(peer.server, stream=self.stream, rich=self.rich), host, timing=QUICK
        )


class TestDrafts(TelegramConformance):
    hang_ups = 20


class TestRichAlways(TelegramConformance):
    rich = "on"


class TestRichNever(TelegramConformance):
    rich = "off"


class TestEdits(TelegramConformance):
    stream = "edits"
    hang_ups = 20


class TestWhole(TelegramConformance):
    stream = "off"


class TestGroup(TelegramConformance):
    where = address(GROUP)


class TestTopic(TelegramConformance):
    where = address(GROUP, thread=TOPIC)
