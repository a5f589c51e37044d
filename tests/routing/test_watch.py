"""A Watch ends a wait that takes too long, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import pytest

from routing.watch import Watch

T = TypeVar("T")


class Waits:
    """A watch, and waiting under it."""

    def __init__(self) -> None:
        self.watch = Watch()

    async def wait(self, awaitable: Awaitable[T], limit: float) -> T:
        self.watch.arm(limit)
        try:
            return await awaitable
        except asyncio.CancelledError:
            if self.watch.has_fired():
                raise TimeoutError from None
            raise
        finally:
            self.watch.disarm()

    def close(self) -> None:
        self.watch.close()


async def test_a_wait_that_takes_too_long_ends_with_a_timeout() -> None:
    watch = Waits()
    with pytest.raises(TimeoutError):
        await watch.wait(asyncio.Event().wait(), 0.01)
    watch.close()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_later_wait_may_be_longer_or_shorter_than_the_one_before() -> None:
    watch = Waits()
    assert await watch.wait(asyncio.sleep(0.02, "late"), 5.0) == "late"
    with pytest.raises(TimeoutError):
        await watch.wait(asyncio.Event().wait(), 0.01)
    assert await watch.wait(asyncio.sleep(0.02, "again"), 5.0) == "again"
    watch.close()


async def test_somebody_elses_cancel_stays_a_cancel() -> None:
    inside = asyncio.Event()

    async def work() -> None:
        inside.set()
        await Waits().wait(asyncio.Event().wait(), 60.0)

    task = asyncio.ensure_future(work())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_timer_that_fires_between_waits_harms_nobody() -> None:
    watch = Waits()
    assert await watch.wait(asyncio.sleep(0, 1), 0.01) == 1
    await asyncio.sleep(0.03)
    assert await watch.wait(asyncio.sleep(0, 2), 0.01) == 2
    watch.close()
