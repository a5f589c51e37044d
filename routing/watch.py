"""Waiting for each event of a stream no longer than allowed, at the price of one timer a stream."""

from __future__ import annotations

import asyncio


class Watch:
    """Deadlines for the awaits of one task. Like asyncio.timeout, but its timer is moved only when it fires.

    A stream of 2,000 tokens then costs a handful of timers rather than 2,000. It belongs to the task that makes
    it; `close` it at the end.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._task = asyncio.current_task()
        self._is_armed = False
        self._is_fired = False

    def arm(self, limit: float) -> None:
        """From now on the task may wait `limit` seconds; then it is cancelled, and `has_fired` tells.

        Pair with `disarm`: nothing is cancelled in between two waits.
        """
        self._deadline = self._loop.time() + limit
        if self._timer is None or self._timer.when() > self._deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(self._deadline, self._fire)
        self._is_armed = True

    def interrupt(self) -> None:
        """End the wait now, as if its time were over; where nobody waits, nothing happens."""
        if self._is_armed and not self._is_fired and self._task is not None:
            self._is_fired = True
            self._task.cancel()

    def disarm(self) -> None:
        """The wait is over."""
        self._is_armed = False

    def has_fired(self) -> bool:
        """To ask when a CancelledError came out of the wait: True when it was this watch's own.

        It is then taken back, and the task lives on. When somebody else cancelled too, theirs stands.
        """
        if not self._is_fired:
            return False
        self._is_fired = False
        return self._task is not None and self._task.uncancel() == 0

    def _fire(self) -> None:
        self._timer = None
        if not self._is_armed or self._is_fired or self._task is None:
            return
        if self._loop.time() >= self._deadline:
            self._is_fired = True
            self._task.cancel()
        else:
            self._timer = self._loop.call_at(self._deadline, self._fire)

    def close(self) -> None:
        """Drop the timer, and the task: what cancelled it may hold this watch."""
        self._task = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
