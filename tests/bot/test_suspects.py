"""What was at work at two ends of the process is answered one at a time, and nobody waits for long."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from bot.lanes import Turn
from bot.patience import SUSPECT_CRASHES, SUSPECT_PATIENCE, WARY
from bot.store.base import Store
from bot.suspects import Suspects, cuts_in_a_row
from tests.virtual_time import virtual_time


class Work:
    """Turns at work for some seconds each. `most`: how many were at it at once; `ends`: when each was over."""

    def __init__(self, noted: str = "") -> None:
        self.forgiven: list[str] = []
        self.noted: str | None = noted
        self.suspects = Suspects(cast("Store", self))
        self.now = self.most = 0
        self.ends: list[float] = []

    async def cursor(self, channel: str, account: str, name: str) -> str | None:
        return self.noted

    async def set_cursor(self, channel: str, account: str, name: str, value: str) -> None:
        self.noted = value

    def rest(self, turn_id: str) -> None:
        self.forgiven.append(turn_id)

    async def do(self, seconds: float, crashes: int = SUSPECT_CRASHES, shown: str = "") -> None:
        turn = cast(
            "Turn",
            SimpleNamespace(
                turn_id=f"{seconds:g} s", crashes=crashes, say=None, is_final=False, resumed=tuple(shown)
            ),
        )
        async with self.suspects.apart(turn):
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(seconds)
            self.now -= 1
        self.ends.append(asyncio.get_running_loop().time())


@virtual_time
async def test_a_few_go_one_after_another() -> None:
    work = Work()
    await asyncio.gather(*(work.do(2.0) for _ in range(5)))
    assert (work.most, work.ends) == (1, [2.0, 4.0, 6.0, 8.0, 10.0])


@virtual_time
async def test_who_was_at_work_at_one_end_waits_for_nobody() -> None:
    work = Work()
    await asyncio.gather(work.do(5.0), work.do(5.0), *(work.do(1.0, SUSPECT_CRASHES - 1) for _ in range(9)))
    assert work.ends == [1.0] * 9 + [5.0, 10.0]


@virtual_time
async def test_a_long_one_lets_the_next_begin() -> None:
    work = Work()
    await asyncio.gather(work.do(1000.0), work.do(1.0), work.do(1.0))
    assert work.ends == [SUSPECT_PATIENCE + 1.0, SUSPECT_PATIENCE + 2.0, 1000.0]
    await work.do(1.0)
    assert work.ends[-1] == 1001.0
    assert work.forgiven == ["1000 s"]  # should the next one end the process, it was not this one


@virtual_time
async def test_who_takes_long_and_keeps_nobody_waiting_stays_counted() -> None:
    work = Work()
    await work.do(1000.0)
    assert not work.forgiven


@virtual_time
async def test_in_a_row_of_ends_who_had_shown_nothing_at_the_last_one_goes_apart() -> None:
    work = Work("1 1000.0")
    await work.suspects.begin_life(1001.0)
    await asyncio.gather(work.do(2.0, 1), work.do(2.0, 1), work.do(1.0, 1, "some of it"), work.do(1.0, 0))
    assert work.ends == [1.0, 1.0, 2.0, 4.0]
    assert work.noted == "2 1001.0"
    await work.suspects.end_life()
    assert not work.noted


@virtual_time
async def test_of_very_many_some_go_together() -> None:
    work = Work()
    await asyncio.gather(*(work.do(1.0) for _ in range(500)))
    assert work.most == 25
    assert work.ends[-1] < 100


@virtual_time
async def test_who_gives_up_waiting_takes_no_place() -> None:
    work = Work()
    first, second = asyncio.ensure_future(work.do(4.0)), asyncio.ensure_future(work.do(1.0))
    third = asyncio.ensure_future(work.do(1.0))
    await asyncio.sleep(1.0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    await asyncio.gather(first, third)
    assert work.ends == [4.0, 5.0]


@pytest.mark.parametrize(
    ("noted", "now", "cuts"),
    [
        ("", 1000.0, 0),  # the first start of all, or the one before left by itself
        ("0 1000.0", 1005.0, 1),
        ("1 1000.0", 1005.0, 2),
        ("2 1000.0", 1000.0 + WARY, 1),  # it lived for a while
        ("2 1000.0", 990.0, 1),  # the clock was put back
        ("nonsense", 1000.0, 1),
        ("1", 1000.0, 1),
    ],
)
def test_a_row_of_processes_that_were_cut_off_soon_after_their_start(
    noted: str, now: float, cuts: int
) -> None:
    assert cuts_in_a_row(noted, now) == cuts
