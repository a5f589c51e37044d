"""Fixtures of the adapter's own tests: a host, and a channel that runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from channels.discord.channel import DiscordChannel
from tests.channels.discord.hosts import KeepingHost, running
from tests.channels.discord.peer.client import Peer


@pytest.fixture
def host(tmp_path: Path) -> KeepingHost:
    """A host that keeps what it is given."""
    return KeepingHost(tmp_path)


@pytest_asyncio.fixture
async def channel(peer: Peer, host: KeepingHost) -> AsyncIterator[DiscordChannel]:
    """A channel whose gateway is ready."""
    async with running(peer, host) as channel:
        yield channel
