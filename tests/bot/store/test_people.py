"""What is kept of a person: all of it is found, and after forgetting no byte of it is left."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import BotError
from bot.store import people
from bot.store.base import Conversation, HistoryRow
from bot.store.chores import forget_person
from bot.store.connection import connect_to_read
from bot.store.money import Charge, Cost, Held, Spent
from bot.store.people import Person
from bot.store.sqlite import SqliteStore
from channels.events import Sender, Sent
from tests.bot.store.examples import SOME_TIME, message, record

MARK = "k3wqz8ytb5vhmn2rpd7xgc4jsf9lwe6u"
ANN, BOB = Sender("u-1", f"Ann {MARK}"), Sender("u-2", "Bob")


def _bytes(path: Path) -> bytes:
    """The store's file, its log and whatever else lies beside it."""
    return b"".join(each.read_bytes() for each in path.parent.iterdir())


async def _say(store: SqliteStore, name: str, sender: Sender, text: str, *, space: str) -> None:
    """A message that was answered."""
    asked = replace(message(name, text, space=space), sender=sender)
    await store.add_message(asked, name, SOME_TIME, is_begun=True)
    await store.progress(name, f"about {text}")
    store.part_sent(name, 0, f"{name}.0", Sent("9", f"on {text}"))
    await store.final(name, f"answer to {text}")
    end = record(name, text=f"answer to {text}", space=space)
    asked_line, answer = end.history
    lines = (replace(asked_line, text=text, speaker=sender.name), answer)
    await store.finish_turn(replace(end, sender=sender.id, history=lines, detail={"error": text}))


async def _lived(store: SqliteStore) -> None:
    """Ann speaks to the bot alone and in a group, Bob in the group; messages wait, were given up, were edited."""
    for number in range(40):
        await _say(store, f"a{number}", ANN, f"{MARK} {number} " * 20, space="ann")
    await _say(store, "g1", ANN, f"{MARK} in the group", space="group")
    await _say(store, "g2", BOB, "Bob's own", space="group")
    store.save_conversation(Conversation("fake:main:ann", 2, {"persona": MARK}, handle=MARK))
    store.save_conversation(Conversation("fake:main:group", 3, {"model": "deep"}))
    waiting = replace(message("w1", f"{MARK} waits", space="group"), sender=ANN)
    await store.add_message(waiting, "w1", SOME_TIME)
    await store.correct("fake", "main", "edit of w1", "w1", f"{MARK} was edited")
    dead = replace(message("d1", f"{MARK} is dead", space="ann"), sender=ANN)
    await store.add_message(dead, "d1", SOME_TIME)
    await store.final("d1", f"{MARK} in vain")
    for sender, space, usd in (("u-1", "ann", 0.5), ("u-1", "group", 0.25), ("u-2", "group", 0.125)):
        store.charge(Charge(20_000, "a/m", f"fake:main:{sender}", f"fake:main:{space}", usd))
    store.hold(Held(1, "w1", 20_000, "a/m", "fake:main:u-1", "fake:main:group", 1.0, 0.0))
    await store.bury("d1", f"because of {MARK}", keeps_answer=True)


async def test_after_forgetting_no_byte_of_a_person_is_left(store: SqliteStore, path: Path) -> None:
    await _lived(store)
    assert MARK.encode() in _bytes(path)
    done = await forget_person(store, Person("fake", "main", "u-1"))
    assert MARK.encode() not in _bytes(path)
    assert (done.messages, done.lines) == (43, 82)
    assert (done.own, done.shared) == (["fake:main:ann"], ["fake:main:group"])


async def test_what_others_said_and_were_told_stays(store: SqliteStore) -> None:
    await _lived(store)
    await forget_person(store, Person("fake", "main", "u-1"))
    lines = await store.history("fake:main:group", 1, 10)
    assert [line.text for line in lines] == ["Bob's own", "answer to Bob's own"]
    assert (await store.conversation("fake:main:group")).choices == {"model": "deep"}
    assert (await store.conversation("fake:main:ann")).is_new
    assert await store.pending() == []


async def test_what_was_spent_and_which_events_are_known_stays(store: SqliteStore) -> None:
    await _lived(store)
    before = await store.costs(0)
    await forget_person(store, Person("fake", "main", "u-1"))
    assert await store.costs(0) == before == [Cost(20_000, "a/m", 0.875, 3)]
    assert await store.costs(0, "fake:main:ann") == []
    left = await store.take_up_spending(20_000, 20_000)
    assert left == Spent(1.875, 1.875, {"fake:main:u-2": 0.125}, {"fake:main:group": 1.375})
    assert len(await store.turns(None, 100)) == 42
    assert not await store.add_message(message("a3"), "again", SOME_TIME)


