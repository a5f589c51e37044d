"""Sums of money: they add up, survive a crash with what was written anyway, and cost no flush of their own."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from bot.store import money
from bot.store.connection import connect, connect_to_read
from bot.store.migrate import ensure_schema
from bot.store.money import Charge, Cost, Held, Spent
from bot.store.sqlite import SqliteStore, open_store
from bot.store.sweep import Retention
from bot.store.writer import MOST_RIDING
from tests.bot.store.examples import SOME_TIME, message

ANN, ROOM = "fake:main:ann", "fake:main:room"


def charge(usd: float, *, day: int = 20_000, model: str = "a/m", hold: int | None = None) -> Charge:
    return Charge(day, model, ANN, ROOM, usd, hold)


async def test_charges_add_up_by_day_model_person_and_conversation(store: SqliteStore) -> None:
    for each in (charge(0.5), charge(0.25), charge(1.0, model="b/m"), charge(2.0, day=20_001)):
        store.charge(each)
    store.charge(Charge(20_001, "a/m", "", "", 4.0))
    assert await store.take_up_spending(20_001, 20_000) == Spent(6.0, 7.75, {ANN: 2.0}, {ROOM: 2.0})
    assert await store.costs(20_000) == [
        Cost(20_001, "a/m", 6.0, 2),
        Cost(20_000, "b/m", 1.0, 1),
        Cost(20_000, "a/m", 0.75, 2),
    ]
    assert await store.costs(20_001, ROOM) == [Cost(20_001, "a/m", 2.0, 1)]


async def test_what_a_crash_ended_is_charged_as_far_as_its_answer_came(path: Path) -> None:
    async with open_store(path) as store:
        await store.add_message(message("e1"), "t1", SOME_TIME)
        store.hold(Held(1, "t1", 20_000, "a/m", ANN, ROOM, 1.0, 0.5))
        store.hold(Held(2, "t2", 20_000, "a/m", ANN, ROOM, 1.0, 0.5))
        store.hold(Held(3, "", 20_000, "b/m", "", "", 8.0, 0.0))
        store.charge(charge(0.25, hold=2))
        await store.progress("t1", "12345")  # two tokens, about
    async with open_store(path) as store:
        spent = await store.take_up_spending(20_000, 20_000)
        assert spent == Spent(10.25, 10.25, {ANN: 2.25}, {ROOM: 2.25})
        assert await store.take_up_spending(20_000, 20_000) == spent, "once"


async def test_what_was_let_go_without_a_cost_is_charged_nothing(store: SqliteStore) -> None:
    store.hold(Held(1, "t1", 20_000, "a/m", ANN, ROOM, 1.0, 0.5))
    store.charge(charge(0.0, hold=1))
    assert await store.take_up_spending(20_000, 20_000) == Spent()
    assert await store.costs(0) == []


async def test_money_rides_along_and_makes_no_flush_of_its_own(store: SqliteStore, path: Path) -> None:
    before = store.writer.batches
    rides = [store.charge(charge(0.5)) for _ in range(MOST_RIDING - 1)]
    await asyncio.sleep(0.05)  # many times what other writes wait for company
    assert (store.writer.batches, store.writer.waiting) == (before, MOST_RIDING - 1)
    await store.add_message(message("e1"), "t1", SOME_TIME)
    assert store.writer.batches == before + 1
    assert all(each.done() for each in rides)
    with closing(connect_to_read(path)) as other:
        assert money.costs(other, 0) == [Cost(20_000, "a/m", 0.5 * (MOST_RIDING - 1), MOST_RIDING - 1)]


async def test_what_only_rides_is_written_before_there_is_much_of_it(store: SqliteStore) -> None:
    rides = [store.charge(charge(0.5)) for _ in range(MOST_RIDING)]
    await asyncio.wait(rides)
    assert store.writer.waiting == 0


async def test_the_end_writes_what_rides(path: Path) -> None:
    async with open_store(path) as store:
        store.charge(charge(0.5))
    async with open_store(path) as store:
        assert await store.costs(0) == [Cost(20_000, "a/m", 0.5, 1)]


async def test_sums_go_with_what_was_said_but_never_before_a_month(path: Path) -> None:
    day = 86_400.0
    for days, left in ((400, [20_000]), (1, [20_000 + 380])):
        retention = Retention(history=days * day, every=0.01)
        async with open_store(path, clock=lambda: (20_000 + 400) * day, retention=retention) as store:
            for each in (19_999, 20_000, 20_380):
                store.charge(charge(1.0, day=each))
            async with asyncio.timeout(30):
                while [each.day for each in await store.costs(0)][-1:] != left:
                    await asyncio.sleep(0.01)


@pytest.mark.parametrize("name", ["_CHARGE_HELD", "_SUM", "_SENDERS", "_CONVERSATIONS", "_COSTS"])
def test_what_a_start_asks_walks_through_no_turns(name: str, path: Path) -> None:
    text = vars(money)[name]
    with closing(connect(path)) as connection:
        ensure_schema(connection, path)
        plan = connection.execute(f"EXPLAIN QUERY PLAN {text}", (1,) * text.count("?")).fetchall()
    assert [step[3] for step in plan if step[3].startswith("SCAN")] in ([], ["SCAN held"])
