"""A word that stands in for an answer that is late: shown where it can be written over, gone with the first text."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from channels.capabilities import Capabilities, Streaming
from channels.events import Action
from channels.fake import FakeChannel
from channels.fake_daemon import MemoryJournal
from tests.channels.replies import CAPABILITIES, opened
from tests.virtual_time import virtual_time

STOP = (Action("stop", "Stop"),)
BUTTONS = replace(CAPABILITIES, buttons=True)
WORD = "Thinking…"


@virtual_time
async def test_the_word_stands_with_a_stop_button_and_the_first_text_takes_its_place() -> None:
    channel = FakeChannel(BUTTONS)
    async with opened(channel) as reply:
        reply.offer(STOP)
        await asyncio.sleep(2.0)
        reply.status(WORD)
        await asyncio.sleep(3.0)
        assert channel.visible() == [WORD]
        assert channel.messages[0].actions == STOP
        reply.write("Yes.")
        await asyncio.sleep(1.0)
        assert channel.visible() == ["Yes."]
        delivery = await reply.finish()
    assert channel.visible() == ["Yes."]
    assert len(channel.messages) == 1
    assert channel.violations == []
    assert delivery.text == "Yes."
    assert delivery.first_visible == pytest.approx(5.0, abs=0.2), "only the answer's own text counts"


@virtual_time
async def test_the_word_counts_as_nothing_shown() -> None:
    channel, journal = FakeChannel(BUTTONS), MemoryJournal()
    async with opened(channel, journal) as reply:
        reply.status(WORD)
        await asyncio.sleep(1.0)
        assert channel.visible() == [WORD]
        assert not reply.is_visible
        assert (reply.text, reply.visible_text, reply.first_visible) == ("", "", None)
        await reply.finish(closing="No model answered.")
    assert channel.visible() == ["No model answered."]


@virtual_time
async def test_a_word_is_not_shown_once_there_is_text() -> None:
    channel = FakeChannel(BUTTONS)
    async with opened(channel) as reply:
        reply.write("Here it is")
        reply.status(WORD)
        await asyncio.sleep(1.0)
        reply.status(WORD)
        await asyncio.sleep(1.0)
        await reply.finish()
    assert WORD not in str(channel.calls)


@virtual_time
async def test_an_answer_that_comes_while_the_word_is_sent_stands_alone() -> None:
    channel = FakeChannel(BUTTONS)
    async with opened(channel) as reply:
        reply.status(WORD)
        await asyncio.sleep(0)
        reply.write("At once.")
        await reply.finish()
    assert channel.visible() == ["At once."]
    assert len(channel.messages) == 1


@pytest.mark.parametrize(
    "capabilities",
    [
        replace(CAPABILITIES, streaming=Streaming.NONE),
        replace(CAPABILITIES, streaming=Streaming.BLOCK),
        replace(CAPABILITIES, streaming=Streaming.NATIVE, replaceable=False),
        replace(CAPABILITIES, max_edits=4),
    ],
    ids=["whole", "blocks", "a stream that cannot be taken back", "few edits"],
)
def test_where_it_could_not_be_taken_back_there_is_only_typing(capabilities: Capabilities) -> None:
    @virtual_time
    async def story() -> None:
        channel = FakeChannel(capabilities)
        async with opened(channel) as reply:
            reply.status(WORD)
            await asyncio.sleep(5.0)
            assert channel.messages == []
            reply.write("The answer, whole.")
            await reply.finish()
        assert channel.visible() == ["The answer, whole."]

    story()


@virtual_time
async def test_a_native_stream_that_can_be_taken_back_shows_the_word_too() -> None:
    channel = FakeChannel(replace(CAPABILITIES, streaming=Streaming.NATIVE))
    async with opened(channel) as reply:
        reply.status(WORD)
        await asyncio.sleep(1.0)
        assert [call.text for call in channel.named("start_stream")] == [WORD]
        reply.write("Yes, ")
        await asyncio.sleep(1.0)
        reply.write("so it is.")
        await reply.finish()
    assert channel.visible() == ["Yes, so it is."]
    assert channel.violations == []


@virtual_time
async def test_a_withdrawn_question_takes_the_word_with_it() -> None:
    channel = FakeChannel(replace(BUTTONS, deletes=True))
    async with opened(channel) as reply:
        reply.status(WORD)
        await asyncio.sleep(1.0)
        reply.replace("")
        await reply.finish()
    assert channel.visible() == []


@virtual_time
async def test_an_answer_that_begins_anew_may_be_shorter_than_the_word() -> None:
    channel = FakeChannel(BUTTONS)
    async with opened(channel) as reply:
        reply.status(WORD)
        await asyncio.sleep(1.0)
        reply.replace("")
        reply.write("No.")
        await asyncio.sleep(2.0)
        assert channel.visible() == ["No."]
        await reply.finish()
