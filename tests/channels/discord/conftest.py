"""The fixtures of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio

from tests.channels.discord.fixtures import peer, peer_process
from tests.channels.discord.peer.client import Peer
from tests.channels.discord.peer.raw import Raw

__all__ = ["peer", "peer_process"]


@pytest_asyncio.fixture
async def raw(peer: Peer) -> AsyncIterator[Raw]:
    """REST calls and gateway sockets without a library."""
    async with aiohttp.ClientSession() as session:
        yield Raw(peer, session)
