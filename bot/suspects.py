"""Telling a message that ends the process from its neighbours: what was at work at two ends goes one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.lanes import Turn
from bot.patience import SUSPECT_CRASHES, SUSPECT_PATIENCE


class Suspects:
    """Turns that were at work at several ends of the process wait for one another.

    So the next end finds one of them at work and no more, and the others, which are counted when they begin, are not
    set aside along with it. Whoever takes long lets the next one begin: what ends a process does so soon.
    """

    def __init__(self) -> None:
        self._free: asyncio.Semaphore = asyncio.Semaphore(1)

    @asynccontextmanager
    async def apart(self, turn: Turn) -> AsyncIterator[None]:
        """Inside the turn may work. Its interruptions count once it does."""
        if turn.crashes < SUSPECT_CRASHES or turn.say is not None or turn.is_final:
            yield
            return
        await self._free.acquire()
        timer = asyncio.get_running_loop().call_later(SUSPECT_PATIENCE, self._free.release)
        try:
            yield
        finally:
            if timer.when() > asyncio.get_running_loop().time():
                timer.cancel()
                self._free.release()
