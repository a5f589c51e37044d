"""Telling a message that ends the process from its neighbours: what was at work at two ends goes one at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.lanes import Turn
from bot.patience import SUSPECT_CRASHES, SUSPECT_PATIENCE, SUSPECTS_TOGETHER


class Suspects:
    """Turns that were at work at several ends of the process wait for one another.

    So the next end finds few of them at work, of up to forty a single one, and the others, which are counted when
    they begin, are not set aside along with it. Whoever takes long lets the next one begin: what ends a process does
    so soon.
    """

    def __init__(self) -> None:
        self._line: deque[asyncio.Future[None]] = deque()
        self._working = 0

    @asynccontextmanager
    async def apart(self, turn: Turn) -> AsyncIterator[None]:
        """Inside the turn may work. Its interruptions count once it does."""
        if turn.crashes < SUSPECT_CRASHES or turn.say is not None or turn.is_final:
            yield
            return
        await self._enter()
        timer = asyncio.get_running_loop().call_later(SUSPECT_PATIENCE, self._leave)
        try:
            yield
        finally:
            if timer.when() > asyncio.get_running_loop().time():
                timer.cancel()
                self._leave()

    async def _enter(self) -> None:
        ticket: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(ticket)
        self._let_in()
        try:
            await ticket
        except asyncio.CancelledError:
            if not ticket.cancelled():  # it was let in at that moment
                self._leave()
            raise

    def _leave(self) -> None:
        self._working -= 1
        self._let_in()

    def _let_in(self) -> None:
        while self._line and self._working < max(1, (len(self._line) + self._working) // SUSPECTS_TOGETHER):
            ticket = self._line.popleft()
            if not ticket.done():
                self._working += 1
                ticket.set_result(None)
