"""Group commit: order, company, failures and bounds, with a disk that can be held still."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bot.errors import StoreError
from bot.store import writer as writing
from bot.store.connection import connect
from bot.store.executors import Executor, InlineExecutor, ThreadExecutor
from bot.store.sqlite import SqliteStore, open_store
from bot.store.writer import Kind, Writer
from channels.events import Sent
from tests.bot.store.examples import SOME_TIME, message, record


class HeldExecutor(ThreadExecutor):
    """A thread that can be held still: a disk that is slow for as long as a test needs it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._free = threading.Event()

    async def hold(self) -> None:
        """Return once the thread stands still."""
        held = threading.Event()

        def stand_still() -> None:
            held.set()
            self._free.wait()

        self.submit(stand_still)
        assert await asyncio.to_thread(held.wait, 10)

    def release(self) -> None:
        self._free.set()

    def close(self) -> None:
        self.release()
        super().close()


def _executors() -> tuple[list[HeldExecutor], Callable[[str], Executor]]:
    made: list[HeldExecutor] = []

    def make(name: str) -> Executor:
        made.append(HeldExecutor(name))
        return made[-1]

    return made, make


def _insert(connection: sqlite3.Connection, rows: Sequence[Any]) -> Sequence[Any]:
    for row in rows:
        connection.execute("INSERT INTO t VALUES (?)", (row,))
    return rows


INSERT = Kind("insert", 0, _insert, urgent=True)
LAZY = Kind("lazy", 1, _insert)


@pytest.fixture
def connection(path: Path) -> sqlite3.Connection:
    made = connect(path)
    made.execute("CREATE TABLE t (a INTEGER UNIQUE) STRICT")
    return made


async def test_writes_that_wait_together_share_one_transaction(path: Path) -> None:
    made, make = _executors()
    async with open_store(path, executor=make) as store:
        await made[0].hold()
        futures = [store.add_message(message(f"e{n}"), f"t{n}", SOME_TIME) for n in range(100)]
        before = store.writer.batches
        made[0].release()
        assert all(await asyncio.gather(*futures))
        assert store.writer.batches - before <= 2


async def test_a_write_that_fails_fails_alone(connection: sqlite3.Connection, path: Path) -> None:
    executor = HeldExecutor("writer")
    writer = Writer(connection, path, executor)
    await executor.hold()
    rows = [*range(20), 7, "text", 13, *range(20, 40)]
    futures = [writer.add(INSERT, row) for row in rows]
    executor.release()
    outcomes = await asyncio.gather(*futures, return_exceptions=True)
    bad = [row for row, outcome in zip(rows, outcomes, strict=True) if isinstance(outcome, StoreError)]
    assert bad == [7, "text", 13]
    found = [row[0] for row in connection.execute("SELECT a FROM t ORDER BY rowid")]
    assert found == list(range(40))
    assert (writer.written, writer.failed) == (40, 3)
    await writer.close()
    executor.close()
    connection.close()


async def test_the_cause_of_a_failure_is_told(connection: sqlite3.Connection, path: Path) -> None:
    executor = ThreadExecutor("writer")
    writer = Writer(connection, path, executor)
    with pytest.raises(StoreError, match=r"IntegrityError.*cannot store TEXT value") as caught:
        await writer.add(INSERT, "text")
    assert isinstance(caught.value.__cause__, sqlite3.IntegrityError)
    await writer.close()
    executor.close()
    connection.close()


async def test_writes_without_hurry_come_before_later_ones_of_their_kind(
    connection: sqlite3.Connection, path: Path
) -> None:
    executor = ThreadExecutor("writer")
    writer = Writer(connection, path, executor)
    lazy = [writer.add(LAZY, n) for n in range(5)]
    await writer.add(INSERT, 99)
    assert all(future.done() for future in lazy)
    assert [row[0] for row in connection.execute("SELECT a FROM t ORDER BY rowid")] == [99, 0, 1, 2, 3, 4]
    assert writer.batches == 1
    await writer.close()
    executor.close()
    connection.close()


async def test_a_write_without_hurry_is_written_without_company_too(
    connection: sqlite3.Connection, path: Path
) -> None:
    executor = ThreadExecutor("writer")
    writer = Writer(connection, path, executor)
    assert await writer.add(LAZY, 1) == 1
    await writer.close()
    executor.close()
    connection.close()


async def test_new_messages_are_refused_when_too_much_waits_and_known_ones_go_on(path: Path) -> None:
    made, make = _executors()
    async with open_store(path, executor=make) as store:
        await store.add_message(message("e0"), "t0", SOME_TIME)
        await made[0].hold()
        taken = [
            store.add_message(message(f"e{n}"), f"t{n}", SOME_TIME)
            for n in range(1, writing.INTAKE_WRITES + 1)
        ]
        with pytest.raises(StoreError, match="overloaded: 10000 writes"):
            await store.add_message(message("late"), "late", SOME_TIME)
        with pytest.raises(StoreError, match="overloaded"):
            await store.progress("t0", "text so far")
        essential = [store.part_sent("t0", 0, "t0.0", Sent("9")), store.finish_turn(record("t0"))]
        made[0].release()
        assert all(await asyncio.gather(*taken))
        await asyncio.gather(*essential)
        assert store.writer.refused == 2
        assert await store.add_message(message("late"), "late", SOME_TIME)


