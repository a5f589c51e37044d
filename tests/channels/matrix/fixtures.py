"""pytest fixtures: one Synapse for the session, fresh people and a fresh bot for each test.

A test elsewhere takes them with `from tests.channels.matrix.fixtures import home, relay, synapse  # noqa: F401`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.channels.matrix.peer.home import Account, Home, open_home
from tests.channels.matrix.peer.person import Person
from tests.channels.matrix.peer.relay import Relay, open_relay
from tests.channels.matrix.peer.secret import SecretPerson
from tests.channels.matrix.peer.server import Synapse, open_synapse
from tests.peers import find_synapse, require_peer


@pytest.fixture(scope="session")
def synapse() -> Iterator[Synapse]:
    """The server; it is started by the first test that asks and ended with the session."""
    require_peer("Synapse", found=find_synapse())
    with open_synapse() as running:
        yield running


@pytest_asyncio.fixture
async def home(synapse: Synapse) -> AsyncIterator[Home]:
    """The test's hold on it."""
    async with open_home(synapse) as home:
        yield home


@pytest_asyncio.fixture
async def relay(synapse: Synapse) -> AsyncIterator[Relay]:
    """What the bot takes for its home server."""
    async with open_relay(synapse.url) as relay:
        yield relay


@pytest_asyncio.fixture
async def alice(home: Home) -> Person:
    """Somebody."""
    return await home.person("alice")


@pytest_asyncio.fixture
async def bot(home: Home) -> Account:
    """The bot's account, without a message limit."""
    return await home.bot()


@pytest_asyncio.fixture
async def secret_alice(home: Home, tmp_path: Path) -> AsyncIterator[SecretPerson]:
    """Somebody whose client can read encrypted rooms."""
    async with home.secret_person(tmp_path / "alice") as person:
        yield person
