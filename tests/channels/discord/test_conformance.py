"""The contract's own kit over the adapter: a DM by edits and whole, a server's channel, a thread, a command's answer.

The server keeps its rate limits meanwhile: an adapter that wrote too fast would be refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_asyncio

from channels.capabilities import Surface
from channels.conformance import ChannelConformance
from channels.discord.channel import DiscordChannel
from channels.events import Address, ConversationKey
from channels.fake_daemon import RecordingHost
from tests.channels.discord.hosts import QUICK, settings
from tests.channels.discord.peer.client import Peer

LOADING = 128


class Person:
    """Somebody in a conversation with the bot."""

    def __init__(self, server: Peer, channel: str, where: Address, says_name: bool) -> None:
        self.server = server
        self.where = where
        self._channel = channel
        self._start = f"{server.mention()} " if says_name else ""
        self._last = ""

    @property
    def address(self) -> Address:
        return self.where

    async def seen(self) -> Sequence[str]:
        there = await self.server.messages(self._channel)
        return [one["content"] for one in there if not one.get("flags", 0) & LOADING]

    async def say(self, text: str) -> None:
        self._last = await self.server.say(self._start + text, channel=self._channel)

    def limit_next(self, seconds: float) -> None:
        self._fault({"rate_limit": {"retry_after": seconds}})

    def drop_next(self) -> None:
        self._fault({"drop": "after"})

    def _fault(self, what: dict[str, Any]) -> None:
        """The kit wants it ordered before it goes on, so this one call blocks."""
        self.server.order("fault", route=self.write, times=1, what=what)

    write = "create_message"

    async def react(self, message_id: str, emoji: str) -> None:
        await self.server.react(message_id, emoji)

    async def signs(self) -> Sequence[str]:
        there = await self.server.messages(self._channel, from_bot=False)
        return next(list(one["reactions"]) for one in there if one["id"] == self._last)

    async def buttons(self, message_id: str) -> Sequence[str]:
        there = await self.server.messages(self._channel)
        (message,) = [one for one in there if one["id"] == message_id]
        return [button["custom_id"].removeprefix("fw:") for button in message["buttons"]]

    async def press(self, message_id: str, action_id: str) -> None:
        await self.server.press(message_id, f"fw:{action_id}")

    async def attach(self, name: str, mime: str, data: bytes) -> None:
        self._last = await self.server.attach(name, mime, data, content=self._start, channel=self._channel)

    async def rewrite(self, text: str) -> None:
        await self.server.edit(self._last, self._start + text)

    async def unsay(self) -> None:
        await self.server.delete(self._last)

    async def remove(self, message_id: str) -> None:
        await self.server.delete(message_id)

    async def close(self) -> None:
        if self.where.surface is Surface.DIRECT:
            await self.server.close_dm(self._channel)
        else:
            await self.server.kick()

    async def hang_up(self) -> None:
        await self.server.socket("drop")


class DiscordConformance(ChannelConformance):
    stream = True

    async def place(self, server: Peer) -> Person:
        """Where the kit meets the bot."""
        where = Address(ConversationKey("discord", "main", server.bot.dm), Surface.DIRECT)
        return Person(server, server.bot.dm, where, says_name=False)

    @pytest_asyncio.fixture
    async def peer(self, peer: Peer) -> Person:
        return await self.place(peer)

    @pytest.fixture
    def channel(self, peer: Person, host: RecordingHost) -> DiscordChannel:
        return DiscordChannel("main", settings(peer.server, stream=self.stream), host, timing=QUICK)


class TestDirect(DiscordConformance):
    pass


class TestWhole(DiscordConformance):
    stream = False


class TestGuild(DiscordConformance):
    async def place(self, server: Peer) -> Person:
        where = Address(ConversationKey("discord", "main", server.channel), Surface.GROUP)
        return Person(server, server.channel, where, says_name=True)


class TestThread(DiscordConformance):
    async def place(self, server: Peer) -> Person:
        thread = await server.thread("talk")
        where = Address(ConversationKey("discord", "main", server.channel, thread), Surface.THREAD)
        return Person(server, thread, where, says_name=True)


class CommandPerson(Person):
    """The bot's answers are those to one command; what is said otherwise is said in the same channel."""

    write = "edit_original"

    async def close(self) -> None:
        """A token lives on when a DM is closed; both have to end."""
        await self.server.advance(901)
        await self.server.close_dm(self._channel)


class TestCommand(DiscordConformance):
    """A command in a DM; its deferred answer is no message yet."""

    async def place(self, server: Peer) -> Person:
        where = Address(ConversationKey("discord", "main", server.bot.dm), Surface.COMMAND)
        return CommandPerson(server, server.bot.dm, where, says_name=False)

    @pytest_asyncio.fixture
    async def live(  # type: ignore[override]
        self, channel: DiscordChannel, host: RecordingHost, peer: Person
    ) -> AsyncIterator[DiscordChannel]:
        running = asyncio.create_task(channel.run())
        try:
            await host.until_online()
            await peer.server.wait(route="put_commands", status=200)
            await peer.server.command("help", channel=peer.server.bot.dm)
            (asked,) = await host.until_messages(1)
            peer.where = asked.address
            host.events.clear()
            yield channel
        finally:
            running.cancel()
            await asyncio.wait({running})
