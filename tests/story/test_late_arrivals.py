"""What waited at its platform while we were away: answered while somebody may wait for it, else one honest word."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot import words
from bot.patience import CATCHING_UP, MAX_AGE, MAX_AGE_SLOW
from bot.recovery import resume
from bot.store.base import Outcome
from channels.capabilities import Surface
from channels.events import Message
from providers.fake import FakeProvider, answer
from tests.story.inside import EPOCH, Inside, address, inside, message
from tests.virtual_time import virtual_time


def said(world: Inside, number: int, ago: float, text: str = "well?", space: str = "room") -> Message:
    """Something that was said so many seconds ago and is offered now."""
    at = datetime.fromtimestamp(EPOCH + world.channel.now(), UTC) - timedelta(seconds=ago)
    return replace(message(text, number), sent_at=at, address=address(space))


def connect(world: Inside) -> None:
    assert world.channel.host is not None
    world.channel.host.online(is_online=True)


@virtual_time
async def test_of_a_hundred_old_messages_none_is_answered_and_each_room_reads_one_word(
    tmp_path: Path,
) -> None:
    async with inside(tmp_path, FakeProvider("one", default=answer("here")), is_virtual=True) as world:
        connect(world)
        for number in range(100):
            room, text = f"room {number % 2}", ("well?", "/new", "/stop")[number % 3]
            assert await world.accept(said(world, number, MAX_AGE + 60 * (100 - number), text, room))
        assert await world.accept(said(world, 200, MAX_AGE - 60, space="room 0"))
        await world.quiet()
        assert world.channel.visible(address("room 0")) == [words.STALE, "here"]
        assert world.channel.visible(address("room 1")) == [words.STALE]
        assert len(world.provider.asked) == 1
        assert await world.app.store.pending() == []
        assert all(row.history == () for row in await world.app.store.turns(None, 10))
        await asyncio.sleep(CATCHING_UP - 30)
        assert await world.accept(said(world, 300, MAX_AGE + 60, space="room 1")), (
            "a look back takes its time"
        )
        await world.quiet()
        assert world.channel.visible(address("room 1")) == [words.STALE]
        assert await world.accept(said(world, 5, MAX_AGE)), "a second copy is known"
        await world.quiet()
        assert len(world.provider.asked) == 1


@virtual_time
async def test_who_says_it_again_is_answered_and_a_wrong_clock_makes_nobody_deaf(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", default=answer("here")), is_virtual=True) as world:
        connect(world)
        assert await world.accept(said(world, 1, 3600))
        assert await world.accept(said(world, 2, 0))
        await world.quiet()
        assert world.channel.visible() == [words.STALE, "here"]
        await asyncio.sleep(CATCHING_UP + 1)
        assert await world.accept(said(world, 3, 3600))
        await world.quiet()
        assert world.channel.visible() == [words.STALE, "here", "here"]


@virtual_time
async def test_an_old_second_copy_takes_the_word_from_nobody(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", default=answer("here")), is_virtual=True) as world:
        known = said(world, 1, 3600)
        await world.app.store.add_message(known, "t1", known.sent_at.timestamp())  # of the life before
        connect(world)
        assert await world.accept(known)
        assert await world.accept(said(world, 2, 3600))
        await world.quiet()
        assert world.channel.visible() == [words.STALE]


@virtual_time
@pytest.mark.parametrize(("ago", "stands"), [(MAX_AGE_SLOW - 60, "here"), (MAX_AGE_SLOW + 60, words.STALE)])
async def test_mail_is_waited_for_a_day(tmp_path: Path, ago: float, stands: str) -> None:
    async with inside(tmp_path, FakeProvider("one", default=answer("here")), is_virtual=True) as world:
        connect(world)
        mail = said(world, 1, ago)
        assert await world.accept(replace(mail, address=replace(mail.address, surface=Surface.EMAIL)))
        await world.quiet()
        assert world.channel.visible() == [stands]


@virtual_time
async def test_after_a_crash_before_the_word_stood_it_is_still_too_late(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one"), is_virtual=True) as world:
        old = said(world, 1, MAX_AGE + 60)
        await world.app.store.add_message(old, "t1", old.sent_at.timestamp())  # all that a kill leaves
        connect(world)
        assert await world.accept(said(world, 2, MAX_AGE + 30))
        app = world.app
        await world.quiet()
        await resume(app.store, app.accounts, app.inbox, app.clock, lambda: EPOCH + app.clock())
        await world.quiet()
        assert world.channel.visible() == [words.STALE, words.STALE]
        assert world.provider.asked == []
        assert await world.app.store.pending() == []
        (kept,) = await world.app.store.call(
            lambda store: store.execute(
                "SELECT received_at FROM inbox WHERE event_key = 'event 2'"
            ).fetchall()
        )
        assert kept[0] == pytest.approx(EPOCH - MAX_AGE - 30), (
            "so a crash in between would have told the same"
        )
        ends = [row.outcome for row in await world.app.store.turns(None, 5)]
        assert ends == [Outcome.DONE, Outcome.DONE]
