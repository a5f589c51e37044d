"""The contract's own kit over the adapter and a real Synapse: a direct chat, a room, a thread, an encrypted room."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from channels.capabilities import Surface
from channels.conformance import ChannelConformance
from channels.fake_daemon import RecordingHost
from channels.matrix.channel import MatrixChannel
from tests.channels.matrix.hosts import QUICK, settings
from tests.channels.matrix.peer.home import Account, Home
from tests.channels.matrix.peer.kit import KitPeer, open_kit
from tests.channels.matrix.peer.relay import Relay

# Each test makes rooms and people on a real server; some of them send a hundred kilobytes.
pytestmark = [pytest.mark.slow, pytest.mark.asyncio]


class MatrixConformance(ChannelConformance):
    surface = Surface.DIRECT
    stream = "edits"

    @pytest_asyncio.fixture
    async def peer(
        self, home: Home, relay: Relay, bot: Account, tmp_path_factory: pytest.TempPathFactory
    ) -> AsyncIterator[KitPeer]:
        yield await open_kit(home, relay, bot, surface=self.surface)

    @pytest.fixture
    def channel(self, peer: KitPeer, host: RecordingHost) -> MatrixChannel:
        return MatrixChannel("main", settings(peer.bot, peer.relay, stream=self.stream), host, timing=QUICK)


class TestDirect(MatrixConformance):
    pass


class TestRoom(MatrixConformance):
    surface = Surface.GROUP


class TestThread(MatrixConformance):
    surface = Surface.THREAD


class TestWhole(MatrixConformance):
    stream = "off"


class TestLive(MatrixConformance):
    stream = "live"


class TestEncrypted(MatrixConformance):
    @pytest_asyncio.fixture
    async def peer(
        self, home: Home, relay: Relay, bot: Account, tmp_path_factory: pytest.TempPathFactory
    ) -> AsyncIterator[KitPeer]:
        async with home.secret_person(tmp_path_factory.mktemp("person")) as person:
            yield await open_kit(home, relay, bot, person=person, is_encrypted=True)
