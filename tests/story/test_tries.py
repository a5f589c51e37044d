"""An answer that its channel does not take: tried again in the running daemon, then set aside, never lost."""

from __future__ import annotations

import asyncio
import functools
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest

from bot import metrics, words
from bot.inbox import TAKEN_BACK
from bot.patience import FIRST_PAUSE, MAX_AGE, MAX_CRASHES, MAX_ERRORS
from bot.recovery import Recovery, Verdict, resume
from bot.store import letters
from bot.store.base import Outcome, TurnRecord
from bot.store.connection import connect_to_read
from bot.store.letters import Letter
from bot.store.sqlite import SqliteStore
from channels.capabilities import Capabilities, LatencyClass, SendKey, Streaming
from channels.errors import Gone, GoneWhat, NotAuthorized, Unavailable
from channels.events import Address, MessageDeleted
from channels.outcome import PATIENCE
from providers.base import CompletionRequest, Credential, Finished, ModelSpec, Started, StreamEvent
from providers.fake import Delay, FakeProvider, Hang, answer
from tests.story.inside import EDITS, EPOCH, Inside, address, inside, message
from tests.virtual_time import virtual_time

LOST_IN_A_TRY = 8
"""Sends whose answers have to be lost until an answer is given up for now: their pauses come to a minute."""

WHOLE = Capabilities(LatencyClass.SYNC, Streaming.NONE)
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
async def test_every_copy_that_a_lost_answer_may_leave_is_counted(tmp_path: Path) -> None:
    for times in (1, 2, 3, 4):
        async with inside(
            tmp_path / str(times), FakeProvider("one", answer("hello")), WHOLE, is_virtual=True
        ) as world:
            before = _doubtful()
            lost = Unavailable("its answer did not come", maybe_sent=True)
            world.channel.fail_next("send", *[lost] * times, late=True)
            await world.say("one")
            await _quiet(world)
            assert world.channel.visible() == ["hello"] * (times + 1)
            assert _doubtful() - before == times


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


def _doubtful() -> float:
    return metrics.REGISTRY.get_sample_value("firstword_sends_doubtful_total", {"channel": "fake"}) or 0.0


def _ended(turn_id: str) -> TurnRecord:
    return TurnRecord(turn_id, "fake:main:room", 1, (turn_id,), Outcome.DONE)


async def _resume(world: Inside, later: float) -> None:
    now = EPOCH + later
    app = world.app
    await resume(app.store, app.accounts, app.inbox, app.clock, lambda: now)


def _deleted(number: int = 1) -> MessageDeleted:
    return MessageDeleted(f"deletion {number}", str(number), address())


async def test_who_cannot_read_that_it_is_too_late_under_one_message_reads_it_under_the_next(
    tmp_path: Path,
) -> None:
    whole = replace(WHOLE, send_key=SendKey.KEY)
    async with inside(tmp_path, FakeProvider("one"), whole) as world:
        store = world.app.store
        await store.add_message(message("first", 1), "t1", EPOCH, is_begun=True)
        await store.final("t1", "here")
        await world.channel.send(address(), "here", "t1.0")  # it stands, and nobody wrote that down
        for number in (2, 3):
            await store.add_message(message("next", number), f"t{number}", EPOCH)
        await _resume(world, 2 * MAX_AGE)
        await world.quiet()
        assert world.channel.visible() == ["here", words.STALE]
        assert await store.pending() == []


