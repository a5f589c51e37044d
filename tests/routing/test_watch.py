"""A Watch ends a wait that takes too long, and nothing else."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable
from typing import TypeVar

import pytest

from providers.fake import Hang, answer
from routing.watch import Watch
from tests.routing.test_hedge import Rig
from tests.virtual_time import virtual_time

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


@virtual_time
async def test_a_second_request_that_lost_leaves_no_ring_of_objects_for_the_collector() -> None:
    rig = Rig(("a/m", answer("from a", ttft=1.0)), ("b/m", (Hang(),)))
    gc.collect()
    gc.disable()
    try:
        await rig.read()
        assert [(each.rung.model.provider, each.cancelled) for each in rig.attempts] == [
            ("a", False),
            ("b", True),
        ]
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        assert not [each for each in gc.garbage if type(each).__module__.startswith("routing")]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
