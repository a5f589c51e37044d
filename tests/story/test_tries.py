"""An answer that its channel does not take: tried again in the running daemon, then set aside, never lost."""

from __future__ import annotations

import asyncio
import functools
from contextlib import closing
from pathlib import Path

from bot import words
from bot.patience import MAX_AGE, MAX_CRASHES, MAX_ERRORS
from bot.recovery import Recovery, Verdict, resume
from bot.store import letters
from bot.store.base import Outcome, TurnRecord
from bot.store.connection import connect_to_read
from bot.store.letters import Letter
from bot.store.sqlite import SqliteStore
from channels.errors import NotAuthorized, Unavailable
from providers.fake import FakeProvider, Hang, answer
from tests.story.inside import EDITS, EPOCH, Inside, address, inside, message
from tests.virtual_time import virtual_time

AWAY = Unavailable("nobody there", maybe_sent=False)


def _store(world: Inside) -> SqliteStore:
    assert isinstance(world.app.store, SqliteStore)
    return world.app.store


def _letters(world: Inside) -> list[Letter]:
    with closing(connect_to_read(_store(world).path)) as connection:
        return list(letters.letters(connection))


async def _quiet(world: Inside) -> None:
    """Until nothing runs, however long that takes on the loop's clock."""
    await world.app.lanes.idle.wait()


def _is_away(world: Inside, times: int) -> None:
    for call in ("send", "edit"):
        world.channel.fail_next(call, *[AWAY] * times)


@virtual_time
async def test_an_answer_is_shown_once_when_its_channel_is_back(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", answer("hello")), is_virtual=True) as world:
        _is_away(world, 12)
        await world.say("hi")
        await _quiet(world)
        assert world.channel.now() > 60.0
        assert world.channel.visible() == ["hello"]
        assert len(world.provider.asked) == 1
        assert [row.outcome for row in await world.app.store.turns(None, 5)] == [Outcome.DONE]
        assert await world.app.store.pending() == []


@virtual_time
async def test_messages_behind_it_keep_their_order(tmp_path: Path) -> None:
    async with inside(
        tmp_path, FakeProvider("one", answer("first"), answer("second")), is_virtual=True
    ) as world:
        _is_away(world, 12)
        await world.say("one", 1)
        await asyncio.sleep(5)
        await world.say("two", 2)
        await _quiet(world)
        assert world.channel.visible() == ["first", "second"]


@virtual_time
async def test_after_its_age_limit_it_is_a_dead_letter_with_its_answer(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", answer("hello")), is_virtual=True) as world:
        _is_away(world, 10_000)
        await world.say("hi")
        await _quiet(world)
        assert MAX_AGE < world.channel.now() < 2 * MAX_AGE
        (letter,) = _letters(world)
        assert (letter.text, letter.answer, letter.errors) == ("hi", "hello", 0)
        assert "Unavailable" in letter.reason
        assert await world.app.store.pending() == []
        assert await world.app.store.turns(None, 5) == []


@virtual_time
async def test_a_dead_letter_that_is_tried_again_is_shown_without_asking_a_model(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", answer("hello")), is_virtual=True) as world:
        _is_away(world, 300)
        await world.say("hi")
        await _quiet(world)
        (letter,) = _letters(world)
        while True:  # use up what is left of the faults
            try:
                await world.channel.send(address("elsewhere"), "well again", "k")
            except Unavailable:
                continue
            break
        now = EPOCH + world.channel.now()
        assert await _store(world).call(functools.partial(letters.revive, turn_id=letter.turn_id, now=now))
        pending = await world.app.store.waiting(letter.turn_id)
        assert pending is not None
        recovery = Recovery(world.app.store, world.app.accounts, world.app.inbox, lambda: 0.0, lambda: now)
        assert await recovery.take_up(pending) is Verdict.RESUME
        await _quiet(world)
        assert world.channel.visible(address()) == ["hello"]
        assert len(world.provider.asked) == 1
        assert _letters(world) == []


@virtual_time
async def test_after_five_errors_of_its_own_it_is_set_aside_with_one_note(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", answer("hello")), is_virtual=True) as world:
        refusal = NotAuthorized("no")
        for call in ("send", "edit"):
            world.channel.fail_next(call, *[refusal] * MAX_ERRORS)
        await world.say("hi")
        await _quiet(world)
        (letter,) = _letters(world)
        assert letter.errors == MAX_ERRORS
        assert world.channel.visible() == [words.SET_ASIDE]


@virtual_time
async def test_a_stop_of_the_daemon_does_not_wait_for_a_pause(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", answer("hello")), is_virtual=True) as world:
        _is_away(world, 10_000)
        await world.say("hi")
        await asyncio.sleep(70)
        world.app.lanes.drain()
        before = world.channel.now()
        await _quiet(world)
        assert world.channel.now() - before < 70
        (pending,) = await world.app.store.pending()
        assert (pending.is_final, pending.attempts) == (True, 0)


async def _crash(world: Inside, count: int) -> None:
    """Begin answering so many times, as a process does that is killed each time."""
    (pending,) = await world.app.store.pending()
    for _ in range(count):
        await world.app.store.begin(pending.turn_id)


async def test_a_message_that_ended_the_process_three_times_is_set_aside_with_one_note(
    tmp_path: Path,
) -> None:
    async with inside(tmp_path, FakeProvider("one")) as world:
        store = world.app.store
        await store.add_message(message("boom"), "t1", EPOCH)
        await _crash(world, MAX_CRASHES)
        arguments = (store, world.app.accounts, world.app.inbox, lambda: 0.0, lambda: EPOCH + 1)
        for _ in range(2):
            await resume(*arguments)
            await world.quiet()
        assert world.channel.visible() == [words.POISONED]
        assert world.provider.asked == []
        (letter,) = _letters(world)
        assert (letter.turn_id, letter.attempts, letter.text) == ("t1", MAX_CRASHES, "boom")


async def test_a_message_that_only_waited_is_answered_however_often_the_process_ended(tmp_path: Path) -> None:
    for _ in range(MAX_CRASHES + 2):
        async with inside(tmp_path, FakeProvider("one", [Hang()])) as world:
            if not await world.app.store.pending():
                await world.app.store.add_message(message("first", 1), "t1", EPOCH, is_begun=True)
                await world.app.store.add_message(message("second", 2), "t2", EPOCH)
                await world.app.store.finish_turn(_ended("t1"))
            (waiting,) = await world.app.store.pending()
            assert (waiting.turn_id, waiting.attempts) == ("t2", 0)
    async with inside(tmp_path, FakeProvider("one", answer("here")), EDITS) as world:
        await resume(world.app.store, world.app.accounts, world.app.inbox, lambda: 0.0, lambda: EPOCH + 1)
        await world.quiet()
        assert world.channel.visible() == ["here"]


def _ended(turn_id: str) -> TurnRecord:
    return TurnRecord(turn_id, "fake:main:room", 1, (turn_id,), Outcome.DONE)
