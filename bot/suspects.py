"""Telling a message that ends the process from its neighbours: what was at work at two ends goes one at a time.

After an end that nobody meant nothing is begun before it is known to the disk, for a while.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from bot.errors import StoreError
from bot.lanes import Turn
from bot.patience import SUSPECT_CRASHES, SUSPECT_PATIENCE, SUSPECTS_TOGETHER, WARY
from bot.store.base import Store

log = structlog.get_logger()

_LIFE = ("", "", "life")
"""The cursor that holds, while a process runs, how many before it were cut off in a row, and when it started."""


class Suspects:
    """Turns that were at work at several ends of the process wait for one another.

    So the next end finds few of them at work, of up to forty a single one, and the others, which are counted when
    they begin, are not set aside along with it. Whoever takes long lets the next one begin: what ends a process does
    so soon, and if the next one does, it is not counted against the one before.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._line: deque[asyncio.Future[None]] = deque()
        self._working = 0
        self._is_row = False
        self._wary_until = float("-inf")

    @property
    def is_wary(self) -> bool:
        """Whether an attempt has to be known to the disk before anything is done for a message."""
        return asyncio.get_running_loop().time() < self._wary_until

    async def begin_life(self, now: float) -> None:
        """Find out how the process before this one ended, and note that this one runs. `now`: since the epoch."""
        cuts = cuts_in_a_row(await self._store.cursor(*_LIFE) or "", now)
        if cuts:
            self._wary_until = asyncio.get_running_loop().time() + WARY
        self._is_row = cuts > 1
        try:
            await self._store.set_cursor(*_LIFE, f"{cuts} {now}")
        except StoreError as error:
            log.warning("start not noted", error=str(error))

    async def end_life(self) -> None:
        """It ends as it should."""
        try:
            await self._store.set_cursor(*_LIFE, "")
        except StoreError as error:
            log.warning("end not noted", error=str(error))

    @asynccontextmanager
    async def apart(self, turn: Turn) -> AsyncIterator[None]:
        """Inside the turn may work. Its interruptions count once it does."""
        if not self._is_suspect(turn):
            yield
            return
        await self._enter()
        timer = asyncio.get_running_loop().call_later(SUSPECT_PATIENCE, self._outstay, turn)
        try:
            yield
        finally:
            if timer.when() > asyncio.get_running_loop().time():
                timer.cancel()
                self._leave()

    def _is_suspect(self, turn: Turn) -> bool:
        if turn.say is not None or turn.is_final:
            return False
        # In a row of ends the first was perhaps not counted. Who had shown something by then is not what ended it.
        is_likely = self._is_row and turn.crashes > 0 and not turn.resumed
        return is_likely or turn.crashes >= SUSPECT_CRASHES

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

    def _outstay(self, turn: Turn) -> None:
        others = len(self._line)
        self._leave()
        if len(self._line) < others:
            self._store.rest(turn.turn_id)

    def _leave(self) -> None:
        self._working -= 1
        self._let_in()

    def _let_in(self) -> None:
        while self._line and self._working < max(1, (len(self._line) + self._working) // SUSPECTS_TOGETHER):
            ticket = self._line.popleft()
            if not ticket.done():
                self._working += 1
                ticket.set_result(None)


def cuts_in_a_row(noted: str, now: float) -> int:
    """How many processes were cut off, each soon after its start, as noted by the last one; 0 where it ended itself.

    What lives for a while ends a row. Pure.
    """
    before, _, started_at = noted.partition(" ")
    try:
        is_soon = 0 <= now - float(started_at) < WARY
        return int(before) + 1 if is_soon else 1
    except ValueError:
        return 1 if noted else 0