async def test_the_bytes_that_wait_are_bounded_too(path: Path) -> None:
    made, make = _executors()
    async with open_store(path, executor=make) as store:
        await made[0].hold()
        megabytes = [store.add_message(message(f"e{n}", "x" * 2**20), f"t{n}", SOME_TIME) for n in range(63)]
        with pytest.raises(StoreError, match="overloaded"):
            await store.add_message(message("more", "x" * 2**20), "more", SOME_TIME)
        finals = [store.final(f"t{n}", "y" * 2**20) for n in range(60)]
        with pytest.raises(StoreError, match="overloaded"):
            await store.final("t0", "z" * 8 * 2**20)
        made[0].release()
        assert all(await asyncio.gather(*megabytes))
        await asyncio.gather(*finals)


async def test_closing_writes_what_was_handed_over(path: Path) -> None:
    store = await SqliteStore.open(path)
    futures = [store.add_message(message(f"e{n}"), f"t{n}", SOME_TIME) for n in range(50)]
    lazy = store.part_sent("t0", 0, "t0.0", Sent("9"))
    await store.close()
    await store.close()
    assert lazy.done() and all(future.done() for future in futures)
    with pytest.raises(StoreError, match="is closed"):
        await store.add_message(message("late"), "late", SOME_TIME)
    with pytest.raises(StoreError, match="is closed"):
        await store.history("fake:main:4711", 1, 10)
    async with open_store(path) as again:
        assert len(await again.pending()) == 50


async def test_a_caller_that_goes_away_takes_nothing_with_it(store: SqliteStore) -> None:
    future = store.add_message(message("e1"), "t1", SOME_TIME)
    future.cancel()
    assert await store.add_message(message("e2"), "t2", SOME_TIME)
    assert [turn.turn_id for turn in await store.pending()] == ["t1", "t2"]


async def test_a_read_waits_for_a_write_whose_caller_went_away(path: Path) -> None:
    made, make = _executors()
    async with open_store(path, executor=make) as store:
        await made[0].hold()
        store.finish_turn(record("t1")).cancel()
        reading = asyncio.ensure_future(store.history("fake:main:4711", 1, 10))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not reading.done()
        made[0].release()
        assert len(await reading) == 2


async def test_no_thread_is_left_behind(path: Path) -> None:
    before = threading.active_count()
    async with open_store(path) as store:
        await store.add_key("fake", "main", "e1")
        assert threading.active_count() > before
    assert threading.active_count() == before


async def test_everything_works_in_the_callers_thread(path: Path) -> None:
    before = threading.active_count()
    async with open_store(path, executor=InlineExecutor) as store:
        assert threading.active_count() == before
        assert await store.add_message(message("e1"), "t1", SOME_TIME)
        store.finish_turn(record("t1"))
        assert len(await store.history("fake:main:4711", 1, 10)) == 2
        assert await store.pending() == []


def _raise() -> None:
    raise ValueError


async def test_work_that_raises_does_not_end_its_thread() -> None:
    executor = ThreadExecutor("worker")
    done = threading.Event()
    executor.submit(_raise)
    executor.submit(done.set)
    assert await asyncio.to_thread(done.wait, 10)
    executor.close()


PATIENT = Kind("patient", 2, _insert, patient=True)


async def test_what_is_patient_goes_with_the_next_batch_and_makes_none(
    path: Path, connection: sqlite3.Connection
) -> None:
    writer = Writer(connection, path, InlineExecutor())
    waits = [writer.add(PATIENT, number) for number in range(3)]
    await asyncio.sleep(writing.PATIENCE)
    assert writer.batches == 0 and writer.is_pressed
    await writer.add(INSERT, 10)
    assert writer.batches == 1 and all(each.done() for each in waits)


async def test_what_is_patient_is_written_alone_in_the_end(
    path: Path, connection: sqlite3.Connection
) -> None:
    writer = Writer(connection, path, InlineExecutor())
    assert await writer.add(PATIENT, 1) == 1
    waits = writer.add(PATIENT, 2)
    await writer.add(LAZY, 3)  # whose patience ends long before
    assert waits.done() and writer.batches == 2


async def test_what_is_patient_does_not_lengthen_the_work_that_is_going_on(path: Path) -> None:
    made, make = _executors()
    async with open_store(path, executor=make) as store:
        await made[0].hold()
        loop, late = asyncio.get_running_loop(), list[asyncio.Future[Any]]()
        come = threading.Event()

        def save() -> None:
            late.append(store.progress("t", "text"))
            come.set()

        def meanwhile(_: sqlite3.Connection) -> None:
            loop.call_soon_threadsafe(save)
            assert come.wait(10)

        first = store.call(meanwhile)
        made[0].release()
        await first
        assert store.writer.batches == 1 and not late[0].done()
        await late[0]
        assert store.writer.batches == 2


async def test_the_end_writes_what_is_patient(path: Path, connection: sqlite3.Connection) -> None:
    writer = Writer(connection, path, ThreadExecutor("disk"))
    waits = [writer.add(PATIENT, number) for number in range(writing.BATCH + 5)]
    await writer.close()
    assert all(each.result() == number for number, each in enumerate(waits))
