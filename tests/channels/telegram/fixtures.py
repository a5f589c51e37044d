"""pytest fixtures: one server process for the session, a fresh bot in it for each test.

A test elsewhere takes them with `from tests.channels.telegram.fixtures import peer, peer_process  # noqa: F401`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import aiohttp
import orjson
import pytest
import pytest_asyncio

from tests.channels.telegram.peer.client import ROOT, Peer


@pytest.fixture(scope="session")
def peer_process() -> Iterator[dict[str, object]]:
    """The server's ready line: port, token, pid."""
    command = [sys.executable, "-m", "tests.channels.telegram.peer", "--webhook-retry", "0.05"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            pytest.fail(f"the fake Bot API server ended with {process.wait()}")
        yield orjson.loads(line)
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest_asyncio.fixture
async def peer(peer_process: dict[str, object]) -> AsyncIterator[Peer]:
    """The server with a fresh bot: no chats, no updates, flood limits as documented."""
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        found = Peer(int(str(peer_process["port"])), str(peer_process["token"]), session)
        await found.control("reset")
        yield found
