"""Two bots in one process: each with its own token, its own updates, its own end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from channels.errors import NotAuthorized
from channels.events import Message
from channels.telegram.channel import TelegramChannel
from tests.canary import canary
from tests.channels.telegram.answers import answer
from tests.channels.telegram.hosts import QUICK, KeepingHost, address, settings
from tests.channels.telegram.peer.client import Peer, start_peer

CHAT = 4711
FIRST = f"700100:{canary('telegram1')}-of-the-first-of-two-bots-here"
SECOND = f"700200:{canary('telegram2')}-of-the-second-of-two-bots-here"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Peer]:
    async with start_peer("--token", FIRST, "--token", SECOND, "--no-flood") as found:
        yield found


class _Bot:
    """One running account and its host."""

    def __init__(self, server: Peer, name: str, token: str, folder: Path) -> None:
        self.host = KeepingHost(folder / name)
        self.channel = TelegramChannel(name, settings(server, token=token), self.host, timing=QUICK)
        self.task = asyncio.create_task(self.channel.run())

    @property
    def texts(self) -> list[str]:
        return [event.text for event in self.host.events if isinstance(event, Message)]

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def test_two_bots_in_one_process_keep_apart(server: Peer, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        bots = []
        for name, token in (("main", FIRST), ("other", SECOND)):
            bot = _Bot(server, name, token, tmp_path)
            stack.push_async_callback(bot.stop)
            bots.append(bot)
        for number, token in enumerate((FIRST, SECOND)):
            items = [{"chat": CHAT, "text": f"to bot {number}"}]
            await server.control("say", token=token, items=items)
        for bot in bots:
            await bot.host.until(lambda bot=bot: bool(bot.host.events))  # type: ignore[misc]
        assert [bot.texts for bot in bots] == [["to bot 0"], ["to bot 1"]]
        keys = [event.address.key.account for bot in bots for event in bot.host.events]
        assert keys == ["main", "other"]
        await asyncio.gather(
            *(answer(bot.channel, address(CHAT), f"from bot {n}", size=3) for n, bot in enumerate(bots))
        )
        for number, token in enumerate((FIRST, SECOND)):
            chat = await server.control("chat", token=token, chat=CHAT)
            assert [m["text"] for m in chat["messages"] if m["from_bot"]] == [f"from bot {number}"]
        await server.control("revoke", token=FIRST)
        await server.control("say", token=FIRST, items=[{"chat": CHAT, "text": "wake up"}])
        with pytest.raises(NotAuthorized):
            await asyncio.wait_for(bots[0].task, 30)
        await server.control("say", token=SECOND, items=[{"chat": CHAT, "text": "still here?"}])
        await bots[1].host.until(lambda: len(bots[1].host.events) == 2)
        assert not bots[1].task.done()
