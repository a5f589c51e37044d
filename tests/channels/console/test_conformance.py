"""The kit over the terminal's plain side: a pipe in, a stream of text out."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence

import pytest

from channels.conformance import ChannelConformance
from channels.console.channel import ConsoleChannel
from channels.console.parse import address_of
from channels.console.settings import ConsoleSettings
from channels.events import Address
from channels.fake_daemon import RecordingHost


class PipePeer:
    def __init__(self) -> None:
        reading, self._writing = os.pipe()
        self.stdin = os.fdopen(reading, encoding="utf-8", errors="surrogateescape")
        self.stdout = io.StringIO()

    @property
    def address(self) -> Address:
        return address_of("main")

    async def seen(self) -> Sequence[str]:
        return self.stdout.getvalue().splitlines()

    async def say(self, text: str) -> None:
        os.write(self._writing, f"{text}\n".encode())

    def let_go(self) -> None:
        os.close(self._writing)
        self.stdin.close()


class TestConsole(ChannelConformance):
    @pytest.fixture
    def peer(self) -> Iterator[PipePeer]:
        peer = PipePeer()
        yield peer
        peer.let_go()

    @pytest.fixture
    def channel(self, peer: PipePeer, host: RecordingHost) -> ConsoleChannel:
        # Nobody answers in most of the kit's tests, so no line waits for an answer.
        return ConsoleChannel(
            "main", ConsoleSettings(), host, stdin=peer.stdin, stdout=peer.stdout, patience=0.01
        )
