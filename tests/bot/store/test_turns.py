"""Ends of turns, and the history that they leave."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections import defaultdict
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.store.base import HistoryRow, Outcome, TurnRecord
from bot.store.executors import InlineExecutor
from bot.store.sqlite import SqliteStore, open_store
from bot.store.sweep import Retention
from channels.events import Sent
from tests.bot.store.examples import KEY, SOME_TIME, message, record


async def test_what_was_said_comes_back_in_its_order(store: SqliteStore) -> None:
    lines = [HistoryRow("user", f"line {n}", str(n), SOME_TIME + n, "Ada") for n in range(30)]
    for n in range(0, 30, 3):
        await store.finish_turn(replace(record(f"t{n}"), history=tuple(lines[n : n + 3])))
    assert await store.history(str(KEY), 1, 100) == lines
    assert await store.history(str(KEY), 1, 4) == lines[-4:]
    assert await store.history(str(KEY), 1, 0) == []


async def test_every_field_of_a_line_and_a_record_comes_back(store: SqliteStore) -> None:
    line = HistoryRow(
        role="assistant",
        text="Half an ans\x00wer \N{SNOWMAN} \"'\\ \n\u2028",
        message_id="9",
        at=1795000000.1234567,
        speaker="Ada",
        outcome=Outcome.CUT,
        turn_id="t1",
        note={"model": "demo", "first_visible": 0.1 + 0.2, "cost": None, "list": [1, 2]},
    )
    kept = replace(record("t1"), history=(line,), outcome=Outcome.CUT, cost_usd=None, parts=("9", "10"))
    await store.finish_turn(kept)
    assert await store.history(kept.key, 1, 10) == [line]
    assert await store.turns(kept.key, 10) == [replace(kept, history=())]


async def test_history_is_seen_as_soon_as_the_turn_was_handed_over(store: SqliteStore) -> None:
    store.finish_turn(record("t1"))
    assert len(await store.history(str(KEY), 1, 10)) == 2
    store.finish_turn(record("t2"))
    assert [turn.turn_id for turn in await store.turns(None, 10)] == ["t2", "t1"]


async def test_a_turn_whose_end_the_disk_took_late_stands_where_it_was_said(path: Path) -> None:
    now = SOME_TIME
    async with open_store(path, clock=lambda: now) as store:
        for name, shown, kept in (
            ("before", 1.0, 1.0),
            ("meanwhile", 20.0, 20.0),
            ("late", 10.0, 40.0),  # handed over again and again while the disk was full
            ("set back", 5.0, 5.0),  # the clock was; nothing is late about it
        ):
            now = SOME_TIME + kept
            asked = HistoryRow("user", f"{name}?", "1", SOME_TIME, turn_id=name)
            told = HistoryRow("assistant", name, "2", SOME_TIME + shown, turn_id=name)
            await store.finish_turn(replace(record(name), history=(asked, told)))
        lines = [line.text for line in await store.history(str(KEY), 1, 10)]
    assert lines[0::2] == ["before?", "late?", "meanwhile?", "set back?"]
    assert lines[1::2] == ["before", "late", "meanwhile", "set back"]


async def test_sessions_and_conversations_keep_their_lines_apart(store: SqliteStore) -> None:
    await store.finish_turn(record("t1", text="a"))
    await store.finish_turn(record("t2", text="b", session=2))
    await store.finish_turn(record("t3", text="c", space="other"))
    assert [line.text for line in await store.history(str(KEY), 1, 10)][1:] == ["a"]
    assert [line.text for line in await store.history(str(KEY), 2, 10)][1:] == ["b"]
    assert [turn.turn_id for turn in await store.turns(str(KEY), 10)] == ["t2", "t1"]


async def test_the_order_within_each_of_many_conversations_is_that_of_the_calls(store: SqliteStore) -> None:
    expected = defaultdict(list)
    futures = []
    for n in range(400):
        space = str(n % 9)
        futures.append(store.finish_turn(record(f"t{n}", text=f"answer {n}", space=space)))
        expected[space].append(f"answer {n}")
    await asyncio.gather(*futures)
    for space, texts in expected.items():
        lines = await store.history(f"fake:main:{space}", 1, 1000)
        assert [line.text for line in lines if line.role == "assistant"] == texts


async def test_ending_a_turn_twice_changes_nothing(store: SqliteStore) -> None:
    await store.add_message(message("e1"), "t1", SOME_TIME)
    first = record("t1")
    await store.finish_turn(first)
    await store.finish_turn(replace(first, outcome=Outcome.FAILED, cost_usd=9.0))
    await asyncio.gather(*(store.finish_turn(one) for one in (first, record("t2"), first, record("t3"))))
    assert len(await store.history(str(KEY), 1, 100)) == 6
    records = await store.turns(None, 10)
    assert {one.turn_id: (one.outcome, one.cost_usd) for one in records} == dict.fromkeys(
        ("t1", "t2", "t3"), (Outcome.DONE, 0.0125)
    )


async def test_nothing_that_comes_late_opens_an_ended_turn(store: SqliteStore, path: Path) -> None:
    await store.add_message(message("e1"), "t1", SOME_TIME)
    await store.finish_turn(record("t1"))
    store.progress("t1", "late")
    store.correct("fake", "main", "edit of t1", "t1", "late")
    await store.final("t1", "late")
    assert await store.pending() == []
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT state, text FROM turn").fetchall() == [("done", "")]


async def test_a_session_is_cut_back_to_its_last_lines(path: Path) -> None:
    async with open_store(path, retention=Retention(lines=20)) as store:
        texts = [f"answer {n}" for n in range(500)]
        for n, text in enumerate(texts):
            store.finish_turn(record(f"t{n}", text=text))
        await store.finish_turn(record("other", space="other"))
        lines = await store.history(str(KEY), 1, 10_000)
        assert 20 <= len(lines) < 400
        assert [line.text for line in lines if line.role == "assistant"] == texts[-len(lines) // 2 :]
        assert len(await store.history("fake:main:other", 1, 10)) == 2


def _snapshot(path: Path) -> dict[str, list[Any]]:
    with closing(sqlite3.connect(path)) as other:
        tables = ("inbox", "turn", "part", "history")
        return {table: other.execute(f"SELECT * FROM {table}").fetchall() for table in tables}


_TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
_LINES = st.builds(HistoryRow, st.sampled_from(["user", "assistant"]), _TEXTS, _TEXTS, st.floats(0, 2e9))
_RECORDS = st.builds(
    TurnRecord,
    turn_id=st.sampled_from(["t1", "t2", "t3"]),
    key=st.just(str(KEY)),
    session=st.just(1),
    inbox_ids=st.lists(st.sampled_from(["t1", "t2", "t3"]), unique=True).map(tuple),
    outcome=st.sampled_from(Outcome),
    history=st.lists(_LINES, max_size=3).map(tuple),
    started_at=st.floats(0, 2e9),
    ended_at=st.floats(0, 2e9),
    detail=st.dictionaries(_TEXTS, _TEXTS | st.none() | st.integers(-(2**53), 2**53), max_size=3),
)


@pytest.mark.slow  # opens a store for every example
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(records=st.lists(_RECORDS, min_size=1, max_size=5))
def test_any_records_may_be_written_again_and_again(records: list[TurnRecord]) -> None:
    async def run(path: Path) -> None:
        async with open_store(path, executor=InlineExecutor, clock=lambda: SOME_TIME) as store:
            for name in ("t1", "t2", "t3"):
                await store.add_message(message(name), name, SOME_TIME)
            for one in records:
                await store.finish_turn(one)
            once = _snapshot(path)
            await asyncio.gather(*(store.finish_turn(one) for one in records))
            assert _snapshot(path) == once
            ended = {one.turn_id: one for one in reversed(records)}
            lines = [
                line for name in dict.fromkeys(one.turn_id for one in records) for line in ended[name].history
            ]
            assert await store.history(str(KEY), 1, 100) == lines
            kept = {one.turn_id: one for one in await store.turns(str(KEY), 10)}
            assert kept == {name: replace(one, history=()) for name, one in ended.items()}
            open_ids = {"t1", "t2", "t3"} - {name for one in ended.values() for name in one.inbox_ids}
            assert {turn.turn_id for turn in await store.pending()} == open_ids

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder) / "store.db"))


async def test_a_part_of_a_turn_without_a_message_does_no_harm(store: SqliteStore) -> None:
    await store.part_sent("nobody", 0, "nobody.0", Sent("9"))
    await store.progress("nobody", "text")
    await store.final("nobody", "text")
    assert await store.pending() == []
    assert await store.turns(None, 10) == []
