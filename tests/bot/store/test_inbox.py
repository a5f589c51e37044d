"""Messages that wait to be answered."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path

from bot.store.base import Outcome, PendingTurn, Store
from bot.store.sqlite import SqliteStore, open_store
from channels.events import Sent
from channels.journal import SentPart
from tests.bot.store.examples import SOME_TIME, message, record


async def test_a_message_is_pending_until_its_turn_ends(store: SqliteStore) -> None:
    asked = message("e1")
    assert await store.add_message(asked, "t1", SOME_TIME)
    assert await store.pending() == [PendingTurn("t1", asked, SOME_TIME)]
    await store.finish_turn(record("t1"))
    assert await store.pending() == []


async def test_a_second_copy_of_a_message_is_ignored(store: SqliteStore) -> None:
    assert await store.add_message(message("e1", "first"), "t1", SOME_TIME)
    assert not await store.add_message(message("e1", "second"), "t2", SOME_TIME)
    (waiting,) = await store.pending()
    assert (waiting.turn_id, waiting.message.text) == ("t1", "first")


async def test_a_copy_is_recognised_after_the_turn_and_a_restart(path: Path) -> None:
    async with open_store(path) as store:
        await store.add_message(message("e1"), "t1", SOME_TIME)
        await store.finish_turn(record("t1"))
    async with open_store(path) as store:
        assert not await store.add_message(message("e1"), "t2", SOME_TIME)
        assert await store.pending() == []


async def test_keys_of_events_and_messages_are_one_set(store: SqliteStore) -> None:
    assert await store.add_key("fake", "main", "e1")
    assert not await store.add_key("fake", "main", "e1")
    assert not await store.add_message(message("e1"), "t1", SOME_TIME)
    assert await store.add_message(message("e2"), "t2", SOME_TIME)
    assert not await store.add_key("fake", "main", "e2")


async def test_the_same_key_of_another_account_is_another_event(store: SqliteStore) -> None:
    assert await store.add_key("fake", "main", "e1")
    assert await store.add_key("fake", "other", "e1")
    assert await store.add_key("else", "main", "e1")


async def test_of_many_copies_at_once_exactly_one_is_taken(store: SqliteStore) -> None:
    futures = [store.add_message(message(f"e{n % 7}"), f"t{n}", SOME_TIME) for n in range(200)]
    futures += [store.add_key("fake", "main", f"e{n % 7}") for n in range(50)]
    taken = await asyncio.gather(*futures)
    assert taken[:200].count(True) == 7
    assert not any(taken[200:])
    assert [turn.turn_id for turn in await store.pending()] == [f"t{n}" for n in range(7)]


async def test_pending_turns_come_in_the_order_of_their_arrival(store: SqliteStore) -> None:
    names = [f"t{n:03}" for n in range(300, 0, -1)]
    await asyncio.gather(*(store.add_message(message(name), name, SOME_TIME) for name in names))
    assert [turn.turn_id for turn in await store.pending()] == names


async def test_only_a_message_whose_answer_was_begun_has_an_attempt_more(path: Path) -> None:
    async with open_store(path) as store:
        await store.add_message(message("e1"), "t1", SOME_TIME, is_begun=True)
        await store.add_message(message("e2"), "t2", SOME_TIME)
    for start in (1, 2, 3):
        async with open_store(path) as store:
            assert [turn.attempts for turn in await store.pending()] == [start, 0]
            await store.begin("t1")


async def test_what_was_left_on_purpose_is_no_attempt(store: SqliteStore) -> None:
    await store.add_message(message("e1"), "t1", SOME_TIME, is_begun=True)
    await store.rest("t1")
    await store.rest("t1")
    assert [turn.attempts for turn in await store.pending()] == [0]


async def test_one_waiting_turn_is_read_alone(store: SqliteStore) -> None:
    await store.add_message(message("e1"), "t1", SOME_TIME)
    await store.add_message(message("e2"), "t2", SOME_TIME)
    store.part_sent("t1", 0, "t1.0", Sent("8"))
    store.part_sent("t2", 0, "t2.0", Sent("9"))
    await store.note_error("t2", "it is away")
    found = await store.waiting("t2")
    assert found is not None
    assert (found.turn_id, found.errors, [part.message_id for part in found.parts]) == ("t2", 1, ["9"])
    await store.finish_turn(record("t2"))
    assert await store.waiting("t2") is None


async def test_a_pending_turn_tells_what_was_already_shown(path: Path) -> None:
    async with open_store(path) as store:
        await store.add_message(message("e1"), "t1", SOME_TIME)
        store.part_sent("t1", 0, "t1.0", Sent("9", "The first"))
        store.part_sent("t1", 1, "t1.1", Sent("10"))
        await store.progress("t1", "The first part and")
    async with open_store(path) as store:
        (waiting,) = await store.pending()
        assert waiting.parts == (SentPart(0, "9", "t1.0", "The first"), SentPart(1, "10", "t1.1", ""))
        assert (waiting.text, waiting.is_final) == ("The first part and", False)
        await store.final("t1", "The first part and the last.")
        await store.progress("t1", "late")
        (waiting,) = await store.pending()
        assert (waiting.text, waiting.is_final) == ("The first part and the last.", True)


async def test_a_part_that_is_sent_again_keeps_the_newer_message(store: SqliteStore) -> None:
    await store.add_message(message("e1"), "t1", SOME_TIME)
    store.part_sent("t1", 0, "t1.0", Sent("9", "old"))
    store.part_sent("t1", 0, "t1.0", Sent("11"))
    (waiting,) = await store.pending()
    assert waiting.parts == (SentPart(0, "11", "t1.0", "old"),)


async def test_an_edit_changes_a_waiting_message_and_no_other(store: SqliteStore) -> None:
    await store.add_message(message("e1", "one"), "t1", SOME_TIME)
    await store.add_message(message("e2", "two"), "t2", SOME_TIME)
    await store.correct("fake", "main", "edit of t2", "t2", "three")
    assert [turn.message.text for turn in await store.pending()] == ["one", "three"]


async def test_a_correction_counts_once_and_comes_with_its_key(store: SqliteStore) -> None:
    await store.add_message(message("e1", "one"), "t1", SOME_TIME)
    assert await store.correct("fake", "main", "edit 1", "t1", "two")
    assert await store.correct("fake", "main", "edit 2", "t1", "three")
    assert not await store.correct("fake", "main", "edit 1", "t1", "two")
    assert not await store.add_key("fake", "main", "edit 2")
    assert [turn.message.text for turn in await store.pending()] == ["three"]


async def test_messages_that_were_being_answered_together_stay_together(path: Path) -> None:
    async with open_store(path) as store:
        for name in ("1", "2", "3"):
            await store.add_message(message(f"e{name}"), f"t{name}", SOME_TIME)
        await store.join("t1", ["t2", "t3"])
    async with open_store(path) as store:
        (waiting,) = await store.pending()
        assert (waiting.turn_id, [each.turn_id for each in waiting.merged]) == ("t1", ["t2", "t3"])
        await store.join("t1", ["t3"])
        assert [turn.turn_id for turn in await store.pending()] == ["t1", "t2"]
        await store.finish_turn(record("t1"))
        assert [turn.turn_id for turn in await store.pending()] == ["t2", "t3"]


async def test_messages_that_were_merged_end_with_the_turn_that_answers_them(store: SqliteStore) -> None:
    for name in ("1", "2", "3"):
        await store.add_message(message(f"e{name}"), f"t{name}", SOME_TIME)
    await store.finish_turn(replace(record("t1"), inbox_ids=("t1", "t2")))
    assert [turn.turn_id for turn in await store.pending()] == ["t3"]
    assert [turn.turn_id for turn in await store.turns(None, 10)] == ["t1"]


async def test_a_message_that_cannot_be_read_is_set_aside_with_the_reason(path: Path) -> None:
    async with open_store(path) as store:
        await store.add_message(message("e1"), "t1", SOME_TIME)
        await store.add_message(message("e2"), "t2", SOME_TIME)
    with sqlite3.connect(path) as other:
        other.execute("UPDATE inbox SET payload = ? WHERE turn_id = 't1'", (b'{"event_key": "e1"}',))
    other.close()
    async with open_store(path) as store:
        assert [turn.turn_id for turn in await store.pending()] == ["t2"]
        assert store.unreadable == 1
        assert [turn.turn_id for turn in await store.pending()] == ["t2"]
        assert store.unreadable == 1
        assert not await store.add_message(message("e1"), "t9", SOME_TIME)
    with sqlite3.connect(path) as other:
        state, error = other.execute("SELECT state, error FROM inbox WHERE turn_id = 't1'").fetchone()
    other.close()
    assert state == "dead" and "KeyError" in error


async def test_texts_that_no_disk_format_likes_are_kept(store: SqliteStore) -> None:
    asked = message("e\ud800", "one \ud83d\ude00 \x00 two \udfff")
    assert await store.add_message(asked, "t1", SOME_TIME)
    assert not await store.add_message(asked, "t2", SOME_TIME)
    await store.final("t1", "half \ud83d" + "\ude00 and \x00 lone \udfff")
    (turn,) = await store.pending()
    assert turn.message == asked
    assert turn.text == "half \N{GRINNING FACE} and \x00 lone \ufffd"


async def test_a_turn_that_failed_is_not_taken_up_again(store: Store) -> None:
    await store.add_message(message("e1"), "t1", SOME_TIME)
    await store.finish_turn(replace(record("t1"), outcome=Outcome.FAILED, history=()))
    assert await store.pending() == []
