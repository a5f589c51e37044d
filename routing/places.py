"""Beginning requests within the limits: people at once, the background when they leave room."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from channels.capabilities import LatencyClass
from providers.errors import ErrorKind, ProviderError
from routing.pressure import Account, Pressure, is_background


class Places:
    """Hands out places on keys. `clock` is monotonic and runs with the event loop. Used from one loop."""

    def __init__(self, pressure: Pressure | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.pressure = pressure or Pressure()
        self._clock = clock
        self._first: dict[Account, asyncio.Lock] = {}
        self._left: dict[Account, asyncio.Event] = {}

    async def enter(self, account: Account, latency: LatencyClass, tokens: int, limit: float) -> None:
        """A request begins. What runs in the background waits here, in the order of the calls; people never do.

        To be followed by `leave` unless it raises: RATE_LIMIT where there was no room within `limit` seconds.
        """
        if not is_background(latency):
            self.pressure.take(account, latency, tokens, self._clock())
            return
        try:
            async with asyncio.timeout(limit), self._first.setdefault(account, asyncio.Lock()):
                await self._until_room(account, latency, tokens)
                self.pressure.take(account, latency, tokens, self._clock())
        except TimeoutError:
            detail = f"not sent: people left no room within {limit:.0f} s"
            raise ProviderError(ErrorKind.RATE_LIMIT, detail) from None

    def leave(self, account: Account, latency: LatencyClass) -> None:
        """The request ended."""
        self.pressure.release(account, latency)
        if (left := self._left.get(account)) is not None:
            left.set()

    async def _until_room(self, account: Account, latency: LatencyClass, tokens: int) -> None:
        while (wait := self.pressure.wait(account, latency, tokens, self._clock())) > 0:
            left = self._left.setdefault(account, asyncio.Event())
            left.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await left.wait()
