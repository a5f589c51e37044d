"""Prints what the store costs on this machine: `python -m tests.bot.store.measure`. Not a test.

Each message is what a short answer writes: add_message and final, which are awaited, part_sent and finish_turn,
which are not. CPU is that of all threads of the process, the system's share of the flushes included.
"""

from __future__ import annotations

import asyncio
import secrets
import statistics
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from bot.ids import new_turn_id
from bot.store.sqlite import SqliteStore, open_store
from channels.events import Sent
from tests.bot.store.examples import message, record

TEXT = "An answer of an ordinary length, three or four sentences. " * 6


async def _one(store: SqliteStore, number: int, waits: list[float], space: str) -> None:
    turn_id = new_turn_id(time.time(), secrets.randbits)
    asked = message(f"e-{number}", TEXT[:80], space)
    begun = time.perf_counter()
    await store.add_message(asked, turn_id, time.time())
    waits.append(time.perf_counter() - begun)
    store.part_sent(turn_id, 0, f"{turn_id}.0", Sent("9"))
    await store.final(turn_id, TEXT)
    store.finish_turn(record(turn_id, text=TEXT, space=space))


async def _lanes(store: SqliteStore, lanes: int, count: int, waits: list[float]) -> None:
    numbers = iter(range(count))
    prefix = secrets.token_hex(4)

    async def lane(place: int) -> None:
        for number in numbers:
            await _one(store, int(prefix, 16) * 1_000_000 + number, waits, f"{prefix}-{place}")

    await asyncio.gather(*(lane(place) for place in range(lanes)))


async def _paced(store: SqliteStore, rate: float, count: int, waits: list[float], busy: float) -> None:
    """`rate` messages a second; `busy`: the share of the loop's time that other work takes, in pieces of 0.6 ms."""
    done = asyncio.Event()

    async def burn() -> None:
        while not done.is_set():
            for _ in range(5):
                until = time.perf_counter() + 0.0006
                while time.perf_counter() < until:
                    pass
                await asyncio.sleep(0)
            await asyncio.sleep(0.003 * (1 - busy) / busy)

    burning = [asyncio.create_task(burn())] if busy else []
    base = secrets.randbits(40) * 1_000_000
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(_one(store, base + number, waits, str(number % 50)))
            await asyncio.sleep(1 / rate)
    done.set()
    await asyncio.gather(*burning)


def _line(name: str, count: int, waits: list[float], wall: float, cpu: float) -> str:
    quantiles = statistics.quantiles(waits, n=100)
    return (
        f"{name:34} add durable p50 {quantiles[49] * 1e3:6.2f} ms  p99 {quantiles[98] * 1e3:7.2f} ms   "
        f"CPU {cpu / count * 1e6:5.0f} us/message   {count / wall:7.0f} messages/s"
    )


async def _main(folder: Path) -> None:
    async with open_store(folder / "store.db") as store:
        for lanes, count in ((1, 500), (32, 5000), (256, 10_000)):
            waits: list[float] = []
            wall, cpu = time.perf_counter(), time.process_time()
            await _lanes(store, lanes, count, waits)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            print(_line(f"{lanes} at once", count, waits, wall, cpu))
        for rate, count, busy in ((50, 300, 0.0), (200, 1000, 0.0), (200, 1000, 0.6)):
            waits = []
            wall, cpu = time.perf_counter(), time.process_time()
            await _paced(store, rate, count, waits, busy)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            name = f"{rate}/s, loop {busy:.0%} busy"
            print(_line(name, count, waits, wall, 0.0 if busy else cpu))
        reads: list[float] = []
        for _ in range(500):
            begun = time.perf_counter()
            await store.history("fake:main:0", 1, 40)
            reads.append(time.perf_counter() - begun)
        print(f"history of 40 lines p50 {statistics.median(reads) * 1e3:.2f} ms")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        if "--asyncio" in sys.argv:
            asyncio.run(_main(Path(name)))
        else:
            uvloop.run(_main(Path(name)))
