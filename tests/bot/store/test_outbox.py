"""The journal of one answer over a real store."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.errors import StoreError
from bot.ids import new_turn_id
from bot.store.outbox import LooseJournal, TurnJournal
from bot.store.sqlite import SqliteStore
from channels.events import Sent
from channels.journal import Journal, SentPart
from tests.bot.store.examples import SOME_TIME, message


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def _journal(store: SqliteStore, turn_id: str = "t1", interval: float = 1.0) -> TurnJournal:
    committed = store.add_message(message("e1"), turn_id, SOME_TIME)
    return TurnJournal(store, turn_id, committed, asyncio.get_running_loop().time, interval=interval)


async def test_nothing_may_be_shown_before_the_question_is_kept(store: SqliteStore) -> None:
    committed = asyncio.get_running_loop().create_future()
    journal: Journal = TurnJournal(store, "t1", committed, Clock())
    intents = [asyncio.ensure_future(journal.intent(part)) for part in (0, 1)]
    await asyncio.sleep(0)
    assert not any(intent.done() for intent in intents)
    committed.set_result(True)
    assert await asyncio.gather(*intents) == ["t1.0", "t1.1"]


async def test_nothing_may_be_shown_before_it_is_kept_that_the_answer_was_begun(store: SqliteStore) -> None:
    """Else nobody looks after a crash for what may stand."""
    loop = asyncio.get_running_loop()
    counted: asyncio.Future[None] = loop.create_future()
    committed = store.add_message(message("e1"), "t1", SOME_TIME)
    await committed
    journal = TurnJournal(store, "t1", committed, Clock(), counted=counted)
    intent = asyncio.ensure_future(journal.intent(0))
    await asyncio.sleep(0)
    assert not intent.done()
    counted.set_exception(StoreError("the disk is full"))
    assert await intent == "t1.0", "the person is answered all the same"


async def test_a_send_key_fits_the_shortest_limit_of_a_channel(store: SqliteStore) -> None:
    turn_id = new_turn_id(SOME_TIME, lambda bits: 2**bits - 1)
    journal = _journal(store, turn_id)
    for part in (0, 9, 9999):
        key = await journal.intent(part)
        assert key == f"{turn_id}.{part}" and len(key) <= 25


async def test_a_duplicate_shows_nothing(store: SqliteStore) -> None:
    assert await _journal(store, "t1").intent(0) == "t1.0"
    assert await _journal(store, "t2").intent(0) is None


async def test_a_question_that_could_not_be_kept_shows_nothing(store: SqliteStore) -> None:
    for failure in (StoreError("the disk is full"), None):
        committed = asyncio.get_running_loop().create_future()
        journal = TurnJournal(store, "t1", committed, Clock())
        if failure is None:
            committed.cancel()
        else:
            committed.set_exception(failure)
        assert await journal.intent(0) is None


async def test_one_intent_that_is_cancelled_leaves_the_others_waiting(store: SqliteStore) -> None:
    committed = asyncio.get_running_loop().create_future()
    journal = TurnJournal(store, "t1", committed, Clock())
    first, second = asyncio.ensure_future(journal.intent(0)), asyncio.ensure_future(journal.intent(1))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    committed.set_result(True)
    assert await second == "t1.1"


async def test_after_a_withdrawal_nothing_more_is_shown(store: SqliteStore) -> None:
    journal = _journal(store)
    assert await journal.intent(0) == "t1.0"
    journal.withdraw()
    assert await journal.intent(1) is None


async def test_a_withdrawal_reaches_an_intent_that_waits(store: SqliteStore) -> None:
    committed = asyncio.get_running_loop().create_future()
    journal = TurnJournal(store, "t1", committed, Clock())
    waiting = asyncio.ensure_future(journal.intent(0))
    await asyncio.sleep(0)
    journal.withdraw()
    committed.set_result(True)
    assert await waiting is None


async def test_what_was_sent_and_the_final_text_are_kept(store: SqliteStore) -> None:
    journal = _journal(store)
    key = await journal.intent(0)
    assert key is not None
    journal.sent(0, key, Sent("9", "Half"))
    await journal.final("Half and whole")
    (turn,) = await store.pending()
    assert turn.parts == (SentPart(0, "9", "t1.0", "Half"),)
    assert (turn.text, turn.is_final) == ("Half and whole", True)
    assert TurnJournal(store, "t1", asyncio.Future(), Clock(), turn.parts).resumed == turn.parts


class Counted:
    """Stands before the store and lets a test see which texts pass."""

    def __init__(self, store: SqliteStore) -> None:
        self.texts: list[str] = []
        self.part_sent = store.part_sent
        self.final = store.final
        self._store = store

    def progress(self, turn_id: str, text: str) -> asyncio.Future[None]:
        self.texts.append(text)
        return self._store.progress(turn_id, text)


async def test_the_text_is_kept_at_most_once_in_an_interval_and_the_newest(store: SqliteStore) -> None:
    counted = Counted(store)
    committed = store.add_message(message("e1"), "t1", SOME_TIME)
    loop = asyncio.get_running_loop()
    journal = TurnJournal(counted, "t1", committed, loop.time, interval=0.05)
    begun = loop.time()
    number = 0
    while len(counted.texts) < 4:
        number += 1
        journal.progress(f"text {number}")
        await asyncio.sleep(0)
    assert loop.time() - begun >= 4 * 0.05 * 0.9
    assert number > 50
    await asyncio.wait_for(_until_pending_text(store, counted.texts[-1]), 30)
    journal.close()


async def _until_pending_text(store: SqliteStore, text: str) -> None:
    while (await store.pending())[0].text != text:
        await asyncio.sleep(0.001)


async def test_the_last_text_is_kept_when_no_other_follows(store: SqliteStore) -> None:
    journal = _journal(store, interval=0.01)
    journal.progress("one")
    journal.progress("two")
    await asyncio.wait_for(_until_pending_text(store, "two"), 30)
    journal.close()


@pytest.mark.parametrize("end", ["final", "withdraw", "close"])
async def test_no_timer_is_left_behind(store: SqliteStore, end: str) -> None:
    counted = Counted(store)
    committed = store.add_message(message("e1"), "t1", SOME_TIME)
    journal = TurnJournal(counted, "t1", committed, asyncio.get_running_loop().time, interval=0.01)
    journal.progress("text")
    if end == "final":
        await journal.final("the whole text")
    else:
        getattr(journal, end)()
    journal.progress("late")
    await asyncio.sleep(0.03)  # timers fire in their order: one of 0.01 s would have fired by then
    assert counted.texts == []


async def test_an_answer_is_shown_even_when_its_final_text_cannot_be_kept(path: Path) -> None:
    store = await SqliteStore.open(path)
    journal = _journal(store)
    assert await journal.intent(0) == "t1.0"
    await store.close()
    await journal.final("the whole text")


async def test_a_loose_journal_keeps_nothing(store: SqliteStore) -> None:
    journal: Journal = LooseJournal("note")
    assert [await journal.intent(part) for part in (0, 1)] == ["note.0", "note.1"]
    journal.sent(0, "note.0", Sent("9"))
    journal.progress("text")
    await journal.final("text")
    assert list(journal.resumed) == []
    assert await store.pending() == []
    loose = LooseJournal("note")
    loose.withdraw()
    assert await loose.intent(0) is None