async def test_where_it_can_be_written_over_it_is_said_once_that_it_is_too_late(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one"), replace(EDITS, send_key=SendKey.KEY)) as world:
        store = world.app.store
        await store.add_message(message("first", 1), "t1", EPOCH, is_begun=True)
        await world.channel.send(address(), "half an ans", "t1.0")
        await store.add_message(message("next", 2), "t2", EPOCH)
        await _resume(world, 2 * MAX_AGE)
        await world.quiet()
        assert world.channel.visible() == [words.STALE]


async def test_who_wrote_after_it_was_said_that_it_is_too_late_is_told_too(tmp_path: Path) -> None:
    """The process ended when that stood and was not written down, and again was away for long."""
    async with inside(tmp_path, FakeProvider("one"), replace(EDITS, send_key=SendKey.KEY)) as world:
        store = world.app.store
        await store.add_message(message("first", 1), "t1", EPOCH)
        await store.final("t1", words.STALE)
        await world.channel.send(address(), words.STALE, "t1.0")
        for number in (2, 3):
            await store.add_message(message("are you there?", number), f"t{number}", EPOCH + MAX_AGE)
        await _resume(world, 3 * MAX_AGE)
        await world.quiet()
        assert world.channel.visible() == [words.STALE, words.STALE]


async def test_that_one_message_is_set_aside_says_nothing_of_those_that_are_too_late(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one")) as world:
        store = world.app.store
        await store.add_message(message("boom", 1), "t1", EPOCH)
        await _crash(world, MAX_CRASHES)
        for number in (2, 3):
            await store.add_message(message("next", number), f"t{number}", EPOCH)
        await _resume(world, 2 * MAX_AGE)
        await world.quiet()
        assert world.channel.visible() == [words.POISONED, words.STALE]


async def test_a_question_that_was_deleted_before_a_late_start_is_answered_with_nothing(
    tmp_path: Path,
) -> None:
    async with inside(tmp_path, FakeProvider("one"), replace(EDITS, send_key=SendKey.KEY)) as world:
        store = world.app.store
        await store.add_message(message("first"), "t1", EPOCH, is_begun=True)
        await world.channel.send(address(), "half an ans", "t1.0")
        assert await store.correct("fake", "main", "deletion", "t1", TAKEN_BACK)
        await _resume(world, 2 * MAX_AGE)
        await world.quiet()
        assert world.channel.visible() == []
        assert [row.outcome for row in await store.turns(None, 5)] == [Outcome.WITHDRAWN]


async def test_half_an_answer_that_nobody_noted_goes_with_its_question(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", [Hang()]), replace(EDITS, send_key=SendKey.KEY)) as world:
        await world.app.store.add_message(message("first"), "t1", EPOCH, is_begun=True)
        await world.channel.send(address(), "half an ans", "t1.0")
        await _resume(world, 1)
        await world.provider.until_asked(1)
        await world.accept(_deleted())
        await world.quiet()
        assert world.channel.visible() == []


@virtual_time
async def test_an_answer_whose_question_is_deleted_between_two_tries_is_taken_back(tmp_path: Path) -> None:
    provider = FakeProvider("one", (Started(), Hang()), default=answer("hello"))
    async with inside(tmp_path, provider, replace(EDITS, send_key=SendKey.KEY), is_virtual=True) as world:
        lost = Unavailable("its answer did not come", maybe_sent=True)
        world.channel.fail_next("send", *[lost] * LOST_IN_A_TRY, late=True)
        await world.say("one", 1)
        await world.provider.until_asked(1)
        await world.say("two", 2)  # joins the first
        await asyncio.sleep(PATIENCE + FIRST_PAUSE)
        assert world.channel.visible() == ["hello"]
        await world.accept(_deleted())
        await _quiet(world)
        assert [each.is_deleted for each in world.channel.messages] == [True, False]
        assert world.channel.visible() == ["hello"]
        ends = [row.outcome for row in await world.app.store.turns(None, 5)]
        assert sorted(ends) == [Outcome.DONE, Outcome.WITHDRAWN]


class _Faulty(FakeProvider):
    """A fault of ours ends its first answer when all of its words have come."""

    faults = 1

    @asynccontextmanager
    async def stream(
        self, model: ModelSpec, request: CompletionRequest, credential: Credential
    ) -> AsyncIterator[AsyncIterator[StreamEvent]]:
        async with super().stream(model, request, credential) as events:
            yield self._broken(events)

    async def _broken(self, events: AsyncIterator[StreamEvent]) -> AsyncIterator[StreamEvent]:
        async for event in events:
            if isinstance(event, Finished) and self.faults:
                await asyncio.sleep(2.0)  # so that the words are seen and kept
                self.faults -= 1
                raise RuntimeError("a fault of ours")
            yield event


@virtual_time
@pytest.mark.parametrize("seen", ["half an answer", ""])
async def test_an_answer_that_is_stopped_between_two_tries_says_so(tmp_path: Path, seen: str) -> None:
    capabilities = EDITS if seen else WHOLE
    provider = _Faulty("one", default=answer("half an answer"))
    async with inside(tmp_path, provider, capabilities, is_virtual=True) as world:
        await world.say("tell me", 1)
        await asyncio.sleep(2.1)
        assert world.channel.visible() == ([seen] if seen else [])
        await world.say("/stop", 2)
        await world.say("and now?", 3)
        await _quiet(world)
        first = f"{seen}\n\n{words.STOPPED}".strip()
        assert sorted(world.channel.visible()) == sorted([first, words.STOPPING, "half an answer"])
        ends = [row.outcome for row in await world.app.store.turns(None, 5)]
        assert sorted(ends) == [Outcome.DONE, Outcome.DONE, Outcome.STOPPED]
        assert len(world.provider.asked) == 2, "what was stopped was not asked again"


@virtual_time
async def test_what_was_stopped_while_its_channel_is_away_is_shown_as_that_or_forgotten(
    tmp_path: Path,
) -> None:
    for times, stands in ((20, [words.STOPPED, words.STOPPING]), (10_000, [])):
        folder = tmp_path / str(times)
        provider = _Faulty("one", default=answer("half an answer"))
        async with inside(folder, provider, WHOLE, is_virtual=True) as world:
            _is_away(world, times)
            await world.say("tell me", 1)
            await asyncio.sleep(2.1)
            await world.say("/stop", 2)
            await _quiet(world)
            assert sorted(world.channel.visible()) == sorted(stands)
            (stopped,) = [
                row for row in await world.app.store.turns(None, 5) if row.outcome is Outcome.STOPPED
            ]
            assert stopped.history == ()
            assert [letter.text for letter in _letters(world)] == ([] if stands else ["/stop"])
            assert len(world.provider.asked) == 1


async def test_a_deleted_question_is_over_although_its_answer_cannot_be_taken_back(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", (*answer("half an answer")[:2], Hang()))) as world:
        world.channel.fail_next("delete", Gone(GoneWhat.CONVERSATION))
        await world.say("first")
        while not world.channel.visible():
            await asyncio.sleep(0)
        await world.accept(_deleted())
        await world.quiet()
        assert [row.outcome for row in await world.app.store.turns(None, 5)] == [Outcome.WITHDRAWN]
        assert _letters(world) == []


@virtual_time
async def test_what_was_shown_is_not_asked_again_where_the_disk_takes_nothing_more(tmp_path: Path) -> None:
    provider = FakeProvider("one", answer("hello"), default=answer("again"))
    async with inside(tmp_path, provider, is_virtual=True) as world:
        with closing(sqlite3.connect(world.app.home.database, isolation_level=None)) as other:
            for table in ("inbox BEFORE UPDATE ON inbox", "conversation BEFORE INSERT ON conversation"):
                other.execute(f"CREATE TRIGGER no_{table} BEGIN SELECT RAISE(ABORT, 'no room'); END")
            await world.accept(replace(message("hi"), address=replace(address(), handle="token")))
            await asyncio.sleep(30.0)
            assert world.channel.visible() == ["hello"]
            for table in ("inbox", "conversation"):
                other.execute(f"DROP TRIGGER no_{table}")
        await asyncio.sleep(60.0)
        assert world.channel.visible() == ["hello"]
        assert await world.app.store.pending() == []


@virtual_time
async def test_an_adapter_that_fails_at_one_place_costs_the_others_nothing(tmp_path: Path) -> None:
    provider = FakeProvider("one", (Delay(1.0), *answer("hello")), default=answer("and hello"))
    async with inside(tmp_path, provider, is_virtual=True) as world:
        declared, is_odd = world.channel.capabilities, False

        def capabilities(where: Address) -> Capabilities:
            if is_odd and where.key.space == "room":
                raise KeyError(where.key.space)
            return declared(where)

        world.channel.capabilities = capabilities  # type: ignore[method-assign, assignment]  # a stranger's adapter
        other = replace(message("and me", 2), address=address("other"))
        await world.say("hi", 1)
        await asyncio.sleep(0.5)
        is_odd = True
        await world.accept(other)
        await _quiet(world)
        assert world.channel.visible(address("other")) == ["and hello"]
        await world.app.store.add_message(replace(other, event_key="third"), "t3", EPOCH)
        await _resume(world, 10)
        await _quiet(world)
        assert world.channel.visible(address("other")) == ["and hello", "and hello"]
        is_odd = False
        await _resume(world, 20)
        await _quiet(world)
        assert world.channel.visible(address()) == ["and hello"]
        assert await world.app.store.pending() == []
