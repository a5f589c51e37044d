"""Waiting for each event of a stream no longer than allowed, at the price of one timer a stream."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Watch:
    """Deadlines for the awaits of one task. Like asyncio.timeout, but its timer is moved only when it fires.

    A stream of 2,000 tokens then costs a handful of timers rather than 2,000. Use it from one task only, and
    `close` it at the end.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._waiting: asyncio.Task[object] | None = None
        self._has_fired = False

    async def wait(self, awaitable: Awaitable[T], limit: float) -> T:
        """What `awaitable` gives. Raises TimeoutError after `limit` seconds."""
        task = self._begin(limit)
        try:
            return await awaitable
        except asyncio.CancelledError:
            self._translate(task)
            raise
        finally:
            self._waiting = None

    def _begin(self, limit: float) -> asyncio.Task[object]:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a Watch is used inside a task")
        self._deadline = self._loop.time() + limit
        if self._timer is None or self._timer.when() > self._deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(self._deadline, self._fire)
        self._has_fired = False
        self._waiting = task
        return task

    def _translate(self, task: asyncio.Task[object]) -> None:
        # Only our own cancel becomes a TimeoutError; when somebody else cancelled too, theirs stands.
        if self._has_fired and task.uncancel() == 0:
            raise TimeoutError from None

    def _fire(self) -> None:
        self._timer = None
        if self._waiting is None:
            return
        if self._loop.time() >= self._deadline:
            self._has_fired = True
            self._waiting.cancel()
        else:
            self._timer = self._loop.call_at(self._deadline, self._fire)

    def close(self) -> None:
        """Drop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
