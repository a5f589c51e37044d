"""The end of a turn is written, also by a disk that is full for a while."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from bot.errors import StoreError
from bot.record import LONGEST_END_PAUSE, MAX_END_TRIES, end_turn
from bot.store.base import Outcome, Store, TurnRecord
from tests.virtual_time import virtual_time

RECORD = TurnRecord("turn", "fake:main:room", 1, ("turn",), Outcome.DONE)


class Disk:
    """A store that takes nothing so many times. `ends`: when it was asked, `kept`: what it took."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.asked: list[float] = []
        self.kept: list[TurnRecord] = []

    def finish_turn(self, record: TurnRecord) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self.asked.append(loop.time())
        if len(self.asked) <= self.refusals:
            future.set_exception(StoreError("the disk is full"))
        else:
            self.kept.append(record)
            future.set_result(None)
        return future


async def ended(disk: Any) -> None:
    end_turn(cast("Store", disk), RECORD)
    await asyncio.sleep(3 * 3600)


@virtual_time
async def test_an_end_that_the_disk_did_not_take_is_written_as_soon_as_it_does() -> None:
    disk = Disk(refusals=3)
    await ended(disk)
    assert disk.kept == [RECORD]
    assert disk.asked[-1] - disk.asked[0] == 1 + 2 + 4


@virtual_time
async def test_after_half_an_hour_it_is_left_to_the_next_start() -> None:
    disk = Disk(refusals=1000)
    await ended(disk)
    assert (disk.kept, len(disk.asked)) == ([], MAX_END_TRIES + 1)
    assert 1800 <= disk.asked[-1] - disk.asked[0] <= 1800 + LONGEST_END_PAUSE
