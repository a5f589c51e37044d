"""Tries at one turn: counted before they begin, repeated with growing pauses while there is hope, then given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from bot import metrics, words
from bot.alerts import Alerts, Kind
from bot.errors import Broken, StoreError, Undelivered
from bot.interrupt import StopReason
from bot.lanes import Turn
from bot.patience import MAX_ERRORS, age_limit, pause, quick_pause
from bot.record import end_turn
from bot.store.base import Outcome, Store, TurnRecord
from bot.suspects import Suspects

log = structlog.get_logger()

DEAD = "dead"
"""The outcome, in the metrics, of a turn whose message was set aside."""

_GOES_ON = frozenset({None, StopReason.EDITED, StopReason.MERGED, StopReason.STOPPED})
_STANDS = frozenset({StopReason.SHUTDOWN, StopReason.DELETED})


@dataclass(frozen=True, slots=True)
class Tries:
    """Decides what follows on a failed try. `wall`: seconds since the epoch. `is_draining`: the daemon ends."""

    store: Store
    wall: Callable[[], float]
    is_draining: Callable[[], bool]
    alerts: Alerts
    suspects: Suspects

    async def begin(self, turn: Turn) -> None:
        """Count the attempt; for a message that may have ended a process before, durably, before anything is done."""
        if turn.say is not None:
            return
        if not turn.has_begun:
            turn.has_begun = True
            turn.counted = self.store.begin(turn.turn_id)
        if turn.is_resumed or self.suspects.is_wary:
            try:
                await asyncio.shield(turn.committed if turn.counted is None else turn.counted)
            except StoreError as error:
                log.warning("attempt not counted", turn_id=turn.turn_id, error=str(error))

    async def again(
        self, turn: Turn, error: StoreError | Undelivered | Broken, tries: int, since: float
    ) -> bool:
        """Whether to try once more, now: the pause is over and the turn is ready. Else the turn is over.

        `tries` have failed so far, the first one began at the time `since`. A message that is given up becomes a dead
        letter; `turn.burial` says why.
        """
        rest = quick_pause(tries) if isinstance(error, Broken) else pause(tries)
        log.warning("answer not shown", error=str(error), attempt=tries, retry_after=rest)
        if turn.interrupt.reason is StopReason.SHUTDOWN:
            return self._leave(turn)
        address = turn.message.address
        if not turn.account.channel.capabilities(address).durable:
            self._end(turn, Outcome.UNDELIVERABLE)
            return False
        is_away = isinstance(error, Undelivered) and error.is_away
        try:
            if not is_away:
                await self.store.note_error(turn.turn_id, str(error))
            pending = await self.store.waiting(turn.turn_id)
            if pending is None:  # whoever ended it has the last word
                return False
            is_late = self.wall() - since > age_limit(address.surface)
            if is_late or pending.errors >= MAX_ERRORS:
                if turn.is_stopped:  # nobody waits for it
                    self._end(turn, Outcome.STOPPED)
                else:
                    await self._bury(turn, str(error))
                return False
            if not await self._pause(turn, rest):
                return False
            return await self._make_ready(turn)
        except StoreError as disk:
            log.error("turn not stored", error=str(disk))
            return tries < MAX_ERRORS and await self._pause(turn, rest)

    async def _pause(self, turn: Turn, seconds: float) -> bool:
        """Whether to go on after so many seconds, be it only to say that it was stopped."""
        _heed_stop(turn)
        if turn.interrupt.reason not in _STANDS:
            turn.interrupt.clear()
        if self.is_draining():
            return self._leave(turn)
        turn.is_pausing = True
        try:
            async with turn.interrupt:
                await asyncio.sleep(seconds)
        finally:
            turn.is_pausing = False
        _heed_stop(turn)
        reason = turn.interrupt.reason
        if reason in _GOES_ON:
            turn.interrupt.clear()
            return True
        if reason is StopReason.SHUTDOWN:
            return self._leave(turn)
        if reason is StopReason.DELETED:
            return True  # the next try takes back what stands, and gives back what was merged
        self._end(turn, Outcome.STOPPED)
        return False

    async def _make_ready(self, turn: Turn) -> bool:
        """What is known of the answer now is where the next try begins, as after a restart."""
        pending = await self.store.waiting(turn.turn_id)
        if pending is None:
            return False
        turn.may_stand = turn.may_stand or turn.is_visible
        turn.is_resumed, turn.reply = True, None
        turn.resumed, turn.resumed_text, turn.is_final = pending.parts, pending.text, pending.is_final
        return True

    async def _bury(self, turn: Turn, reason: str) -> None:
        turn.burial = reason
        for each in (turn, *turn.merged):
            await self.store.bury(each.turn_id, reason, keeps_answer=True)
        set_aside(turn, reason, self.alerts)

    def _leave(self, turn: Turn) -> bool:
        self.store.rest(turn.turn_id)
        return False

    def _end(self, turn: Turn, outcome: Outcome) -> None:
        metrics.turn_ended(turn.message.address.key.channel, outcome)
        ids = (turn.turn_id, *(each.turn_id for each in turn.merged))
        end_turn(self.store, TurnRecord(turn.turn_id, turn.key, 0, ids, outcome, ended_at=self.wall()))


def _heed_stop(turn: Turn) -> None:
    """A stop between two tries is kept for the next one, which says so; what comes now is answered by itself."""
    if turn.interrupt.reason is StopReason.STOPPED:
        turn.is_stopped = turn.is_closing = True


def set_aside(turn: Turn, reason: str, alerts: Alerts | None = None) -> None:
    """Tell the log, the metrics and the owner that a message became a dead letter."""
    if alerts is not None:
        alerts.raise_(Kind.SET_ASIDE, words.aside(reason))
    metrics.turn_ended(turn.message.address.key.channel, DEAD)
    log.error("message set aside", turn_id=turn.turn_id, reason=reason)
