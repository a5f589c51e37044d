"""The kit, run over the fake channel in each way that it can stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from channels.capabilities import Capabilities, LatencyClass, LengthUnit, SendKey, Streaming
from channels.conformance import ChannelConformance
from channels.errors import RateLimited, Unavailable
from channels.events import Address, Event, Pressed, Reaction, Sender
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

    async def react(self, message_id: str, emoji: str) -> None:
        await self._tell(Reaction("r1", message_id, direct(), Sender("ann"), emoji))

    async def signs(self) -> Sequence[str]:
        return next(iter(self._channel.signs.values()))

    async def buttons(self, message_id: str) -> Sequence[str]:
        (message,) = [m for m in self._channel.messages if m.id == message_id]
        return [action.id for action in message.actions]

    async def press(self, message_id: str, action_id: str) -> None:
        await self._tell(Pressed("p1", message_id, direct(), Sender("ann"), action_id))

    async def remove(self, message_id: str) -> None:
        self._channel.delete_by_hand(message_id)

    async def close(self) -> None:
        self._channel.gone.add(self.address.key)

    async def _tell(self, event: Event) -> None:
        assert self._channel.host is not None
        await self._channel.host.accept(event)

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


class TestButtons(FakeConformance):
    declared = replace(
        PLAIN, streaming=Streaming.EDIT, buttons=True, reactions=True, signs=True, deletes=True
    )


class TestAppends(FakeConformance):
    declared = replace(PLAIN, streaming=Streaming.NATIVE, replaceable=False, unit=LengthUnit.UTF8)
