"""An Interrupt ends its own scope and nothing else."""

from __future__ import annotations

import asyncio

import pytest

from bot.interrupt import Interrupt, StopReason


async def test_a_fire_ends_the_scope_quietly_and_says_why() -> None:
    interrupt = Interrupt()
    inside = asyncio.Event()

    async def work() -> str:
        async with interrupt:
            inside.set()
            await asyncio.Event().wait()
        return str(interrupt.reason)

    task = asyncio.ensure_future(work())
    await inside.wait()
    interrupt.fire(StopReason.STOPPED)
    assert await task == "stopped"


async def test_a_fire_before_the_scope_takes_effect_at_its_first_wait() -> None:
    interrupt = Interrupt()
    interrupt.fire(StopReason.MERGED)
    async with interrupt:
        await asyncio.Event().wait()
    assert interrupt.reason is StopReason.MERGED
    interrupt.clear()
    async with interrupt:
        await asyncio.sleep(0)
    assert interrupt.reason is None


async def test_somebody_elses_cancel_is_not_swallowed() -> None:
    interrupt = Interrupt()
    inside = asyncio.Event()

    async def work() -> None:
        async with interrupt:
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(work())
    await inside.wait()
    interrupt.fire(StopReason.STOPPED)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_first_reason_stands_but_a_shutdown_replaces_it() -> None:
    interrupt = Interrupt()
    interrupt.fire(StopReason.STOPPED)
    interrupt.fire(StopReason.EDITED)
    assert interrupt.reason is StopReason.STOPPED
    interrupt.fire(StopReason.SHUTDOWN)
    assert str(interrupt.reason) == "shutdown"


async def test_an_error_inside_comes_out() -> None:
    interrupt = Interrupt()
    with pytest.raises(RuntimeError):
        async with interrupt:
            raise RuntimeError
