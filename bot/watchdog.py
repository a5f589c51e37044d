"""A deadline for every turn: one in which nothing moves any more is ended, told so, and its lane goes on.

Every call that leaves the process has a deadline of its own; this is the net below them, for the await that nobody
thought of (sessions stayed wedged for half an hour: openclaw issues 82208 and 90240, hermes-agent 22899, 2026-11). It
comes in steps: the turn is interrupted and says so itself; its answer is closed for it; it is cancelled; it is left
behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from weakref import ref

import structlog

from bot import metrics, words
from bot.alerts import Alerts, Kind
from bot.interrupt import StopReason
from bot.lanes import Turn
from channels.capabilities import LatencyClass
from routing.budgets import BUDGETS, first_token_deadline
from routing.health import Health
from routing.policy import Decision

log = structlog.get_logger()

SHOWING = "showing"
"""The stage in which the answer is complete and its last writes are made."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Seconds. `idle`: without a token, a call of a tool, a request that ended or a write. `total`: one try in all."""

    idle: float
    total: float


# `idle` lies above whatever may rightly take that long: a local model that loads or reads gets 60 s, all files of a
# message 45, a call of a tool 10, a write 60 (routing.budgets, bot.attachments, bot.tools, channels.delivery); a model
# that is slow by habit is granted more (`patience_with`), and each request that ends is a move. `total` is what
# nobody waits beyond: 15 minutes, or three answers of the class's longest, as tools may be called in between.
LIMITS: Mapping[LatencyClass, Limit] = MappingProxyType(
    {
        latency: Limit(idle, max(900.0, 3.0 * BUDGETS[latency].total))
        for latency, idle in (
            (LatencyClass.VOICE, 75.0),
            (LatencyClass.SYNC, 90.0),
            (LatencyClass.SEMI_SYNC, 90.0),
            (LatencyClass.ASYNC, 120.0),
            (LatencyClass.BATCH, 300.0),
        )
    }
)

MARGIN = 30.0
"""Seconds beyond the longest silence that a model is granted."""

SHOWING_IDLE = 420.0
"""The same for the last writes: they wait up to 300 s for a channel that limits them, then 60 s for one call."""

GRACE = 30.0
"""Seconds that a turn has to say that it was ended, and then again to end once it is cancelled."""

LOOKS = 5
"""How often within `idle` it is looked whether something moved."""

MOST_LEFT = 20
"""Tasks that do not end, at most; beyond, their lanes wait for them, as memory must not grow without bound."""

_running: ContextVar[ref[Turn] | None] = ContextVar("running", default=None)
"""Weak, as a connection keeps the context in which it was made, long after the turn."""


def moved() -> None:
    """Something of the turn in whose name this is called went on; outside of turns nothing happens."""
    found = _running.get()
    turn = found() if found is not None else None
    if turn is not None:
        turn.steps += 1


def patience_with(decision: Decision, health: Health) -> float:
    """Seconds that the slowest model of a ladder may be silent for before its request ends."""
    waits = (
        first_token_deadline(
            decision.budget, is_last=True, is_local=rung.model.is_local, p95=health.ttft(rung.key, 0.95)
        )
        for rung in decision.rungs
    )
    return max(waits, default=0.0)


def idle_limit(turn: Turn) -> float:
    """How long this turn may stay where it is."""
    if turn.stage == SHOWING:
        return SHOWING_IDLE
    return max(_limit(turn).idle, turn.patience + MARGIN)


class End(StrEnum):
    """How a try at a turn ended."""

    ITSELF = "itself"  # and said so, if it was interrupted
    TOLD = "told"  # from outside; what is shown of it says so
    UNTOLD = "untold"  # from outside


@dataclass(slots=True)
class Watchdog:
    """Runs one try at a turn in a task of its own, and watches it. `left`: tasks that did not end."""

    alerts: Alerts
    left: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(
        self, turn: Turn, story: Coroutine[Any, Any, None], close: Callable[[Turn], Awaitable[bool]]
    ) -> End:
        """Run it to its end and raise what it raises. `close` ends what is shown of it; whether people were told."""
        loop = asyncio.get_running_loop()
        turn.stage, turn.patience = "opening", 0.0
        token = _running.set(ref(turn))
        task: asyncio.Task[None] = loop.create_task(story, name=f"turn {turn.turn_id}")
        _running.reset(token)
        try:
            if await self._watch(turn, task):
                task.result()
                return End.ITSELF
            try:
                is_told = await close(turn)
            finally:
                await self._end(turn, task)
            return End.TOLD if is_told else End.UNTOLD
        except asyncio.CancelledError:
            if not task.done():  # it is the lane that was cancelled
                task.cancel()
                await asyncio.wait((task,), timeout=GRACE)
            raise
        finally:
            del task  # what it raised holds this frame

    async def _watch(self, turn: Turn, task: asyncio.Task[None]) -> bool:
        """Whether it ended by itself, be it after it was interrupted."""
        loop = asyncio.get_running_loop()
        began = since = loop.time()
        seen, stuck_at = self._mark(turn), ""
        while True:
            done, _ = await asyncio.wait((task,), timeout=idle_limit(turn) / LOOKS if not stuck_at else GRACE)
            if done:
                return True
            now, mark = loop.time(), self._mark(turn)
            if mark != seen:
                seen, since = mark, now
            if not stuck_at:
                if now - since >= idle_limit(turn) or now - began >= _limit(turn).total:
                    stuck_at, since = turn.stage, now
                    self._tell(turn, now - began)
                    turn.interrupt.fire(StopReason.STUCK)
            elif now - since >= (SHOWING_IDLE if turn.stage == SHOWING != stuck_at else GRACE):
                return False

    @staticmethod
    def _mark(turn: Turn) -> Sequence[object]:
        return turn.stage, turn.steps, turn.reply.writes if turn.reply is not None else 0

    def _tell(self, turn: Turn, took: float) -> None:
        channel = turn.message.address.key.channel
        metrics.turn_stuck(channel, turn.stage)
        log.error("turn stuck", stage=turn.stage, took=round(took, 1), turn_id=turn.turn_id)
        self.alerts.raise_(Kind.STUCK, words.stuck_turn(channel, turn.stage))

    async def _end(self, turn: Turn, task: asyncio.Task[None]) -> None:
        task.cancel()
        done, _ = await asyncio.wait((task,), timeout=GRACE)
        if done:
            if not task.cancelled():
                task.exception()
            return
        log.error("turn does not end", stage=turn.stage, turn_id=turn.turn_id)
        metrics.task_abandoned("turn")
        while len(self.left) >= MOST_LEFT:
            await asyncio.wait(self.left, return_when=asyncio.FIRST_COMPLETED)
        self.left.add(task)
        task.add_done_callback(self._came_to_its_end)

    def _came_to_its_end(self, task: asyncio.Task[None]) -> None:
        self.left.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("turn ended at last", error=type(error).__name__)


def _limit(turn: Turn) -> Limit:
    return LIMITS[turn.account.channel.capabilities(turn.message.address).latency]
