"""Messages that were given up: kept to be looked at, tried again or dropped."""

from __future__ import annotations

import functools
from contextlib import closing
from pathlib import Path

from bot.store import letters
from bot.store.connection import connect_to_read
from bot.store.sqlite import SqliteStore
from channels.events import Sent
from tests.bot.store.examples import SOME_TIME, message


async def _buried(store: SqliteStore, *, keeps: bool) -> None:
    await store.add_message(message("e1", "Why?"), "t1", SOME_TIME, is_begun=True)
    store.part_sent("t1", 0, "t1.0", Sent("9"))
    await store.final("t1", "Because.")
    await store.note_error("t1", "it would not go")
    await store.bury("t1", "given up", keeps_answer=keeps)


async def test_a_buried_message_waits_no_more_and_is_listed_with_the_reason(
    store: SqliteStore, path: Path
) -> None:
    await _buried(store, keeps=True)
    assert await store.pending() == []
    with closing(connect_to_read(path)) as connection:
        (letter,) = letters.letters(connection)
    assert (letter.turn_id, letter.reason, letter.sender, letter.text) == ("t1", "given up", "u-1", "Why?")
    assert (letter.attempts, letter.errors, letter.answer) == (1, 1, "Because.")


async def test_a_second_copy_of_a_buried_message_is_known(store: SqliteStore) -> None:
    await _buried(store, keeps=True)
    assert not await store.add_message(message("e1"), "t2", SOME_TIME)


async def test_a_retry_shows_a_known_answer_again_where_it_stood(store: SqliteStore) -> None:
    await _buried(store, keeps=True)
    assert await store.call(functools.partial(letters.revive, turn_id="t1", now=SOME_TIME + 5))
    (turn,) = await store.pending()
    assert (turn.attempts, turn.errors, turn.received_at) == (0, 0, SOME_TIME + 5)
    assert (turn.text, turn.is_final, len(turn.parts)) == ("Because.", True, 1)


async def test_a_retry_of_a_poisoned_message_begins_from_nothing(store: SqliteStore) -> None:
    await _buried(store, keeps=False)
    assert await store.call(functools.partial(letters.revive, turn_id="t1", now=SOME_TIME))
    (turn,) = await store.pending()
    assert (turn.text, turn.is_final, turn.parts) == ("", False, ())


async def test_a_dropped_one_leaves_only_the_key_of_its_event(store: SqliteStore, path: Path) -> None:
    await _buried(store, keeps=True)
    assert await store.call(functools.partial(letters.drop, turn_id="t1"))
    assert not await store.call(functools.partial(letters.drop, turn_id="t1"))
    assert not await store.call(functools.partial(letters.revive, turn_id="t1", now=SOME_TIME))
    assert not await store.add_message(message("e1"), "t2", SOME_TIME)
    with closing(connect_to_read(path)) as connection:
        assert letters.letters(connection) == []
        assert connection.execute("SELECT count(*) FROM turn").fetchone() == (0,)
        assert connection.execute("SELECT payload, turn_id, sender FROM inbox").fetchall() == [
            (None, None, None)
        ]


async def test_only_what_waits_can_be_buried(store: SqliteStore) -> None:
    await store.bury("t1", "never seen", keeps_answer=False)
    with closing(connect_to_read(store.path)) as connection:
        assert letters.letters(connection) == []
