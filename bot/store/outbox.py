"""The journal of one answer: what delivery asks before it shows something, and what it tells afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from bot.errors import StoreError
from channels.events import Sent
from channels.journal import SentPart

PROGRESS_INTERVAL = 1.0

_log = structlog.get_logger(__name__)


class AnswerStore(Protocol):
    """The part of the store that an answer's journal needs."""

    def part_sent(self, turn_id: str, part: int, send_key: str, sent: Sent) -> asyncio.Future[None]:
        """See bot.store.base.Store."""

    def progress(self, turn_id: str, text: str) -> asyncio.Future[None]:
        """See bot.store.base.Store."""

    def final(self, turn_id: str, text: str) -> asyncio.Future[None]:
        """See bot.store.base.Store."""


class TurnJournal:
    """channels.journal.Journal of a turn that is kept.

    `committed`: the future of `Store.add_message`; `counted`: that of `Store.begin`, where the attempt is counted
    apart: what may stand after a crash must be known to have been begun. `clock`: monotonic seconds, the loop's time
    will do. `resumed`: what an earlier life of the process had shown. `interval`: seconds between saved texts. `doubt`
    is called, once, before the first message that may stand already as that life did not say what came of it. Call
    `close` when the turn is over, however it ended: a text that waits to be saved is dropped then, since the
    turn's record holds the last one.
    """

    def __init__(
        self,
        store: AnswerStore,
        turn_id: str,
        committed: asyncio.Future[bool],
        clock: Callable[[], float],
        resumed: Sequence[SentPart] = (),
        *,
        interval: float = PROGRESS_INTERVAL,
        doubt: Callable[[], None] | None = None,
        counted: asyncio.Future[None] | None = None,
    ) -> None:
        self._doubt = doubt
        self._counted = counted
        self._interval = interval
        self._store = store
        self._turn_id = turn_id
        self._committed = committed
        self._clock = clock
        self._resumed = tuple(resumed)
        self._withdrawn = False
        self._closed = False
        self._text = ""
        self._saved_at: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def resumed(self) -> Sequence[SentPart]:
        """See Journal."""
        return self._resumed

    async def intent(self, part: int) -> str | None:
        """See Journal. None too when the question could not be stored: its channel will offer it again."""
        if not self._committed.done():
            await asyncio.wait((self._committed,))
        if self._counted is not None and not self._counted.done():
            await asyncio.wait((self._counted,))
        if self._withdrawn or self._committed.cancelled() or self._committed.exception() is not None:
            return None
        if self._doubt is not None and all(each.part != part for each in self._resumed):
            self._doubt()
            self._doubt = None
        return f"{self._turn_id}.{part}" if self._committed.result() else None

    def sent(self, part: int, send_key: str, sent: Sent) -> None:
        """See Journal."""
        self._store.part_sent(self._turn_id, part, send_key, sent)

    def progress(self, text: str) -> None:
        """See Journal. The first text is saved an interval after it came: most answers are whole by then."""
        self._text = text
        if self._timer is not None or self._closed:
            return
        now = self._clock()
        since = self._saved_at if self._saved_at is not None else now
        wait = max(0.0, since + self._interval - now)
        self._timer = asyncio.get_running_loop().call_later(wait, self._save)

    async def final(self, text: str) -> None:
        """See Journal. When the disk fails the person still gets the answer; only a crash could repeat it."""
        self.close()
        try:
            await self._store.final(self._turn_id, text)
        except StoreError as error:
            _log.warning("final text not kept", turn_id=self._turn_id, error=str(error))

    def withdraw(self) -> None:
        """Nothing more may be shown: later intents say None. What is on its way is still recorded."""
        self._withdrawn = True
        self.close()

    def close(self) -> None:
        """Save no more text. Leaves no timer behind. May be called twice."""
        self._closed = True
        self._text = ""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _save(self) -> None:
        self._timer = None
        self._saved_at = self._clock()
        self._store.progress(self._turn_id, self._text)


class LooseJournal:
    """channels.journal.Journal of an answer that is not kept: notes, commands, channels without durability.

    `answer_id`: what its send keys begin with; unique, at most 20 characters.
    """

    def __init__(self, answer_id: str) -> None:
        self._answer_id = answer_id
        self._withdrawn = False

    @property
    def resumed(self) -> Sequence[SentPart]:
        """Always empty."""
        return ()

    async def intent(self, part: int) -> str | None:
        """The key, at once."""
        return None if self._withdrawn else f"{self._answer_id}.{part}"

    def sent(self, part: int, send_key: str, sent: Sent) -> None:
        """Kept nowhere."""

    def progress(self, text: str) -> None:
        """Kept nowhere."""

    async def final(self, text: str) -> None:
        """Kept nowhere."""

    def withdraw(self) -> None:
        """Nothing more may be shown: later intents say None."""
        self._withdrawn = True

    def close(self) -> None:
        """Nothing to drop."""
