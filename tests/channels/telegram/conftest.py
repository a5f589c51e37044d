"""The fixtures of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from channels.telegram.channel import TelegramChannel
from tests.channels.telegram.fixtures import peer, peer_process
from tests.channels.telegram.hosts import KeepingHost, running
from tests.channels.telegram.peer.client import Peer
from tests.channels.telegram.raw import Raw

__all__ = ["peer", "peer_process"]

CHAT = 4711
GROUP = -1001234567890


@pytest.fixture
def host(tmp_path: Path) -> KeepingHost:
    """A host that keeps what it is given."""
    return KeepingHost(tmp_path)


@pytest_asyncio.fixture
async def channel(peer: Peer, host: KeepingHost) -> AsyncIterator[TelegramChannel]:
    """A channel that polls, in a private chat and a forum that know the bot."""
    await peer.control("set_chat", chat=CHAT)
    await peer.control("set_chat", chat=GROUP, is_forum=True, threads=[9])
    async with running(peer, host) as channel:
        yield channel


@pytest_asyncio.fixture
async def raw(peer: Peer) -> AsyncIterator[Raw]:
    async with aiohttp.ClientSession() as session:
        await peer.control("set_chat", chat=CHAT)
        yield Raw(peer, session)
