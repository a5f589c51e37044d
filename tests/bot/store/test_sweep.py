"""What is too old goes, a slice at a time, and nothing else."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bot.store.base import Conversation
from bot.store.executors import InlineExecutor
from bot.store.money import Charge
from bot.store.sqlite import SqliteStore, open_store
from bot.store.sweep import Retention, Sweeper
from channels.events import Sent
from tests.bot.store.examples import SOME_TIME, message, record

DAY = 86_400.0


@dataclass
class Clock:
    now: float = SOME_TIME

    def __call__(self) -> float:
        return self.now


def _count(path: Path, table: str, where: str = "1") -> int:
    with closing(sqlite3.connect(path)) as other:
        return int(other.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()[0])


def _size(path: Path) -> int:
    return path.stat().st_size


async def _live(store: SqliteStore, name: str, now: float) -> None:
    """A message from its arrival to its end."""
    await store.add_message(message(name), name, now)
    store.part_sent(name, 0, f"{name}.0", Sent("9"))
    await store.finish_turn(record(name))


def _round(path: Path, sweeper: Sweeper, now: float) -> int:
    """One whole round of housekeeping; how many slices it took."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        for slices in range(1, 1000):
            other.execute("BEGIN")
            more = sweeper.step(other, now)
            other.execute("COMMIT")
            if not more:
                return slices
    raise AssertionError("the round never ended")


async def test_payloads_go_after_a_day_and_keys_stay_for_a_week(path: Path) -> None:
    clock = Clock()
    sweeper = Sweeper(Retention(), rows=7)
    async with open_store(path, clock=clock, executor=InlineExecutor) as store:
        for number in range(40):
            await _live(store, f"old{number}", clock.now)
            await store.add_key("fake", "main", f"key{number}")
        await store.add_message(message("waits"), "waits", clock.now)
        clock.now += 2 * DAY
        await _live(store, "new", clock.now)
        assert _round(path, sweeper, clock.now) > 40 // 7
        assert _count(path, "inbox", "payload IS NOT NULL") == 2
        assert not await store.add_message(message("old0"), "copy", clock.now)
        assert [turn.turn_id for turn in await store.pending()] == ["waits"]
        clock.now += 6 * DAY
        _round(path, sweeper, clock.now)
        assert _count(path, "inbox") == 2
        assert await store.add_message(message("old0"), "again", clock.now)
        assert not await store.add_message(message("new"), "copy", clock.now)
        assert [turn.turn_id for turn in await store.pending()] == ["waits", "again"]


async def test_records_outlive_a_month_and_history_a_year(path: Path) -> None:
    clock = Clock()
    sweeper = Sweeper(Retention(), rows=7)
    async with open_store(path, clock=clock, executor=InlineExecutor) as store:
        for number in range(20):
            await _live(store, f"old{number}", clock.now)
        clock.now += 35 * DAY
        _round(path, sweeper, clock.now)
        assert _count(path, "turn") == _count(path, "part") == 20
        await _live(store, "new", clock.now)
        clock.now += 10 * DAY
        _round(path, sweeper, clock.now)
        assert [turn.turn_id for turn in await store.turns(None, 100)] == ["new"]
        assert _count(path, "turn") == _count(path, "part") == 1
        assert _count(path, "history") == 42
        clock.now += 360 * DAY
        _round(path, sweeper, clock.now)
        assert _count(path, "history") == 2


async def test_what_is_not_ended_never_goes(path: Path) -> None:
    clock = Clock()
    async with open_store(path, clock=clock, executor=InlineExecutor) as store:
        await store.add_message(message("waits"), "waits", clock.now)
        await store.progress("waits", "half")
        clock.now += 1000 * DAY
        _round(path, Sweeper(Retention()), clock.now)
        (turn,) = await store.pending()
        assert turn.text == "half"


async def test_the_store_keeps_house_by_itself(path: Path) -> None:
    clock = Clock()
    async with open_store(path, clock=clock, retention=Retention(every=0.01)) as store:
        for number in range(20):
            await _live(store, f"old{number}", clock.now)
        clock.now += 500 * DAY
        async with asyncio.timeout(30):
            while _count(path, "inbox") or _count(path, "turn") or _count(path, "history"):
                await asyncio.sleep(0.01)
        assert await store.add_message(message("old0"), "again", clock.now)


async def test_what_only_rides_along_with_other_writes_keeps_no_house_waiting(path: Path) -> None:
    clock = Clock()
    async with open_store(path, clock=clock, retention=Retention(every=0.01)) as store:
        await _live(store, "old", clock.now)
        clock.now += 500 * DAY
        store.charge(Charge(20_000, "a/m", "", "", 0.5))  # as after a request that answered nobody
        async with asyncio.timeout(30):
            while _count(path, "turn"):
                await asyncio.sleep(0.01)


async def test_the_room_of_what_went_is_given_back(path: Path) -> None:
    clock = Clock()
    async with open_store(path, clock=clock) as store:
        for number in range(40):
            await store.add_message(message(f"old{number}", "x" * 200_000), f"old{number}", clock.now)
            store.finish_turn(record(f"old{number}"))
    before = _size(path)
    sweeper = Sweeper(Retention())
    for _ in range(2):
        _round(path, sweeper, clock.now + 500 * DAY)
    async with open_store(path):
        pass
    assert _size(path) < before / 4


async def test_a_conversation_goes_when_nothing_said_in_it_is_left(path: Path) -> None:
    clock = Clock()
    sweeper = Sweeper(Retention.of_days(100), rows=7)
    async with open_store(path, clock=clock, executor=InlineExecutor) as store:
        for number in range(20):
            store.save_conversation(Conversation(f"fake:main:old{number:02}", 2, {"model": "deep"}))
        store.save_conversation(Conversation("fake:main:4711", 1, {"model": "deep"}))
        await _live(store, "said", clock.now)
        clock.now += 90 * DAY
        store.save_conversation(Conversation("fake:main:new"))
        await _live(store, "again", clock.now)
        for _ in range(2):
            _round(path, sweeper, clock.now)
        assert _count(path, "conversation") == 22
        clock.now += 20 * DAY
        for _ in range(2):
            _round(path, sweeper, clock.now)
        assert not (await store.conversation("fake:main:4711")).is_new
        assert not (await store.conversation("fake:main:new")).is_new
        assert _count(path, "conversation") == 2
        assert _count(path, "history") == 2


async def test_dead_letters_go_after_a_week(path: Path) -> None:
    clock = Clock()
    sweeper = Sweeper(Retention(), rows=3)
    async with open_store(path, clock=clock, executor=InlineExecutor) as store:
        for number in range(10):
            await store.add_message(message(f"d{number}"), f"d{number}", clock.now)
            await store.final(f"d{number}", "in vain")
            await store.bury(f"d{number}", "given up", keeps_answer=True)
        clock.now += 6 * DAY
        _round(path, sweeper, clock.now)
        assert _count(path, "inbox", "state = 'dead'") == 10
        clock.now += 2 * DAY
        for _ in range(2):
            _round(path, sweeper, clock.now)
        assert _count(path, "inbox", "payload IS NOT NULL") == _count(path, "turn") == 0


def test_a_short_retention_holds_for_messages_and_letters_too() -> None:
    assert Retention.of_days(400) == Retention()
    short = Retention.of_days(1)
    assert (short.history, short.payloads, short.letters, short.turns) == (DAY, DAY, DAY, 40 * DAY)
