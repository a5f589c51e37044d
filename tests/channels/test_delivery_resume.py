"""An answer that goes on in a new process: same messages, nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from channels.capabilities import Capabilities, SendKey, Streaming
from channels.errors import Unavailable
from channels.fake import FakeChannel, direct, limited
from channels.fake_daemon import MemoryJournal
from channels.steps import Past
from tests.channels.replies import CAPABILITIES, numbered, opened, write_slowly
from tests.virtual_time import virtual_time

PACED = replace(CAPABILITIES, budgets=limited(2.0, 3))


async def broken_off(channel: FakeChannel, count: int) -> MemoryJournal:
    """A first life that says `count` words and is gone; returns its journal."""
    journal = MemoryJournal()
    answering = asyncio.create_task(_speak(channel, journal, count))
    await asyncio.sleep(count * 0.05 + 1.0)
    answering.cancel()
    await asyncio.wait({answering})
    return journal


async def _speak(channel: FakeChannel, journal: MemoryJournal, count: int) -> None:
    async with opened(channel, journal) as reply:
        await write_slowly(reply, numbered(count), 0.05)
        await asyncio.sleep(3600)


def texts(channel: FakeChannel) -> dict[str, str]:
    return {message.id: message.text for message in channel.messages}


@virtual_time
async def test_the_answer_goes_on_in_the_same_message_and_never_shrinks() -> None:
    channel = FakeChannel(PACED)
    first = await broken_off(channel, 60)
    stood = len(channel.visible()[0])
    async with opened(channel, first.after_crash(texts(channel))) as reply:
        assert reply.is_visible
        await write_slowly(reply, [f"new{n} " for n in range(120)], 0.05)
        delivery = await reply.finish()
    assert channel.visible() == ["".join(f"new{n} " for n in range(120)).strip()]
    assert delivery.message_ids == ("1",)
    assert all(len(text) >= stood for _, text in channel.messages[0].states[-5:])


@virtual_time
async def test_a_shorter_answer_waits_until_it_is_whole() -> None:
    channel = FakeChannel(PACED)
    first = await broken_off(channel, 100)
    before = len(channel.messages[0].states)
    async with opened(channel, first.after_crash(texts(channel))) as reply:
        await write_slowly(reply, numbered(20), 0.2)
        assert len(channel.messages[0].states) == before
        await reply.finish()
    assert channel.visible() == ["".join(numbered(20)).strip()]


@virtual_time
async def test_what_stood_is_kept_even_where_only_the_whole_text_is_known() -> None:
    channel = FakeChannel(PACED)
    first = await broken_off(channel, 100)
    stood = channel.visible()[0]
    async with opened(channel, first.after_crash(), past=Past(is_resumed=True, text=stood)) as reply:
        await write_slowly(reply, [f"new{n} " for n in range(120)], 0.05)
        await reply.finish()
    assert all(len(text) >= len(stood) - 20 for _, text in channel.messages[0].states[-5:])


@virtual_time
async def test_messages_that_the_new_answer_does_not_need_are_taken_back() -> None:
    for deletes, expected in ((True, ["Short."]), (False, ["Short.", "\u2013", "\u2013"])):
        channel = FakeChannel(replace(PACED, deletes=deletes, max_text=200))
        first = await broken_off(channel, 100)
        assert len(channel.messages) == 3
        async with opened(channel, first.after_crash(texts(channel))) as reply:
            reply.write("Short.")
            delivery = await reply.finish()
        assert channel.visible() == expected
        assert delivery.message_ids == ("1",) if deletes else delivery.message_ids[0] == "1"


@virtual_time
async def test_a_longer_answer_goes_on_in_new_messages_with_keys_of_their_own() -> None:
    channel = FakeChannel(replace(PACED, max_text=200, send_key=SendKey.KEY))
    first = await broken_off(channel, 30)
    async with opened(channel, first.after_crash(texts(channel))) as reply:
        await write_slowly(reply, numbered(100), 0.05)
        await reply.finish()
    assert " ".join(channel.visible()) == "".join(numbered(100)).strip()
    keys = [message.send_key for message in channel.messages]
    assert len(set(keys)) == len(keys) > 1


@pytest.mark.parametrize("streaming", [Streaming.NONE, Streaming.BLOCK])
@pytest.mark.parametrize("is_known", [True, False])
def test_without_edits_the_same_final_goes_on_after_what_stands(streaming: Streaming, is_known: bool) -> None:
    @virtual_time
    async def scenario() -> None:
        declared: Capabilities = replace(
            CAPABILITIES, streaming=streaming, max_text=200, send_key=SendKey.KEY
        )
        channel = FakeChannel(declared)
        text = "\n\n".join(f"Paragraph {n}. {'words ' * 20}" for n in range(6))
        async with opened(channel) as reply:
            reply.write(text)
            await reply.finish()
        whole = channel.visible()
        journal = MemoryJournal()
        keep = channel.messages[:2]
        journal.sents = [(n, m.send_key, channel._sent(m)) for n, m in enumerate(keep)]  # noqa: SLF001 - a stored row
        channel.messages[:] = keep
        known = texts(channel) if is_known or streaming is Streaming.BLOCK else {}
        async with opened(channel, journal.after_crash(known)) as reply:
            reply.write(text)
            await reply.finish()
        assert channel.visible() == whole
        assert channel.repeated == []

    scenario()


@virtual_time
async def test_without_edits_another_answer_is_sent_as_new_messages() -> None:
    channel = FakeChannel(replace(CAPABILITIES, streaming=Streaming.NONE, max_text=200, send_key=SendKey.KEY))
    await channel.send(direct(), "What an earlier life said.", "turn-0")
    journal = MemoryJournal()
    journal.sents = [(0, "turn-0", channel._sent(channel.messages[0]))]  # noqa: SLF001 - a stored row
    async with opened(channel, journal.after_crash(texts(channel))) as reply:
        reply.write("Something else.")
        await reply.finish()
    assert channel.visible() == ["What an earlier life said.", "Something else."]


@virtual_time
async def test_a_send_in_flight_at_the_crash_is_found_by_its_key_and_brought_up_to_date() -> None:
    channel = FakeChannel(replace(PACED, send_key=SendKey.KEY))
    await channel.send(direct(), "Half an ans", "turn-0")  # stands, but nobody wrote it down
    async with opened(channel, MemoryJournal(), past=Past(is_resumed=True)) as reply:
        reply.write("Half an answer is now whole.")
        await reply.finish()
    assert channel.visible() == ["Half an answer is now whole."]


@virtual_time
async def test_a_send_in_flight_at_the_crash_is_brought_up_to_date_after_a_lost_answer_too() -> None:
    """The try of this life whose answer was lost told nothing of what the earlier life's message reads."""
    channel = FakeChannel(replace(PACED, send_key=SendKey.KEY))
    await channel.send(direct(), "Half an ans", "turn-0")
    channel.fail_next("send", Unavailable("lost", maybe_sent=True))
    async with opened(channel, MemoryJournal(), past=Past(is_resumed=True)) as reply:
        reply.write("Half an answer is now whole.")
        await reply.finish()
    assert channel.visible() == ["Half an answer is now whole."]


