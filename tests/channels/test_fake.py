"""The fake keeps the rules that a real channel would: a test on it can fail for the right reasons."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from channels.base import Deletes, Edits, ReadsBack, ShowsNotes, Streams, Typing
from channels.capabilities import LengthUnit, SendKey, Streaming
from channels.errors import Gone, GoneWhat, RateLimited, Refused, TooLong, Unavailable
from channels.fake import FakeChannel, direct, limited
from channels.fake_daemon import RecordingHost
from tests.channels.replies import CAPABILITIES
from tests.virtual_time import Deadlock, run, virtual_time

WHOLE = replace(CAPABILITIES, streaming=Streaming.NONE)
EDITS = replace(CAPABILITIES, max_text=50)


def test_it_has_the_abilities_that_it_declares_and_no_others() -> None:
    abilities = (Edits, Deletes, Typing, Streams, ReadsBack, ShowsNotes)
    bare: object = FakeChannel(WHOLE)
    assert [ability for ability in abilities if isinstance(bare, ability)] == []
    everything = replace(
        WHOLE,
        streaming=Streaming.NATIVE,
        typing_ttl=5.0,
        deletes=True,
        buttons=True,
        notes=True,
        send_key=SendKey.READBACK,
    )
    full = FakeChannel(everything, edits=True)
    assert all(isinstance(full, ability) for ability in abilities)


@virtual_time
async def test_its_limits_count_and_tell_how_long_to_wait() -> None:
    channel = FakeChannel(replace(WHOLE, budgets=limited(0.5, 2)))
    for number in range(2):
        await channel.send(direct(), "text", f"k{number}")
    with pytest.raises(RateLimited) as caught:
        await channel.send(direct(), "text", "k2")
    assert caught.value.retry_after == pytest.approx(2.0)
    await asyncio.sleep(caught.value.retry_after)
    await channel.send(direct(), "text", "k2")


@virtual_time
async def test_it_refuses_what_is_too_long_in_its_own_unit_blank_or_broken() -> None:
    channel = FakeChannel(replace(WHOLE, max_text=10, unit=LengthUnit.UTF16))
    await channel.send(direct(), "\U0001f600" * 5, "a")
    with pytest.raises(TooLong):
        await channel.send(direct(), "\U0001f600" * 6, "b")
    for text in ("  ", "a\x00", "\ud800"):
        with pytest.raises(Refused):
            await channel.send(direct(), text, "c")
    assert len(channel.violations) == 3


@virtual_time
async def test_an_edit_that_changes_nothing_is_noted() -> None:
    channel = FakeChannel(EDITS)
    assert isinstance(channel, Edits)
    sent = await channel.send(direct(), "text", "a")
    await channel.edit(direct(), sent.id, "other")
    assert channel.violations == []
    await channel.edit(direct(), sent.id, "other")
    assert len(channel.violations) == 1


@virtual_time
async def test_edits_are_counted_and_their_window_closes() -> None:
    counted = FakeChannel(replace(EDITS, max_edits=1))
    timed = FakeChannel(replace(EDITS, edit_window=10.0))
    for channel in (counted, timed):
        assert isinstance(channel, Edits)
        sent = await channel.send(direct(), "text", "a")
        await channel.edit(direct(), sent.id, "one")
        await asyncio.sleep(11)
        with pytest.raises(Refused):
            await channel.edit(direct(), sent.id, "two")


@virtual_time
async def test_a_message_that_was_deleted_by_hand_is_gone() -> None:
    channel = FakeChannel(EDITS)
    assert isinstance(channel, Edits)
    sent = await channel.send(direct(), "text", "a")
    channel.delete_by_hand(sent.id)
    with pytest.raises(Gone) as caught:
        await channel.edit(direct(), sent.id, "too late")
    assert caught.value.what is GoneWhat.MESSAGE
    assert channel.visible() == []


@virtual_time
async def test_a_key_makes_one_message_where_keys_count_and_two_elsewhere() -> None:
    for kind, count in ((SendKey.KEY, 1), (SendKey.NONE, 2)):
        channel = FakeChannel(replace(WHOLE, send_key=kind))
        for _ in range(2):
            await channel.send(direct(), "text", "the key")
        assert len(channel.visible()) == count
        assert channel.repeated == ["the key"] * (count - 1)


@virtual_time
async def test_a_late_fault_takes_effect_and_an_early_one_does_not() -> None:
    channel = FakeChannel(WHOLE)
    channel.fail_next("send", Unavailable("never left"))
    channel.fail_next("send", Unavailable("lost", maybe_sent=True), late=True)
    for text in ("first", "second"):
        with pytest.raises(Unavailable):
            await channel.send(direct(), text, text)
    assert channel.visible() == ["second"]
    assert [call.error for call in channel.calls] == ["Unavailable", "Unavailable"]


@virtual_time
async def test_a_stream_ends_with_its_lifetime() -> None:
    channel = FakeChannel(replace(WHOLE, streaming=Streaming.NATIVE, stream_lifetime=5.0))
    assert isinstance(channel, Streams)
    stream = await channel.start_stream(direct(), "a", "key")
    await channel.update_stream(direct(), stream, "ab", "b")
    await asyncio.sleep(6)
    with pytest.raises(Refused):
        await channel.update_stream(direct(), stream, "abc", "c")


@virtual_time
async def test_a_text_that_is_taken_back_where_it_cannot_be_is_noted() -> None:
    channel = FakeChannel(replace(WHOLE, streaming=Streaming.NATIVE, replaceable=False))
    assert isinstance(channel, Streams)
    stream = await channel.start_stream(direct(), "abc", "key")
    await channel.update_stream(direct(), stream, "xyz", None)
    assert channel.violations


@virtual_time
async def test_a_long_message_is_cut_without_an_error_where_that_is_asked_for() -> None:
    channel = FakeChannel(WHOLE, truncates_at=4, echoes=True)
    sent = await channel.send(direct(), "abcdefgh", "a")
    assert (sent.shown, channel.visible()) == ("abcd", ["abcd"])


def test_what_a_person_says_reaches_the_host_until_it_is_taken(tmp_path: Path) -> None:
    async def scenario() -> None:
        host = RecordingHost(tmp_path)
        host.refuse = 2
        message = await FakeChannel(WHOLE, host=host).say("hello")
        assert host.messages == [message]
        assert [event.event_key for event in host.refused] == [message.event_key] * 2

    run(scenario())


def test_a_loop_in_which_nothing_can_happen_any_more_says_so() -> None:
    async def scenario() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Deadlock):
        run(scenario())


def test_virtual_hours_pass_at_once() -> None:
    async def scenario() -> float:
        await asyncio.sleep(36_000)
        return asyncio.get_running_loop().time()

    assert run(scenario()) == pytest.approx(36_000)
