"""Writes to a store and reports each durable step on its output, until it is killed. Run by test_kill."""

from __future__ import annotations

import asyncio
import itertools
import sys
from dataclasses import replace
from pathlib import Path

from bot.store.sqlite import SqliteStore, open_store
from channels.events import Sent
from tests.bot.store.examples import SOME_TIME, message, record


def _report(word: str, turn_id: str) -> None:
    sys.stdout.write(f"{word} {turn_id}\n")
    sys.stdout.flush()


async def _one(store: SqliteStore, turn_id: str, space: str) -> None:
    await store.add_message(message(turn_id, space=space), turn_id, SOME_TIME)
    _report("taken", turn_id)
    await store.part_sent(turn_id, 0, f"{turn_id}.0", Sent(f"m-{turn_id}"))
    _report("sent", turn_id)
    await store.final(turn_id, "Noon.")
    _report("final", turn_id)
    ended = record(turn_id, space=space)
    await store.finish_turn(replace(ended, history=ended.history[:1]))
    _report("ended", turn_id)


async def _lane(store: SqliteStore, life: str, space: int) -> None:
    for number in itertools.count():
        await _one(store, f"{life}-{number:06}-{space}", str(space))


async def _main(path: Path, life: str) -> None:
    async with open_store(path) as store:
        await asyncio.gather(*(_lane(store, life, space) for space in range(8)))


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), sys.argv[2]))
