"""A Watch ends a wait that takes too long, and nothing else."""

from __future__ import annotations

import asyncio

import pytest

from routing.watch import Watch


async def test_a_wait_that_takes_too_long_ends_with_a_timeout() -> None:
    watch = Watch()
    with pytest.raises(TimeoutError):
        await watch.wait(asyncio.Event().wait(), 0.01)
    watch.close()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_later_wait_may_be_longer_or_shorter_than_the_one_before() -> None:
    watch = Watch()
    assert await watch.wait(asyncio.sleep(0.02, "late"), 5.0) == "late"
    with pytest.raises(TimeoutError):
        await watch.wait(asyncio.Event().wait(), 0.01)
    assert await watch.wait(asyncio.sleep(0.02, "again"), 5.0) == "again"
    watch.close()


async def test_somebody_elses_cancel_stays_a_cancel() -> None:
    watch = Watch()
    inside = asyncio.Event()

    async def work() -> None:
        inside.set()
        await watch.wait(asyncio.Event().wait(), 60.0)

    task = asyncio.ensure_future(work())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    watch.close()


async def test_a_timer_that_fires_between_waits_harms_nobody() -> None:
    watch = Watch()
    assert await watch.wait(asyncio.sleep(0, 1), 0.01) == 1
    await asyncio.sleep(0.03)
    assert await watch.wait(asyncio.sleep(0, 2), 0.01) == 2
    watch.close()
