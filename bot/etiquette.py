"""Not leaving people in silence: a word in the answer's place when it is late, or will be."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from bot import words
from bot.lanes import Turn
from channels.capabilities import LatencyClass
from channels.delivery import Reply
from routing.health import Health
from routing.policy import Decision

LATE = 2.0
"""Times the class's target after which an answer that nobody expected to be late is said to be under way."""

FORESEEN = 1.0
"""The same where it was expected to be late: once it is."""

SOONEST = 0.8
"""Seconds before which no word is shown: it would only flicker."""


def word_after(decision: Decision, health: Health) -> float | None:
    """Seconds after the message at which a word stands in for the answer; None: never, nobody waits."""
    if decision.latency is LatencyClass.BATCH or not decision.rungs:
        return None
    expected = health.expected_ttft(decision.rungs[0].key, 0.5)
    is_foreseen = expected is not None and expected > decision.budget.target
    return max(decision.budget.target * (FORESEEN if is_foreseen else LATE), SOONEST)


def word(decision: Decision, health: Health) -> str:
    """The word: a model of this machine that has not answered yet is being loaded."""
    first = decision.rungs[0]
    is_loading = first.model.is_local and health.ttft(first.key, 0.5) is None
    return words.LOADING if is_loading else words.THINKING


@contextmanager
def in_company(turn: Turn, reply: Reply, decision: Decision, health: Health, now: float) -> Iterator[None]:
    """While the body waits for a model, see that the person is told in time. `now`: of the turn's clock."""
    after = word_after(decision, health)
    if after is None:
        yield
        return
    wait = max(0.0, turn.accepted_at + after - now)
    said = word(decision, health)
    timer = asyncio.get_running_loop().call_later(wait, reply.status, said)
    try:
        yield
    finally:
        timer.cancel()