@virtual_time
async def test_a_send_in_flight_at_the_crash_is_found_by_looking() -> None:
    channel = FakeChannel(replace(PACED, send_key=SendKey.READBACK))
    await channel.send(direct(), "Half an ans", "turn-0")
    async with opened(channel, MemoryJournal(), past=Past(is_resumed=True)) as reply:
        reply.write("Half an answer is now whole.")
        await reply.finish()
    assert channel.visible() == ["Half an answer is now whole."]
    assert len(channel.named("read_back")) == 1


@virtual_time
async def test_a_fresh_reply_does_not_look_for_itself() -> None:
    channel = FakeChannel(replace(PACED, send_key=SendKey.READBACK))
    async with opened(channel) as reply:
        reply.write("New.")
        await reply.finish()
    assert channel.named("read_back") == []


@pytest.mark.parametrize("send_key", [SendKey.KEY, SendKey.READBACK])
@pytest.mark.parametrize("stood", [True, False])
@pytest.mark.parametrize("is_lost", [True, False])
def test_a_send_in_flight_at_the_crash_can_be_taken_back(
    send_key: SendKey, stood: bool, is_lost: bool
) -> None:
    @virtual_time
    async def scenario() -> None:
        channel = FakeChannel(replace(PACED, send_key=send_key, deletes=True))
        if stood:
            await channel.send(direct(), "Half an ans", "turn-0")
        sends = len(channel.named("send"))
        if is_lost:
            channel.fail_next("read_back", Unavailable("nobody there"))
            channel.fail_next("send", Unavailable("lost", maybe_sent=True), late=True)
        past = Past(is_resumed=True, may_stand=True)
        async with opened(channel, MemoryJournal(), past=past) as reply:
            reply.replace("")
            delivery = await reply.finish()
        assert (channel.visible(), delivery.message_ids) == ([], ())
        assert channel.violations == channel.repeated == []
        assert send_key is SendKey.KEY or len(channel.named("send")) == sends

    scenario()


@virtual_time
async def test_what_cannot_be_asked_for_a_send_in_flight_is_let_be() -> None:
    channel = FakeChannel(replace(PACED, send_key=SendKey.KEY, deletes=True))
    channel.fail_next("send", *[Unavailable("nobody there")] * 50)
    async with opened(channel, MemoryJournal(), past=Past(is_resumed=True, may_stand=True)) as reply:
        reply.replace("")
        delivery = await reply.finish()
    assert (channel.visible(), delivery.message_ids) == ([], ())
    assert len(channel.named("send")) < 10


@pytest.mark.parametrize(
    ("streaming", "was", "stood", "follows"),
    [
        (Streaming.NONE, "It begins at ten.", "It begins at ten.", False),
        (Streaming.NONE, "", "It begins at ten.", False),  # the disk did not take it
        (
            Streaming.NONE,
            "I was away.",
            "It begins at ten.",
            False,
        ),  # a second life was away too, and said so
        (Streaming.NONE, "It begins at ten. It ends at four.", "It begins at ten.", True),
        (Streaming.BLOCK, "", "It begins at ten.", True),
    ],
)
def test_a_word_of_ours_follows_what_stands_under_its_key_whole_or_not_at_all(
    streaming: Streaming, was: str, stood: str, follows: bool
) -> None:
    @virtual_time
    async def scenario() -> None:
        channel = FakeChannel(replace(PACED, streaming=streaming, send_key=SendKey.KEY), echoes=True)
        await channel.send(direct(), stood, "turn-0")
        past = Past(is_resumed=True, text=was, may_stand=True)
        async with opened(channel, MemoryJournal(), past=past) as reply:
            reply.write("I was away.")
            await reply.finish()
        assert channel.visible() == [stood] + ["I was away."] * follows
        assert channel.violations == channel.repeated == []

    scenario()
