"""Beginning requests within the limits: people at once, the background when they leave room."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from channels.capabilities import LatencyClass
from routing.pressure import Account, Pressure, is_background


class Places:
    """Hands out places on keys. `clock` is monotonic and runs with the event loop. Used from one loop."""

    def __init__(self, pressure: Pressure, clock: Callable[[], float]) -> None:
        self.pressure = pressure
        self._clock = clock
        self._first: dict[Account, asyncio.Lock] = {}
        self._left: dict[Account, asyncio.Event] = {}

    async def enter(self, account: Account, latency: LatencyClass, tokens: int) -> None:
        """A request begins. What runs in the background waits here, in the order of the calls; people never do.

        Waits without a deadline of its own. To be followed by `leave`, unless it is cancelled.
        """
        if is_background(latency):
            async with self._first.setdefault(account, asyncio.Lock()):
                await self._until_room(account, latency, tokens)
                self.pressure.take(account, latency, tokens, self._clock())
        else:
            self.pressure.take(account, latency, tokens, self._clock())

    def leave(self, account: Account, latency: LatencyClass) -> None:
        """The request ended."""
        self.pressure.release(account, latency)
        if (left := self._left.get(account)) is not None:
            left.set()

    async def _until_room(self, account: Account, latency: LatencyClass, tokens: int) -> None:
        while (wait := self.pressure.wait(account, latency, tokens, self._clock())) > 0:
            left = self._left.setdefault(account, asyncio.Event())
            left.clear()
            try:
                async with asyncio.timeout(wait):
                    await left.wait()
            except TimeoutError:
                continue