async def test_somebody_of_another_account_with_the_same_id_is_somebody_else(
    store: SqliteStore, path: Path
) -> None:
    await _lived(store)
    done = await forget_person(store, Person("fake", "other", "u-1"))
    assert (done.messages, done.lines, done.turns) == (0, 0, 0)
    assert MARK.encode() in _bytes(path)


async def test_a_person_can_be_forgotten_twice_and_come_back(store: SqliteStore) -> None:
    await _lived(store)
    ann = Person("fake", "main", "u-1")
    await forget_person(store, ann)
    done = await forget_person(store, ann)
    assert (done.messages, done.lines, done.turns) == (0, 0, 0)
    await _say(store, "new", ANN, "hello again", space="ann")
    assert [line.text for line in await store.history("fake:main:ann", 1, 10)] == [
        "hello again",
        "answer to hello again",
    ]


async def test_everything_that_is_kept_of_a_person_is_handed_out(store: SqliteStore, path: Path) -> None:
    await _lived(store)
    with closing(connect_to_read(path)) as connection:
        found = people.export(connection, Person("fake", "main", "u-1"))
        nobody = people.export(connection, Person("fake", "main", "u-9"))
    assert len(found["lines"]) == 82
    assert {line["conversation"] for line in found["lines"]} == {"fake:main:ann", "fake:main:group"}
    assert not any("Bob" in line["text"] for line in found["lines"])
    waiting = [each for each in found["messages"] if each["state"] == "new"]
    assert [each["edited"] for each in waiting] == [f"{MARK} was edited"]
    assert found["conversations"]["kept"][0]["choices"] == {"persona": MARK}
    assert [(each["conversation"], each["usd"]) for each in found["costs"]] == [
        ("fake:main:ann", 0.5),
        ("fake:main:group", 0.25),
    ]
    assert (nobody["lines"], nobody["messages"]) == ([], [])


async def test_lines_of_before_people_were_known_go_with_their_own_conversation(
    store: SqliteStore, path: Path
) -> None:
    await _say(store, "a1", ANN, f"{MARK} now", space="ann")
    old = HistoryRow("user", f"{MARK} long ago", "m-0", SOME_TIME - 1, ANN.name, turn_id="old")
    await store.finish_turn(replace(record("old", space="ann"), history=(old,)))
    await forget_person(store, Person("fake", "main", "u-1"))
    assert MARK.encode() not in _bytes(path)


async def test_forgetting_finds_its_rows_while_others_go_on_writing(store: SqliteStore) -> None:
    await _lived(store)
    forgetting = forget_person(store, Person("fake", "main", "u-1"))
    writes = [store.add_message(message(f"n{number}"), f"n{number}", SOME_TIME) for number in range(50)]
    await forgetting
    assert all([await write for write in writes])


@pytest.mark.parametrize(
    "text", ["", "ann", "telegram:ann", "telegram::4711", ":main:4711", "telegram:main:"]
)
def test_what_names_no_person_is_refused_in_words(text: str) -> None:
    with pytest.raises(BotError, match="CHANNEL:ACCOUNT:ID"):
        Person.parse(text)


def test_an_id_may_hold_colons() -> None:
    assert Person.parse("matrix:main:@ann:example.org") == Person("matrix", "main", "@ann:example.org")


async def test_a_store_of_before_learns_whose_its_rows_are(tmp_path: Path) -> None:
    from bot.store.connection import connect
    from bot.store.migrate import CURRENT, ensure_schema
    from bot.store.migrations.run import upgrade

    path = tmp_path / "old.db"
    with closing(connect(path)) as connection:
        upgrade(connection, CURRENT.migrations, 0, 2)
        _as_before(connection)
        assert ensure_schema(connection, path) == 2
        assert connection.execute("SELECT sender, attempts FROM inbox ORDER BY id").fetchall() == [
            ("u-1", 0),
            (None, 0),
        ]
        assert connection.execute("SELECT sender FROM history ORDER BY id").fetchall() == [("u-1",), ("",)]


def _as_before(connection: sqlite3.Connection) -> None:
    connection.executemany(
        """INSERT INTO inbox (channel, account, event_key, state, received_at, turn_id, payload, attempts)
        VALUES ('fake', 'main', ?, 'new', 1.0, ?, ?, 5)""",
        [("e1", "t1", b'{"sender": {"id": "u-1"}}'), ("e2", "t2", b"\xff no JSON")],
    )
    connection.executemany(
        """INSERT INTO history (conversation, session, role, text, message_id, at, speaker, outcome, turn_id, added_at)
        VALUES ('fake:main:1', 1, 'user', 'hi', '1', 1.0, 'Ann', 'done', ?, 1.0)""",
        [("t1",), ("gone",)],
    )
