"""Buttons ride on the messages of an answer: Stop while it grows, Retry when it is whole, none in between."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from channels.capabilities import Streaming
from channels.errors import Refused
from channels.events import Action
from channels.fake import FakeChannel, limited
from channels.fake_daemon import MemoryJournal
from tests.channels.replies import CAPABILITIES, numbered, opened, write_slowly
from tests.virtual_time import virtual_time

STOP = (Action("stop", "Stop"),)
RETRY = (Action("retry", "Retry"),)
BUTTONS = replace(CAPABILITIES, buttons=True, max_text=120)


def under(channel: FakeChannel, number: int = 0) -> tuple[Action, ...]:
    """What stands under a message now."""
    return channel.messages[number].actions


@virtual_time
async def test_a_growing_answer_carries_stop_from_its_first_text_and_retry_at_its_end() -> None:
    channel = FakeChannel(BUTTONS)
    async with opened(channel) as reply:
        reply.offer(STOP)
        reply.write("The beginning ")
        await asyncio.sleep(1.0)
        assert under(channel) == STOP
        reply.write("grows ")
        await asyncio.sleep(1.0)
        assert under(channel) == STOP
        reply.write("and ends.")
        await reply.finish(actions=RETRY)
    assert under(channel) == RETRY
    assert channel.visible() == ["The beginning grows and ends."]
    assert channel.violations == []


@virtual_time
async def test_stop_goes_though_the_text_is_whole_already() -> None:
    channel = FakeChannel(BUTTONS)
    async with opened(channel) as reply:
        reply.offer(STOP)
        reply.write("All of it.")
        await asyncio.sleep(1.0)
        await reply.finish()
    assert [message.actions for message in channel.messages] == [()]
    assert len(channel.named("edit")) == 1
    assert channel.violations == []


@virtual_time
async def test_only_the_last_message_of_a_long_answer_has_buttons() -> None:
    channel = FakeChannel(BUTTONS)
    async with opened(channel) as reply:
        reply.offer(STOP)
        await write_slowly(reply, numbered(60), 0.05)
        assert [message.actions for message in channel.messages][:-1] == [()] * (len(channel.messages) - 1)
        await reply.finish(actions=RETRY)
    assert len(channel.messages) > 2
    assert [message.actions for message in channel.messages] == [
        *[()] * (len(channel.messages) - 1),
        RETRY,
    ]
    assert channel.violations == []


@virtual_time
async def test_an_answer_that_comes_at_once_has_no_stop_and_costs_no_edit() -> None:
    channel = FakeChannel(BUTTONS)
    async with opened(channel) as reply:
        reply.offer(STOP)
        reply.write("At once.")
        await reply.finish(actions=RETRY)
    assert [message.actions for message in channel.messages] == [RETRY]
    assert channel.named("edit") == []


@virtual_time
async def test_a_stream_has_its_buttons_when_it_is_closed() -> None:
    channel = FakeChannel(replace(BUTTONS, streaming=Streaming.NATIVE, max_text=1000))
    async with opened(channel) as reply:
        reply.offer(STOP)
        await write_slowly(reply, numbered(20), 0.1)
        assert under(channel) == ()
        await reply.finish(actions=RETRY)
    assert under(channel) == RETRY
    assert channel.violations == []


@virtual_time
async def test_a_channel_without_buttons_never_hears_of_them() -> None:
    channel = FakeChannel(replace(BUTTONS, buttons=False))
    async with opened(channel) as reply:
        reply.offer(STOP)
        await write_slowly(reply, numbered(10), 0.1)
        await reply.finish(actions=RETRY)
    assert under(channel) == ()
    assert channel.violations == []


@virtual_time
async def test_an_edit_that_only_swaps_buttons_may_be_refused() -> None:
    channel = FakeChannel(BUTTONS)
    async with opened(channel) as reply:
        reply.offer(STOP)
        reply.write("All of it.")
        await asyncio.sleep(1.0)
        channel.fail_next("edit", Refused("too_old"))
        delivery = await reply.finish(actions=RETRY)
    assert channel.visible() == ["All of it."]
    assert len(delivery.message_ids) == 1


@virtual_time
async def test_an_answer_that_was_interrupted_loses_the_button_of_its_earlier_life() -> None:
    channel = FakeChannel(replace(BUTTONS, budgets=limited(5.0, 5)))
    journal = MemoryJournal()
    async with opened(channel, journal) as reply:
        reply.offer(STOP)
        reply.write("The beginning and ")
        await asyncio.sleep(1.0)
        await reply.leave()
    assert under(channel) == STOP
    async with opened(channel, journal.after_crash()) as reply:
        reply.offer(STOP)
        reply.write("The beginning and the end.")
        await reply.finish(actions=RETRY)
    assert channel.visible() == ["The beginning and the end."]
    assert under(channel) == RETRY
