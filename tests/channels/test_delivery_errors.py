"""What a reply does when the channel refuses, fails, cuts or loses something."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import pytest

from channels.capabilities import SendKey, Streaming
from channels.delivery import open_reply
from channels.errors import (
    ChannelError,
    Gone,
    GoneWhat,
    NotAuthorized,
    RateLimited,
    Refused,
    TooLong,
    Unavailable,
)
from channels.events import Address, AnswerNote
from channels.fake import FakeChannel, direct, limited
from channels.fake_daemon import MemoryJournal
from channels.outcome import PATIENCE
from channels.pacing import Budgets
from channels.script import LIMITED_PATIENCE
from tests.channels.replies import CAPABILITIES, answer, numbered, opened, times, write_slowly
from tests.virtual_time import virtual_time

PACED = replace(CAPABILITIES, budgets=limited(1.0, 3))
WHOLE = replace(CAPABILITIES, streaming=Streaming.NONE)
TEXT = "".join(numbered(100)).strip()


@virtual_time
async def test_after_a_refusal_no_edit_is_made_until_the_time_is_over() -> None:
    channel = FakeChannel(PACED)
    channel.fail_next("edit", RateLimited(20.0, "chat"))
    async with opened(channel) as reply:
        await write_slowly(reply, numbered(150), 0.2)
        refused, *rest = times(channel, "edit")
        assert rest and rest[0] >= refused + 20.0
        await reply.finish()
    assert channel.visible() == ["".join(numbered(150)).strip()]


@virtual_time
async def test_only_the_final_waits_a_refusal_out() -> None:
    channel = FakeChannel(PACED)
    channel.fail_next("edit", RateLimited(20.0, "chat"))
    async with opened(channel) as reply:
        await write_slowly(reply, numbered(100), 0.05)
        await reply.finish()
    refused, final = times(channel, "edit")
    assert final == pytest.approx(refused + 20.0)
    assert channel.visible() == [TEXT]


@virtual_time
async def test_a_refusal_slows_the_next_replies_of_the_conversation_too() -> None:
    channel, budgets = FakeChannel(PACED), Budgets()
    channel.fail_next("edit", RateLimited(30.0, "chat"))
    await answer(channel, numbered(100), pause=0.02, budgets=budgets)
    ended = asyncio.get_running_loop().time()
    async with opened(channel, MemoryJournal(turn="next"), budgets) as reply:
        await write_slowly(reply, numbered(100), 0.1)
        await reply.finish()
    later = [at for at in times(channel, "edit") if at > ended]
    gaps = [after - before for before, after in itertools.pairwise(later)][:-1]
    assert min(gaps) > 1.1  # the declared rate allows one a second


@virtual_time
async def test_a_refusal_without_declared_budgets_is_obeyed_all_the_same() -> None:
    channel = FakeChannel(CAPABILITIES)
    channel.fail_next("edit", RateLimited(20.0))
    async with opened(channel) as reply:
        await write_slowly(reply, numbered(100), 0.1)
        await reply.finish()
    refused, final = times(channel, "edit")
    assert final == pytest.approx(refused + 20.0)


@virtual_time
async def test_a_ban_that_is_too_long_to_wait_out_is_raised_by_finish() -> None:
    channel, journal = FakeChannel(PACED), MemoryJournal()
    channel.fail_next("edit", RateLimited(LIMITED_PATIENCE + 500, "chat"))
    with pytest.raises(RateLimited):
        await answer(channel, numbered(100), pause=0.05, journal=journal)
    assert journal.finals == [TEXT]
    assert asyncio.get_running_loop().time() < LIMITED_PATIENCE


@virtual_time
async def test_a_channel_that_is_away_for_a_while_gets_the_answer_when_it_is_back() -> None:
    channel = FakeChannel(PACED)
    channel.fail_next("send", *[Unavailable("no route")] * 5)
    await answer(channel, numbered(100), pause=0.02)
    assert channel.visible() == [TEXT]
    tries = times(channel, "send")
    gaps = [after - before for before, after in itertools.pairwise(tries)]
    assert gaps == sorted(gaps)


@virtual_time
async def test_a_channel_that_stays_away_fails_the_answer_within_a_bounded_time() -> None:
    channel, journal = FakeChannel(PACED), MemoryJournal()
    channel.fail_next("send", *[Unavailable("no route")] * 1000)
    with pytest.raises(Unavailable):
        await answer(channel, numbered(100), pause=0.02, journal=journal)
    assert PATIENCE <= asyncio.get_running_loop().time() < 2.5 * PATIENCE
    assert journal.finals == [TEXT]


@virtual_time
async def test_a_call_that_never_returns_is_given_up() -> None:
    channel = FakeChannel(PACED)
    calls = 0

    async def hang(address: Address, message_id: str, text: str) -> None:
        nonlocal calls
        calls += 1
        await asyncio.get_running_loop().create_future()

    channel.edit = hang  # type: ignore[attr-defined]  # an ability bound at run time, as the fake does
    with pytest.raises(Unavailable):
        await answer(channel, numbered(100), pause=0.1)
    assert calls >= 1


@virtual_time
async def test_a_failed_edit_is_tried_again_with_the_newest_text() -> None:
    channel = FakeChannel(PACED)
    channel.fail_next("edit", Unavailable("reset"), Unavailable("reset", maybe_sent=True))
    await answer(channel, numbered(100), pause=0.05)
    texts = [call.text for call in channel.named("edit")]
    assert all(
        later.startswith(earlier[:20]) and len(later) >= len(earlier)
        for earlier, later in itertools.pairwise(texts)
    )
    assert channel.visible() == [TEXT]


@pytest.mark.parametrize("kind", list(SendKey))
def test_a_send_of_unknown_outcome_is_repeated_in_the_safest_way_there_is(kind: SendKey) -> None:
    @virtual_time
    async def scenario() -> None:
        channel = FakeChannel(replace(PACED, send_key=kind))
        channel.fail_next("send", Unavailable("lost", maybe_sent=True), late=True)
        delivery = await answer(channel, numbered(100), pause=0.05)
        if kind is SendKey.NONE:
            assert delivery.maybe_doubled == 1
            assert channel.visible()[-1] == TEXT
            assert len(channel.visible()) == 2
        else:
            assert delivery.maybe_doubled == 0
            assert channel.visible() == [TEXT]
        assert len(channel.named("read_back")) == (1 if kind is SendKey.READBACK else 0)

    scenario()


@virtual_time
async def test_without_a_key_a_send_is_repeated_once_and_no_more() -> None:
    channel = FakeChannel(PACED)
    channel.fail_next("send", *[Unavailable("lost", maybe_sent=True)] * 3, late=True)
    with pytest.raises(Unavailable):
        await answer(channel, numbered(10), pause=0.05)
    assert len(channel.visible()) == 2


@virtual_time
async def test_what_was_never_sent_is_repeated_as_often_as_it_takes() -> None:
    channel = FakeChannel(WHOLE)
    channel.fail_next("send", *[Unavailable("no route", maybe_sent=False)] * 4)
    delivery = await answer(channel, ["Here."])
    assert channel.visible() == ["Here."]
    assert delivery.maybe_doubled == 0


@virtual_time
async def test_a_message_that_somebody_deleted_is_sent_once_more_at_the_end() -> None:
    channel = FakeChannel(PACED)
    journal = MemoryJournal()
    async with opened(channel, journal) as reply:
        await write_slowly(reply, numbered(50), 0.1)
        channel.delete_by_hand("1")
        await write_slowly(reply, numbered(50), 0.1)
        assert channel.visible() == []
        delivery = await reply.finish()
    assert channel.visible() == [("".join(numbered(50)) * 2).strip()]
    assert delivery.message_ids == ("2",)
    assert [key for _, key, _ in journal.sents] == ["turn-0", "turn-1"]


@pytest.mark.parametrize("error", [Gone(GoneWhat.CONVERSATION), NotAuthorized("revoked")])
@pytest.mark.parametrize("call", ["send", "edit"])
def test_where_nothing_can_be_shown_any_more_writing_stops_and_finish_raises(
    error: ChannelError, call: str
) -> None:
    @virtual_time
    async def scenario() -> None:
        channel = FakeChannel(PACED)
        channel.fail_next(call, error)
        async with opened(channel) as reply:
            await write_slowly(reply, numbered(100), 0.1)
            await asyncio.wait_for(reply.until_mute(), 1.0)
            assert reply.error is error
            with pytest.raises(type(error)):
                await reply.finish()
        assert channel.calls[-1].error == type(error).__name__

    scenario()


@virtual_time
async def test_a_message_that_the_channel_never_takes_fails_the_answer() -> None:
    channel = FakeChannel(PACED)
    channel.fail_next("send", Refused("no_rights"))
    with pytest.raises(Refused):
        await answer(channel, ["Hello."])


@virtual_time
async def test_where_edits_are_refused_the_rest_goes_into_a_further_message() -> None:
    channel = FakeChannel(PACED)
    channel.fail_next("edit", Refused("edits_are_off"))
    delivery = await answer(channel, numbered(100), pause=0.1)
    assert channel.visible()[0] == "w0"
    assert " ".join(channel.visible()) == TEXT
    assert delivery.splits == 1


@virtual_time
async def test_a_text_that_turns_out_too_long_is_split_smaller() -> None:
    channel = FakeChannel(replace(WHOLE, max_text=1000))
    channel.declared = replace(WHOLE, max_text=1000)
    channel.fail_next("send", TooLong("rendered"), TooLong("rendered"))
    delivery = await answer(channel, ["Some words to be split. " * 40])
    assert "".join("".join(channel.visible()).split()) == "Somewordstobesplit." * 40
    assert all(len(text) <= 250 for text in channel.visible())
    assert delivery.splits == len(channel.visible()) - 1


@virtual_time
async def test_an_edit_that_turns_out_too_long_is_split_and_goes_on_in_a_new_message() -> None:
    channel = FakeChannel(PACED)
    async with opened(channel) as reply:
        await write_slowly(reply, numbered(60), 0.1)
        channel.fail_next("edit", TooLong("rendered"))
        await write_slowly(reply, numbered(60), 0.1)
        await reply.finish()
    assert " ".join(channel.visible()) == ("".join(numbered(60)) * 2).strip()
    assert len(channel.visible()) > 1


@virtual_time
async def test_a_text_of_a_few_words_that_is_too_long_fails_the_answer() -> None:
    channel = FakeChannel(PACED)
    channel.fail_next("send", *[TooLong("always")] * 50)
    with pytest.raises(TooLong):
        await answer(channel, numbered(50))


@virtual_time
async def test_a_question_that_was_deleted_is_answered_without_a_reference() -> None:
    channel = FakeChannel(PACED)
    channel.fail_next("send", Gone(GoneWhat.MESSAGE))
    address = replace(direct(), reply_to="99")
    clock = asyncio.get_running_loop().time
    async with open_reply(channel, address, MemoryJournal(), Budgets(), clock=clock) as reply:
        reply.write("Here it is.")
        await reply.finish()
    assert channel.visible() == ["Here it is."]


@virtual_time
async def test_a_message_that_reads_less_than_it_should_is_edited_once_more() -> None:
    channel = FakeChannel(PACED, echoes=True, latency=1.0)

    def heal() -> None:
        channel.truncates_at = None

    async with opened(channel) as reply:
        await write_slowly(reply, numbered(100), 0.05)
        await asyncio.sleep(5)
        reply.write("end")
        channel.truncates_at = 60
        asyncio.get_running_loop().call_later(0.8, heal)
        await reply.finish()
    assert [len(text) for _, text in channel.messages[0].states[-2:]] == [60, len(f"{TEXT} end")]
    assert channel.visible() == [f"{TEXT} end"]


@virtual_time
async def test_words_that_a_channel_cuts_off_go_into_a_further_message() -> None:
    channel = FakeChannel(replace(WHOLE, max_text=1000), echoes=True, truncates_at=300)
    delivery = await answer(channel, ["".join(f"word{number} " for number in range(100))])
    assert len(channel.visible()) > 2
    assert "".join("".join(channel.visible()).split()) == "".join(f"word{number}" for number in range(100))
    assert len(delivery.message_ids) == len(channel.visible())


@virtual_time
async def test_an_echo_that_is_only_rendered_otherwise_is_no_reason_to_repair() -> None:
    channel = FakeChannel(PACED, echoes=True)
    await answer(channel, ["# Title\n\nSome **bold** words, [a link](https://example.org/x), `code`."])
    assert channel.named("edit") == []


@virtual_time
async def test_an_adapters_own_fault_comes_out_of_finish() -> None:
    channel = FakeChannel(PACED)
    channel.fail_next("send", ZeroDivisionError("a bug"))
    async with opened(channel) as reply:
        reply.write("Hello.")
        await asyncio.wait_for(reply.until_mute(), 1.0)
        with pytest.raises(ZeroDivisionError):
            await reply.finish()


@virtual_time
async def test_where_no_edit_is_taken_at_all_the_answer_is_whole_all_the_same() -> None:
    channel = FakeChannel(replace(CAPABILITIES, streaming=Streaming.NONE, max_edits=0), edits=True)
    await answer(channel, numbered(30))
    assert channel.visible() == ["".join(numbered(30)).strip()]
    assert channel.named("edit") == []


@virtual_time
async def test_what_is_taken_back_goes_also_where_the_first_tries_fail() -> None:
    channel = FakeChannel(replace(PACED, deletes=True))
    async with opened(channel) as reply:
        await write_slowly(reply, numbered(50), 0.1)
        channel.fail_next("delete", Unavailable("cut off", maybe_sent=True), Unavailable("cut off"))
        reply.replace("")
        await reply.finish()
    assert channel.visible() == []
    assert len(times(channel, "delete")) == 3


@pytest.mark.parametrize("fault", [Unavailable("later"), ZeroDivisionError()])
async def test_an_answer_stands_whatever_becomes_of_the_note_under_it(fault: Exception) -> None:
    channel = FakeChannel(replace(CAPABILITIES, notes=True))
    channel.fail_next("show_note", fault)
    async with opened(channel) as reply:
        reply.write("hello")
        shown = await reply.finish(note=AnswerNote("some/model", "default", 0.1))
    assert (shown.text, channel.visible(), len(channel.named("show_note"))) == ("hello", ["hello"], 1)
