"""Previews that are on show: Telegram drops one after 30 s, a slow model may need longer.

One is painted again only while the task that painted it is at work. Whatever ends that (a stop, a deleted question, a
fault) leaves a preview that nobody renews, and Telegram takes it away within 30 s.
"""

from __future__ import annotations

import asyncio
import hashlib
import weakref
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from channels.errors import ChannelError
from channels.events import Address
from channels.telegram.timing import Timing

# More open previews than this are not kept alive; they still show whenever new text comes.
MAX_OPEN = 20_000


def draft_id(send_key: str) -> int:
    """The same id for the same part of the same answer: after a restart the preview goes on in its place."""
    return int.from_bytes(hashlib.sha256(send_key.encode()).digest()[:4], "big") % 0x7FFFFFFE + 1


@dataclass(slots=True)
class _Draft:
    address: Address
    text: str
    painted: float
    since: float
    writer: weakref.ref[asyncio.Task[object]] | None

    @property
    def is_left(self) -> bool:
        """Whoever painted it is gone."""
        writer = None if self.writer is None else self.writer()
        return writer is None or writer.done()


class Drafts:
    """Paints the oldest preview again before it fades. `paint` shows one; `clock` gives seconds."""

    def __init__(
        self,
        paint: Callable[[Address, int, str], Awaitable[None]],
        timing: Timing,
        clock: Callable[[], float],
    ) -> None:
        self._paint = paint
        self._timing = timing
        self._clock = clock
        self._open: OrderedDict[tuple[str, int], _Draft] = OrderedDict()
        self._begun = asyncio.Event()

    def __len__(self) -> int:
        return len(self._open)

    def painted(self, address: Address, number: int, text: str) -> None:
        """Keep it in mind that the task that is running has just shown this text."""
        key, now = (str(address.key), number), self._clock()
        if key not in self._open and len(self._open) >= MAX_OPEN:
            return
        task = asyncio.current_task()
        self._open[key] = _Draft(address, text, now, now, None if task is None else weakref.ref(task))
        self._open.move_to_end(key)
        self._begun.set()

    def closed(self, address: Address, number: int) -> None:
        """The answer stands as a message now, or will never stand."""
        self._open.pop((str(address.key), number), None)

    async def keep_alive(self) -> None:
        """Until cancelled."""
        while True:
            if not self._open:
                self._begun.clear()
                await self._begun.wait()
                continue  # it may be finished again by the time that we are awake
            key, oldest = next(iter(self._open.items()))
            due = oldest.painted + self._timing.draft_refresh - self._clock()
            if due > 0:
                await asyncio.sleep(due)
                continue
            if oldest.is_left or self._clock() - oldest.since > self._timing.draft_forget:
                del self._open[key]
                continue
            oldest.painted = self._clock()
            self._open.move_to_end(key)
            await self._repaint(key[1], oldest)

    async def _repaint(self, number: int, draft: _Draft) -> None:
        try:
            await self._paint(draft.address, number, draft.text)
        except ChannelError:
            return  # the next text, or the next round, shows it again
