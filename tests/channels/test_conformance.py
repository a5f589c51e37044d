"""The kit, run over the fake channel in each way that it can stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from channels.capabilities import Capabilities, LatencyClass, LengthUnit, SendKey, Streaming
from channels.conformance import ChannelConformance
from channels.errors import RateLimited, Unavailable
from channels.events import Address
from channels.fake import FakeChannel, direct
from channels.fake_daemon import RecordingHost

PLAIN = Capabilities(LatencyClass.SEMI_SYNC, Streaming.NONE, max_text=400)


class FakePeer:
    def __init__(self, channel: FakeChannel) -> None:
        self._channel = channel

    @property
    def address(self) -> Address:
        return direct()

    async def seen(self) -> Sequence[str]:
        return self._channel.visible(self.address)

    async def say(self, text: str) -> None:
        await self._channel.say(text)

    def limit_next(self, seconds: float) -> None:
        self._channel.fail_next("send", RateLimited(seconds))

    def drop_next(self) -> None:
        self._channel.fail_next("send", Unavailable("lost", maybe_sent=True), late=True)


class FakeConformance(ChannelConformance):
    declared: Capabilities
    wait = 0.05

    @pytest.fixture
    def channel(self, host: RecordingHost) -> FakeChannel:
        return FakeChannel(self.declared, host=host)

    @pytest.fixture
    def peer(self, channel: FakeChannel) -> FakePeer:
        return FakePeer(channel)


class TestWhole(FakeConformance):
    declared = PLAIN


class TestBlocks(FakeConformance):
    declared = replace(PLAIN, streaming=Streaming.BLOCK, typing_ttl=5.0, send_key=SendKey.KEY)


class TestEdits(FakeConformance):
    declared = replace(
        PLAIN,
        streaming=Streaming.EDIT,
        unit=LengthUnit.UTF16,
        deletes=True,
        notes=True,
        send_key=SendKey.READBACK,
    )


class TestDrafts(FakeConformance):
    declared = replace(PLAIN, streaming=Streaming.NATIVE, preview=True, buttons=True)


class TestAppends(FakeConformance):
    declared = replace(PLAIN, streaming=Streaming.NATIVE, replaceable=False, unit=LengthUnit.UTF8)
