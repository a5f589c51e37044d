"""Runs a coroutine on the fast event loop, where that is installed."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """The coroutine's result. uvloop halves the CPU a message costs; it is not made for every system."""
    try:
        import uvloop
    except ImportError:
        import asyncio

        return asyncio.run(work)
    return uvloop.run(work)


def run_still(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing, without the sockets of a loop. ValueError if it waits."""
    try:
        next(work.__await__())
    except StopIteration as stop:
        result: T = stop.value
        return result
    work.close()
    raise ValueError("it waits")
