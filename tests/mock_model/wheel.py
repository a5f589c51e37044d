"""One timer for all streams: callbacks wait in slots of one millisecond, not in a timer each."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable

RESOLUTION = 0.001


class Wheel:
    """Runs callbacks at their time, rounded up to the slot; idle when nothing waits."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._slots: dict[int, list[Callable[[], None]]] = {}
        self._due: list[int] = []
        self._armed: int | None = None
        self._timer: asyncio.TimerHandle | None = None

    def at(self, when: float, callback: Callable[[], None]) -> None:
        """Run `callback` at monotonic time `when` or up to a millisecond later, never before."""
        slot = int(when / RESOLUTION) + 1
        waiting = self._slots.get(slot)
        if waiting is not None:
            waiting.append(callback)
            return
        self._slots[slot] = [callback]
        heapq.heappush(self._due, slot)
        if self._armed is None or slot < self._armed:
            self._arm(slot)

    def _arm(self, slot: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed = slot
        # Not call_at: uvloop's own clock stands still while callbacks run.
        self._timer = self._loop.call_later(max(0.0, slot * RESOLUTION - time.monotonic()), self._run)

    def _run(self) -> None:
        self._armed = None
        now = int(time.monotonic() / RESOLUTION)
        while self._due and self._due[0] <= now:
            for callback in self._slots.pop(heapq.heappop(self._due)):
                callback()
        if self._due:
            self._arm(self._due[0])
