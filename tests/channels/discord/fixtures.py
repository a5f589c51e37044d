"""pytest fixtures: one server process for the session, a fresh world in it for each test.

A test elsewhere takes them with `from tests.channels.discord.fixtures import peer, peer_process  # noqa: F401`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import orjson
import pytest
import pytest_asyncio

from tests.channels.discord.peer.client import ROOT, Peer


@pytest.fixture(scope="session")
def peer_process() -> Iterator[dict[str, Any]]:
    """The server's ready line: port, tokens, pid."""
    command = [sys.executable, "-m", "tests.channels.discord.peer"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            pytest.fail(f"the fake Discord ended with {process.wait()}")
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
async def peer(peer_process: dict[str, Any]) -> AsyncIterator[Peer]:
    """The server with a fresh world and limits as documented."""
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        found = Peer(int(peer_process["port"]), peer_process["tokens"], session)
        await found.reset()
        yield found
