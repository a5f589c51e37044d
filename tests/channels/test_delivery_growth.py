"""How an answer grows on screen: typing, first text, edits, the final."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from channels.capabilities import Operation, SendKey, Streaming, WriteBudget
from channels.errors import Refused, Unavailable
from channels.events import Action, AnswerNote
from channels.fake import FakeChannel, direct, limited
from channels.fake_daemon import MemoryJournal
from channels.pacing import Budgets
from tests.channels.replies import CAPABILITIES, answer, numbered, opened, times, write_slowly
from tests.virtual_time import virtual_time

PACED = replace(CAPABILITIES, budgets=limited(1.0, 3), typing_ttl=5.0)


@virtual_time
async def test_the_first_text_is_sent_at_once_and_edits_follow_at_the_budgets_pace() -> None:
    channel = FakeChannel(PACED)
    async with opened(channel) as reply:
        await asyncio.sleep(1.0)
        await write_slowly(reply, numbered(200), 0.02)
        delivery = await reply.finish()
    assert times(channel, "send") == [1.0]
    edits = times(channel, "edit")
    gaps = [later - earlier for earlier, later in zip([1.0, *edits], edits, strict=False)]
    assert all(0.3 < gap <= 1.01 for gap in gaps)
    assert delivery.first_visible == pytest.approx(1.0)
    assert delivery.edits == len(edits)
    assert channel.visible() == ["".join(numbered(200)).strip()]
    assert channel.violations == []


@virtual_time
async def test_the_final_does_not_wait_where_the_burst_is_two_or_more() -> None:
    channel = FakeChannel(replace(PACED, budgets=limited(0.5, 2)))
    loop = asyncio.get_running_loop()
    async with opened(channel) as reply:
        await write_slowly(reply, numbered(500), 0.02)
        finished = loop.time()
        await reply.finish()
    assert channel.named("edit")[-1].at == pytest.approx(finished)


@virtual_time
async def test_an_answer_that_comes_at_once_is_one_message_without_edits() -> None:
    channel = FakeChannel(PACED)
    delivery = await answer(channel, ["All of it."], pause=0.0)
    assert (times(channel, "send"), times(channel, "edit")) == ([0.0], [])
    assert (delivery.edits, delivery.splits, delivery.message_ids) == (0, 0, ("1",))


@virtual_time
async def test_write_never_waits_and_never_touches_the_channel() -> None:
    channel = FakeChannel(PACED, latency=10.0)
    async with opened(channel) as reply:
        for delta in numbered(1000):
            reply.write(delta)
        assert channel.calls == []
        await reply.finish()
    assert channel.visible() == ["".join(numbered(1000))[:1000].strip()] or len(channel.visible()) > 1


@virtual_time
async def test_an_edit_is_never_queued_the_newest_text_is_taken_when_its_turn_comes() -> None:
    channel = FakeChannel(replace(PACED, budgets=()), latency=1.0)
    async with opened(channel) as reply:
        await write_slowly(reply, numbered(100), 0.1)
        await reply.finish()
    assert len(channel.named("edit")) <= 11
    texts = [len(call.text) for call in channel.named("edit")]
    assert texts == sorted(set(texts))


@virtual_time
async def test_no_edit_is_made_without_new_text() -> None:
    channel = FakeChannel(PACED)
    async with opened(channel) as reply:
        reply.write("Something. ")
        await asyncio.sleep(60)
        reply.write(" \n ")
        await asyncio.sleep(60)
        await reply.finish()
    assert channel.named("edit") == []


@virtual_time
async def test_typing_shows_until_the_first_text_and_is_kept_alive() -> None:
    channel = FakeChannel(PACED)
    async with opened(channel) as reply:
        for _ in range(140):
            await asyncio.sleep(0.1)
            assert channel.is_typing()
        reply.write("Now.")
        await asyncio.sleep(0.01)
        assert not channel.is_typing()
        await asyncio.sleep(60)
        reply.write(" More.")
        await reply.finish()
    assert times(channel, "typing") == [0.0, 4.0, 8.0, 12.0]


@virtual_time
async def test_typing_goes_off_at_the_end_where_the_message_does_not_do_it() -> None:
    channel = FakeChannel(replace(CAPABILITIES, streaming=Streaming.NONE, typing_ttl=30.0))
    async with opened(channel) as reply:
        await asyncio.sleep(1.0)
        await reply.finish()
    assert [call.text for call in channel.named("typing")] == ["on", "off"]


@virtual_time
async def test_a_slow_typing_call_does_not_hold_up_the_first_text() -> None:
    channel = FakeChannel(PACED)
    held = asyncio.Event()

    async def typing(address: object, *, is_on: bool) -> None:
        await held.wait()

    channel.typing = typing  # type: ignore[attr-defined]  # an ability bound at run time, as the fake does
    async with opened(channel) as reply:
        await asyncio.sleep(0.1)
        reply.write("There.")
        await asyncio.sleep(0.0)
        await asyncio.sleep(0.0)
        assert channel.visible() == ["There."]
        await reply.finish()


@virtual_time
async def test_typing_takes_no_token_from_the_answer() -> None:
    everything = WriteBudget("account", frozenset(Operation), 0.2, 2)
    channel = FakeChannel(replace(PACED, budgets=(everything,)))
    delivery = await answer(channel, numbered(20), pause=0.1)
    assert channel.named("typing") == []
    assert delivery.first_visible == 0.0


@virtual_time
async def test_a_failing_indicator_is_given_up_and_harms_nothing() -> None:
    channel = FakeChannel(PACED)
    channel.fail_next("typing", Refused("no_typing_here"))
    async with opened(channel) as reply:
        await asyncio.sleep(30)
        reply.write("Fine.")
        await reply.finish()
    assert len(channel.named("typing")) == 1
    assert channel.visible() == ["Fine."]


@virtual_time
async def test_a_first_text_of_white_space_is_not_shown() -> None:
    channel = FakeChannel(PACED)
    async with opened(channel) as reply:
        reply.write("\n\n  \u200b")
        await asyncio.sleep(10)
        assert channel.named("send") == []
        reply.write("Words.")
        await reply.finish()
    assert [call.text.strip("\u200b") for call in channel.named("send")] == ["Words."]


@virtual_time
async def test_an_empty_answer_is_never_sent() -> None:
    channel, journal = FakeChannel(PACED), MemoryJournal()
    delivery = await answer(channel, ["", " ", "\n"], journal=journal)
    assert (delivery.message_ids, delivery.text, delivery.first_visible) == ((), "", None)
    assert journal.finals == []
    assert channel.visible() == []


@virtual_time
async def test_an_empty_answer_with_a_closing_note_is_the_note() -> None:
    channel = FakeChannel(PACED)
    delivery = await answer(channel, [], closing="The model said nothing.")
    assert channel.visible() == ["The model said nothing."]
    assert delivery.text == "The model said nothing."


@virtual_time
async def test_a_closing_note_stands_behind_a_fence_that_is_open() -> None:
    channel = FakeChannel(PACED)
    async with opened(channel) as reply:
        reply.write("Code:\n```py\nx = 1")
        delivery = await reply.finish(closing="(stopped)")
        assert reply.text == "Code:\n```py\nx = 1"
    assert channel.visible() == ["Code:\n```py\nx = 1\n```\n\n(stopped)"]
    assert delivery.text == channel.visible()[0]


@virtual_time
async def test_half_markdown_is_never_seen_and_the_final_is_as_written() -> None:
    channel = FakeChannel(replace(PACED, budgets=()))
    text = "Look at **this** and [that](https://e.org) `now` *and [open"
    async with opened(channel) as reply:
        await write_slowly(reply, text, 0.01)
        await reply.finish()
    states = [call.text for call in channel.calls if call.name in {"send", "edit"}]
    assert all(state.count("**") % 2 == 0 and state.count("`") % 2 == 0 for state in states)
    assert not any("[that" in state and "(https://e.org)" not in state for state in states)
    assert channel.visible() == [text]


@virtual_time
async def test_odd_characters_are_cleaned_even_where_a_delta_cuts_them() -> None:
    channel = FakeChannel(replace(PACED, budgets=()))
    async with opened(channel) as reply:
        for delta in ("a\x00b", "\ud83d", "\ude00", "c\r", "\nd", "\u202ee", "\ud800"):
            reply.write(delta)
            await asyncio.sleep(0.1)
        await reply.finish()
    assert channel.visible() == ["ab\U0001f600c\nde\ufffd"]
    assert channel.violations == []


@virtual_time
async def test_a_short_first_text_waits_only_where_the_caller_asks_for_it() -> None:
    for hold, expected in ((0.0, [0.0]), (0.3, [0.3])):
        channel = FakeChannel(PACED)
        start = asyncio.get_running_loop().time()
        async with opened(channel, hold=hold) as reply:
            reply.write("I")
            await asyncio.sleep(1.0)
            await reply.finish()
        assert [pytest.approx(at - start) for at in times(channel, "send")] == expected


@virtual_time
async def test_a_held_first_text_is_shown_as_soon_as_it_is_long_enough() -> None:
    channel = FakeChannel(PACED)
    async with opened(channel, hold=5.0) as reply:
        await write_slowly(reply, ["I ", "think, and therefore ", "I am. "], 0.1)
        await reply.finish()
    assert times(channel, "send") == [0.1]


@virtual_time
async def test_an_answer_is_rolled_over_into_the_next_message_between_blocks() -> None:
    channel = FakeChannel(replace(PACED, budgets=limited(2.0, 4)))
    blocks = [f"Block {number}. {'Some words in it. ' * 10}".strip() for number in range(12)]
    async with opened(channel) as reply:
        for block in blocks:
            await write_slowly(reply, [f"{block[:90]}", f"{block[90:]}\n\n"], 0.5)
        delivery = await reply.finish()
    assert delivery.splits == len(channel.visible()) - 1 >= 2
    assert "\n\n".join(channel.visible()) == "\n\n".join(blocks)
    assert all(len(text) <= 1000 for text in channel.visible())


@virtual_time
async def test_a_message_that_was_completed_is_not_touched_again() -> None:
    channel = FakeChannel(replace(PACED, budgets=limited(5.0, 5)))
    async with opened(channel) as reply:
        await write_slowly(reply, (f"Paragraph {n}. {'Words. ' * 20}\n\n" for n in range(30)), 0.5)
        await reply.finish()
    last_touched = {message.id: message.states[-1][0] for message in channel.messages}
    assert list(last_touched.values()) == sorted(last_touched.values())


@virtual_time
async def test_the_last_edit_is_kept_for_the_end_where_edits_are_counted() -> None:
    channel = FakeChannel(replace(PACED, max_edits=3, budgets=()))
    async with opened(channel) as reply:
        await write_slowly(reply, numbered(100), 0.1)
        assert len(channel.named("edit")) == 2
        await reply.finish()
    assert len(channel.named("edit")) == 3
    assert channel.visible() == ["".join(numbered(100)).strip()]


@virtual_time
async def test_what_comes_after_the_edit_window_goes_into_a_new_message() -> None:
    channel = FakeChannel(replace(PACED, edit_window=10.0))
    async with opened(channel) as reply:
        reply.write("Before the window closed.")
        await asyncio.sleep(20)
        reply.write(" After it.")
        delivery = await reply.finish()
    assert channel.visible() == ["Before the window closed.", "After it."]
    assert delivery.splits == 1


@virtual_time
async def test_a_note_and_buttons_are_shown_under_the_last_message() -> None:
    channel = FakeChannel(replace(PACED, notes=True, buttons=True, max_text=100))
    async with opened(channel) as reply:
        await asyncio.sleep(0.4)
        reply.write("Some words. " * 20)
        await reply.finish(note=AnswerNote("Model", "because"), actions=[Action("again", "Again")])
    assert len(channel.messages) > 1
    note = AnswerNote("Model", "because", first_visible=0.4)
    assert [message.note for message in channel.messages] == [None] * (len(channel.messages) - 1) + [note]
    assert channel.messages[-1].actions == (Action("again", "Again"),)


@virtual_time
async def test_a_note_that_fails_does_not_fail_the_answer() -> None:
    channel = FakeChannel(replace(PACED, notes=True, buttons=True))
    channel.fail_next("show_note", Unavailable("no note today"))
    async with opened(channel) as reply:
        reply.write("The answer.")
        delivery = await reply.finish(note=AnswerNote("Model", "because"))
    assert delivery.message_ids == ("1",)


@virtual_time
async def test_replies_of_one_account_share_its_budgets() -> None:
    token = WriteBudget("token", frozenset({Operation.SEND, Operation.EDIT}), 10.0, 10)
    channel = FakeChannel(replace(CAPABILITIES, budgets=(token,)))
    budgets = Budgets()
    await asyncio.gather(*(answer(channel, numbered(100), pause=0.1, budgets=budgets) for _ in range(40)))
    assert not [call for call in channel.calls if call.error]
    assert len(channel.visible()) == 40


@virtual_time
async def test_many_replies_that_wait_for_one_token_do_not_wake_all_at_once() -> None:
    """Every wake costs a step; there may be few for each write that is made."""
    token = WriteBudget("token", frozenset({Operation.SEND, Operation.EDIT}), 10.0, 1)
    channel = FakeChannel(replace(CAPABILITIES, budgets=(token,)))
    budgets, loop = Budgets(), asyncio.get_running_loop()
    clock_reads = 0

    def clock() -> float:
        nonlocal clock_reads
        clock_reads += 1
        return loop.time()

    from channels.delivery import open_reply

    async def one(number: int) -> None:
        async with open_reply(
            channel, direct(), MemoryJournal(turn=str(number)), budgets, clock=clock
        ) as reply:
            reply.write("Words.")
            await reply.finish()

    await asyncio.gather(*(one(number) for number in range(200)))
    assert len(channel.visible()) == 200
    assert clock_reads < 200 * 20


@virtual_time
async def test_a_key_goes_with_every_message() -> None:
    channel = FakeChannel(replace(PACED, send_key=SendKey.KEY, max_text=100))
    journal = MemoryJournal()
    async with opened(channel, journal) as reply:
        reply.write("Some words. " * 30)
        await reply.finish()
    assert [message.send_key for message in channel.messages] == [
        f"turn-{n}" for n in range(len(channel.messages))
    ]
    assert [(part, key) for part, key, _ in journal.sents] == [
        (n, f"turn-{n}") for n in range(len(channel.messages))
    ]
