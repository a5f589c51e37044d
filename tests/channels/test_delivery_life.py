"""The life of a reply: when it may begin, how it ends early, what it leaves behind, what it costs."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from dataclasses import replace

import pytest

from channels.capabilities import Streaming
from channels.delivery import Delivery
from channels.errors import Unavailable
from channels.events import AnswerNote
from channels.fake import FakeChannel, limited
from channels.fake_daemon import MemoryJournal
from channels.pacing import Budgets
from tests.channels.replies import CAPABILITIES, answer, numbered, opened, other_tasks, times, write_slowly
from tests.virtual_time import virtual_time

PACED = replace(CAPABILITIES, budgets=limited(1.0, 3), typing_ttl=5.0)
APPENDS = replace(CAPABILITIES, streaming=Streaming.NATIVE, replaceable=False)


@virtual_time
async def test_nothing_shows_before_the_question_is_durable_and_the_caller_does_not_wait() -> None:
    channel, granted = FakeChannel(PACED), asyncio.Event()
    async with opened(channel, MemoryJournal(granted=granted)) as reply:
        reply.write("Ready before the disk is.")
        await asyncio.sleep(5.0)
        assert channel.calls == []
        granted.set()
        delivery = await reply.finish()
    assert channel.named("typing") == []
    assert delivery.first_visible == pytest.approx(5.0)


@virtual_time
async def test_typing_shows_as_soon_as_the_question_is_durable() -> None:
    channel, granted = FakeChannel(PACED), asyncio.Event()
    async with opened(channel, MemoryJournal(granted=granted)) as reply:
        await asyncio.sleep(1.0)
        granted.set()
        await asyncio.sleep(1.0)
        assert times(channel, "typing") == [1.0]
        await reply.finish()


@virtual_time
async def test_a_withdrawn_question_is_not_answered_and_the_caller_is_told() -> None:
    channel, journal = FakeChannel(PACED), MemoryJournal(denies=True)
    async with opened(channel, journal) as reply:
        await asyncio.wait_for(reply.until_mute(), 1.0)
        assert reply.is_withdrawn
        reply.write("Nobody reads this.")
        assert await reply.finish() == Delivery()
    assert channel.calls == []
    assert (journal.sents, journal.saved, journal.finals) == ([], [], [])


@virtual_time
async def test_a_question_that_is_withdrawn_between_two_messages_ends_the_answer_there() -> None:
    channel = FakeChannel(PACED)
    journal = MemoryJournal()
    async with opened(channel, journal) as reply:
        await write_slowly(reply, numbered(150), 0.1)
        journal.denies = True
        await write_slowly(reply, numbered(150), 0.1)
        assert reply.is_withdrawn
        assert (await reply.finish()).message_ids == ()
    assert len(channel.messages) == 1


@virtual_time
async def test_the_whole_text_is_safe_before_it_is_written_for_the_last_time() -> None:
    channel = FakeChannel(PACED)
    order: list[str] = []

    class Watched(MemoryJournal):
        async def final(self, text: str) -> None:
            await asyncio.sleep(0.5)
            order.append(f"final {len(text)} calls {len(channel.calls)}")
            await super().final(text)

    journal = Watched()
    async with opened(channel, journal) as reply:
        await write_slowly(reply, numbered(100), 0.02)
        calls = len(channel.calls)
        await reply.finish()
    assert order == [f"final {len(channel.visible()[0])} calls {calls}"]


@virtual_time
async def test_the_visible_text_is_told_to_the_journal_as_it_grows() -> None:
    channel, journal = FakeChannel(PACED), MemoryJournal()
    async with opened(channel, journal) as reply:
        await write_slowly(reply, numbered(200), 0.02)
        assert reply.text.startswith(reply.visible_text)
        assert journal.saved[-1] == reply.visible_text
        await reply.finish()
    assert journal.saved == sorted(set(journal.saved), key=len)
    assert all("".join(numbered(200)).startswith(text) for text in journal.saved)


@pytest.mark.parametrize("at", [0.0, 0.01, 0.6, 1.3, 2.6, 3.2])
def test_a_cancelled_caller_leaves_no_task_behind_and_nothing_more_is_written(at: float) -> None:
    @virtual_time
    async def scenario() -> None:
        channel = FakeChannel(PACED, latency=0.5)
        before = other_tasks()
        answering = asyncio.create_task(answer(channel, numbered(100), pause=0.02))
        await asyncio.sleep(at)
        answering.cancel()
        await asyncio.wait({answering})
        assert other_tasks() == before
        seen = channel.visible()
        assert channel.in_flight == set()
        await asyncio.sleep(60)
        assert channel.visible() == seen
        assert other_tasks() == before

    scenario()


@virtual_time
async def test_an_error_in_the_body_ends_the_reply_and_turns_typing_off() -> None:
    channel = FakeChannel(PACED)
    before = other_tasks()
    with pytest.raises(KeyError):
        async with opened(channel):
            await asyncio.sleep(1.0)
            raise KeyError("the model's side")
    assert not channel.is_typing()
    assert channel.visible() == []
    assert other_tasks() == before


@virtual_time
async def test_leaving_saves_the_visible_text_and_writes_nothing_more() -> None:
    channel, journal = FakeChannel(PACED, latency=0.4), MemoryJournal()
    before = other_tasks()
    async with opened(channel, journal) as reply:
        await write_slowly(reply, numbered(100), 0.02)
        await reply.leave()
        calls = len(channel.calls)
        assert channel.in_flight == set()
        assert journal.saved[-1] == reply.visible_text
        assert channel.visible() == [reply.visible_text.strip()]
        assert reply.visible_text
    await asyncio.sleep(60)
    assert len(channel.calls) == calls
    assert journal.finals == []
    assert other_tasks() == before


@virtual_time
async def test_leaving_does_not_wait_for_ever_for_a_write_in_flight() -> None:
    channel = FakeChannel(PACED, latency=1000.0)
    start = asyncio.get_running_loop().time()
    async with opened(channel) as reply:
        reply.write("On its way.")
        await asyncio.sleep(0.1)
        await reply.leave()
    assert asyncio.get_running_loop().time() - start < 10


@virtual_time
async def test_a_reply_that_is_over_takes_no_more_text() -> None:
    channel = FakeChannel(PACED)
    async with opened(channel) as reply:
        reply.write("All.")
        await reply.finish()
        with pytest.raises(RuntimeError, match="over"):
            reply.write("more")
        with pytest.raises(RuntimeError, match="over"):
            reply.replace("other")
        with pytest.raises(RuntimeError, match="over"):
            await reply.finish()
        with pytest.raises(RuntimeError, match="over"):
            await reply.leave()


@virtual_time
async def test_a_replaced_answer_stands_in_the_same_message() -> None:
    channel = FakeChannel(PACED)
    async with opened(channel) as reply:
        await write_slowly(reply, numbered(60), 0.05)
        reply.replace("A better answer.")
        delivery = await reply.finish()
    assert channel.visible() == ["A better answer."]
    assert delivery.message_ids == ("1",)
    assert delivery.text == "A better answer."


@virtual_time
async def test_an_answer_that_begins_again_does_not_shrink_what_stands() -> None:
    channel = FakeChannel(replace(PACED, budgets=()))
    async with opened(channel) as reply:
        await write_slowly(reply, numbered(60), 0.02)
        reply.replace("")
        await write_slowly(reply, [f"new{n} " for n in range(100)], 0.02)
        await reply.finish()
    lengths = [len(text) for _, text in channel.messages[0].states]
    assert lengths == sorted(lengths)
    assert channel.visible() == ["".join(f"new{n} " for n in range(100)).strip()]


@virtual_time
async def test_a_replaced_answer_takes_the_messages_back_that_it_does_not_need() -> None:
    for deletes, expected in ((True, ["Short."]), (False, ["Short.", "\u2013", "\u2013"])):
        channel = FakeChannel(replace(PACED, budgets=(), deletes=deletes))
        async with opened(channel) as reply:
            await write_slowly(reply, numbered(500), 0.02)
            assert len(channel.visible()) == 3
            reply.replace("Short.")
            await reply.finish()
        assert channel.visible() == expected


@virtual_time
async def test_an_answer_can_be_taken_back_altogether() -> None:
    channel = FakeChannel(replace(PACED, deletes=True))
    async with opened(channel) as reply:
        await write_slowly(reply, numbered(30), 0.1)
        reply.replace("")
        delivery = await reply.finish()
    assert channel.visible() == []
    assert (delivery.message_ids, delivery.text) == ((), "")


@virtual_time
async def test_a_preview_and_a_stream_can_be_taken_back_altogether() -> None:
    for is_preview in (True, False):
        channel = FakeChannel(
            replace(CAPABILITIES, streaming=Streaming.NATIVE, preview=is_preview, deletes=True), edits=True
        )
        async with opened(channel) as reply:
            await write_slowly(reply, numbered(30), 0.1)
            reply.replace("")
            delivery = await reply.finish()
        assert [message for message in channel.messages if not message.is_deleted] == []
        assert delivery.message_ids == ()


@virtual_time
async def test_what_cannot_be_taken_back_cannot_be_replaced() -> None:
    channel = FakeChannel(APPENDS)
    async with opened(channel) as reply:
        reply.write("First thought")
        reply.replace("Second thought")
        await asyncio.sleep(0.1)
        with pytest.raises(ValueError, match="take back"):
            reply.replace("Third thought")
        await reply.finish()
    assert channel.visible() == ["Second thought"]


@virtual_time
async def test_a_reply_counts_as_visible_while_its_first_message_is_on_its_way() -> None:
    """Whoever asks whether the answer may still be swapped unseen must not be told yes a moment too late."""
    channel = FakeChannel(PACED, latency=2.0)
    async with opened(channel) as reply:
        before = reply.is_visible
        reply.write("On its way.")
        await asyncio.sleep(0.5)
        assert channel.visible() == []
        assert (before, reply.is_visible) == (False, True)
        await reply.finish()


@virtual_time
async def test_a_withdrawn_answer_gets_no_note() -> None:
    channel = FakeChannel(replace(PACED, notes=True))
    journal = MemoryJournal()
    async with opened(channel, journal) as reply:
        await write_slowly(reply, numbered(150), 0.1)
        journal.denies = True
        await write_slowly(reply, numbered(150), 0.1)
        await reply.finish(note=AnswerNote("Model", "because"))
    assert channel.named("show_note") == []
    assert not channel.is_typing()


@virtual_time
async def test_an_adapters_own_fault_in_typing_ends_the_indicator_and_not_the_answer() -> None:
    channel = FakeChannel(PACED)
    channel.fail_next("typing", ZeroDivisionError("a bug"))
    async with opened(channel) as reply:
        await asyncio.sleep(20)
        reply.write("Fine.")
        await reply.finish()
    assert [call.error for call in channel.named("typing")] == ["ZeroDivisionError"]
    assert channel.visible() == ["Fine."]


@virtual_time
async def test_a_journal_that_fails_ends_the_reply_and_finish_says_so() -> None:
    channel = FakeChannel(PACED)

    class Broken(MemoryJournal):
        async def intent(self, part: int) -> str | None:
            raise OSError("the disk is gone")

    async with opened(channel, Broken()) as reply:
        reply.write("Never shown.")
        await asyncio.wait_for(reply.until_mute(), 1.0)
        with pytest.raises(OSError, match="the disk is gone"):
            await reply.finish()
    assert channel.calls == []


@virtual_time
async def test_after_an_error_every_later_reply_still_works() -> None:
    channel, budgets = FakeChannel(PACED), Budgets()
    channel.fail_next("send", *[Unavailable("gone for long")] * 100)
    with pytest.raises(Unavailable):
        await answer(channel, ["Never."], budgets=budgets)
    channel.fail_next("send")
    channel._faults.clear()  # noqa: SLF001 - the line is mended
    await answer(channel, ["Hello again."], budgets=budgets, journal=MemoryJournal(turn="next"))
    assert channel.visible() == ["Hello again."]


@virtual_time
async def test_ten_thousand_replies_at_once_cost_a_few_kilobytes_each() -> None:
    channel = FakeChannel(replace(CAPABILITIES, budgets=limited(0.2, 2), typing_ttl=5.0))
    budgets = Budgets()
    release = asyncio.Event()
    count = 2_000  # the cost of one does not depend on how many there are

    async def one(number: int) -> None:
        async with opened(channel, MemoryJournal(turn=str(number)), budgets) as reply:
            reply.write(f"Answer number {number}.")
            await release.wait()
            await reply.finish()

    gc.collect()
    tracemalloc.start()
    replies = [asyncio.create_task(one(number)) for number in range(count)]
    await asyncio.sleep(1.0)
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    for reply in replies:
        reply.cancel()
    await asyncio.wait(replies)
    assert taken / count < 10_000
