"""Answers that are streamed natively, in blocks, or sent whole."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from channels.capabilities import Operation, Streaming, WriteBudget
from channels.errors import Gone, GoneWhat, RateLimited, Refused, Unavailable
from channels.fake import FakeChannel, limited
from channels.fake_daemon import MemoryJournal
from tests.channels.replies import CAPABILITIES, answer, numbered, opened, times, write_slowly
from tests.virtual_time import virtual_time

NATIVE = replace(CAPABILITIES, streaming=Streaming.NATIVE)
DRAFTS = replace(NATIVE, preview=True)
APPENDS = replace(NATIVE, replaceable=False)
WHOLE = replace(CAPABILITIES, streaming=Streaming.NONE)
BLOCKS = replace(CAPABILITIES, streaming=Streaming.BLOCK)
TEXT = "".join(numbered(60))


@virtual_time
async def test_an_answer_in_whole_is_sent_when_it_is_finished() -> None:
    channel = FakeChannel(replace(WHOLE, typing_ttl=5.0))
    delivery = await answer(channel, numbered(60), pause=0.1)
    assert times(channel, "send") == [6.0]
    assert [(call.at, call.text) for call in channel.named("typing")] == [
        (0.0, "on"),
        (4.0, "on"),
        (pytest.approx(6.0), "off"),
    ]
    assert channel.visible() == [TEXT.strip()]
    assert delivery.first_visible == pytest.approx(6.0)


@virtual_time
async def test_an_answer_in_blocks_is_sent_paragraph_by_paragraph() -> None:
    channel = FakeChannel(BLOCKS)
    paragraphs = [f"Paragraph {number}. {'Some words. ' * 20}".strip() for number in range(4)]
    async with opened(channel) as reply:
        for paragraph in paragraphs:
            await write_slowly(reply, [f"{paragraph}\n\n"], 1.0)
        await reply.finish()
    assert channel.visible() == paragraphs
    assert times(channel, "send") == [1.0, 2.0, 3.0, 4.0]


@virtual_time
async def test_short_paragraphs_share_a_block() -> None:
    channel = FakeChannel(BLOCKS)
    await answer(channel, ["One.\n\n", "Two.\n\n", "Three.\n\n"], pause=1.0)
    assert channel.visible() == ["One.\n\nTwo.\n\nThree."]


@virtual_time
async def test_blocks_that_have_to_wait_for_the_budget_are_sent_together() -> None:
    channel = FakeChannel(replace(BLOCKS, budgets=limited(0.1, 2)))
    await answer(channel, [f"{number} {'words ' * 40}\n\n" for number in range(6)], pause=1.0)
    assert len(channel.visible()) <= 3
    assert not [call for call in channel.calls if call.error]


@virtual_time
async def test_a_code_block_is_one_block_however_long_its_blank_lines() -> None:
    channel = FakeChannel(BLOCKS)
    code = "\n\n".join(f"x{number} = {number}" for number in range(60))
    await answer(channel, [f"```python\n{code}\n```\n\n", "After."], pause=1.0)
    assert channel.visible()[0].startswith("```python\nx0 = 0")
    assert "x59 = 59\n```" in channel.visible()[0]


@virtual_time
async def test_a_native_stream_is_started_extended_and_finished() -> None:
    channel = FakeChannel(NATIVE)
    journal = MemoryJournal()
    delivery = await answer(channel, numbered(60), pause=0.1, journal=journal)
    assert len(times(channel, "start_stream")) == len(times(channel, "finish_stream")) == 1
    assert channel.visible() == [TEXT.strip()]
    assert [sent.id for _, _, sent in journal.sents] == list(delivery.message_ids) == ["1"]
    assert journal.sents and channel.named("send") == []


@virtual_time
async def test_a_stream_without_limits_shows_every_delta() -> None:
    channel = FakeChannel(NATIVE)
    async with opened(channel) as reply:
        for delta in numbered(30):
            reply.write(delta)
            await asyncio.sleep(0.01)
            assert channel.visible()[0].endswith(delta.strip())
        await reply.finish()


@virtual_time
async def test_the_deltas_of_a_stream_that_only_appends_are_its_text() -> None:
    channel = FakeChannel(replace(APPENDS, max_text=300))
    text = (
        "Some **bold** words and `code`.\n\n```py\n"
        + "".join(f"x{n} = {n}\n" for n in range(60))
        + "```\n\nThe end."
    )
    await answer(channel, text, pause=0.01)
    assert channel.violations == []
    shown = "".join("".join(channel.visible()).replace("```py", "").replace("```", "").split())
    assert shown == "".join(text.replace("```py", "").replace("```", "").split())


@virtual_time
async def test_a_preview_is_followed_by_the_message_that_stays() -> None:
    channel = FakeChannel(DRAFTS)
    journal = MemoryJournal()
    async with opened(channel, journal) as reply:
        await write_slowly(reply, numbered(20), 0.1)
        assert channel.messages == []
        assert reply.is_visible
        assert journal.sents == []
        delivery = await reply.finish()
    assert channel.visible() == ["".join(numbered(20)).strip()]
    assert delivery.message_ids == (channel.messages[0].id,)
    assert delivery.first_visible == pytest.approx(0.0)
    assert len(journal.sents) == 1


@virtual_time
async def test_a_stream_is_closed_before_the_channel_ends_it_and_goes_on_by_edits() -> None:
    channel = FakeChannel(replace(NATIVE, stream_lifetime=10.0), edits=True)
    delivery = await answer(channel, numbered(150), pause=0.2)
    assert times(channel, "finish_stream") == [pytest.approx(8.0, abs=0.2)]
    assert channel.named("edit")
    assert channel.visible() == ["".join(numbered(150)).strip()]
    assert delivery.message_ids == ("1",)
    assert not [call for call in channel.calls if call.error]


@virtual_time
async def test_without_edits_a_stream_that_is_old_goes_on_in_a_new_message() -> None:
    channel = FakeChannel(replace(APPENDS, stream_lifetime=10.0))
    delivery = await answer(channel, numbered(300), pause=0.1)
    assert len(channel.named("start_stream")) > 2
    assert " ".join(channel.visible()) == "".join(numbered(300)).strip()
    assert delivery.splits == len(channel.visible()) - 1
    assert channel.violations == []
    assert not [call for call in channel.calls if call.error]


@virtual_time
async def test_a_silent_stream_is_closed_in_time_too() -> None:
    channel = FakeChannel(replace(NATIVE, stream_lifetime=10.0), edits=True)
    async with opened(channel) as reply:
        reply.write("Thinking it over.")
        await asyncio.sleep(60)
        reply.write(" Done.")
        await reply.finish()
    assert channel.visible() == ["Thinking it over. Done."]
    assert not [call for call in channel.calls if call.error]


@virtual_time
async def test_text_wakes_a_stream_that_waits_for_the_end_of_its_life() -> None:
    channel = FakeChannel(replace(NATIVE, stream_lifetime=100.0), edits=True)
    async with opened(channel) as reply:
        for word in ("One", " two", " three"):
            reply.write(word)
            await asyncio.sleep(5)
        await reply.finish()
    assert times(channel, "update_stream") == [5.0, 10.0]
    assert channel.visible() == ["One two three"]


@pytest.mark.parametrize("call", ["start_stream", "update_stream", "finish_stream"])
@pytest.mark.parametrize("is_preview", [False, True])
def test_a_stream_that_fails_is_taken_over_by_edits_and_nothing_is_lost(call: str, is_preview: bool) -> None:
    @virtual_time
    async def scenario() -> None:
        channel = FakeChannel(replace(NATIVE, preview=is_preview), edits=True)
        channel.fail_next(call, Refused("not_in_streaming_state"))
        delivery = await answer(channel, numbered(60), pause=0.1)
        assert channel.visible() == [TEXT.strip()]
        assert len(delivery.message_ids) == 1

    scenario()


@pytest.mark.parametrize("call", ["start_stream", "update_stream", "finish_stream"])
def test_without_edits_the_rest_of_a_failed_stream_is_sent_as_a_message(call: str) -> None:
    @virtual_time
    async def scenario() -> None:
        channel = FakeChannel(APPENDS)
        channel.fail_next(call, Refused("not_in_streaming_state"))
        await answer(channel, numbered(60), pause=0.1)
        assert "".join(" ".join(channel.visible()).split()) == "".join(TEXT.split())

    scenario()


@virtual_time
async def test_a_preview_that_cannot_be_reached_once_goes_on() -> None:
    channel = FakeChannel(DRAFTS)
    channel.fail_next("update_stream", Unavailable("a moment"))
    await answer(channel, numbered(60), pause=0.1)
    assert len(channel.named("update_stream")) > 10
    assert channel.visible() == [TEXT.strip()]


@virtual_time
async def test_a_refused_preview_waits_as_told_and_the_final_message_comes_at_once() -> None:
    channel = FakeChannel(replace(DRAFTS, budgets=limited(2.0, 3, "draft")))
    channel.fail_next("update_stream", RateLimited(30.0, "draft"))
    async with opened(channel) as reply:
        await write_slowly(reply, numbered(60), 0.1)
        await reply.finish()
    assert channel.visible() == [TEXT.strip()]
    assert len(channel.named("update_stream")) == 1


@virtual_time
async def test_a_streamed_message_that_somebody_deleted_is_sent_once_more_at_the_end() -> None:
    channel = FakeChannel(NATIVE, edits=True)
    channel.fail_next("update_stream", Gone(GoneWhat.MESSAGE))
    async with opened(channel) as reply:
        await write_slowly(reply, numbered(20), 0.1)
        channel.delete_by_hand("1")
        await reply.finish()
    assert channel.visible() == ["".join(numbered(20)).strip()]
    assert channel.repeated == []


@virtual_time
async def test_a_refused_preview_holds_back_no_final() -> None:
    preview = WriteBudget("preview", frozenset({Operation.STREAM}), 2.5, 3)
    chat = WriteBudget("chat", frozenset({Operation.SEND, Operation.EDIT}), 1.0, 3)
    declared = replace(CAPABILITIES, streaming=Streaming.NATIVE, preview=True, budgets=(preview, chat))
    channel = FakeChannel(declared)
    channel.fail_next("update_stream", RateLimited(60.0, "preview"))
    loop = asyncio.get_running_loop()
    async with opened(channel) as reply:
        await write_slowly(reply, numbered(20), 0.1)
        finished = loop.time()
        await reply.finish()
    assert channel.named("finish_stream")[0].at == pytest.approx(finished)
