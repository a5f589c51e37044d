"""How long people wait, and how long we wait for a model: one table per latency class. Seconds throughout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from channels.capabilities import LatencyClass


@dataclass(frozen=True, slots=True)
class Budget:
    """One class's figures.

    `target`: message accepted to first visible text, what we aim at. `first_token`: how long a rung may stay
    silent while another is left. `stall`: the longest silence between tokens. `total`: the whole answer.
    """

    target: float
    first_token: float
    stall: float
    total: float


# Targets, first-token deadlines and stalls: the product's ruling of 2026-11. `total` is generous on purpose:
# a local model of 12 tokens/s needs 340 s for 4,096 tokens.
BUDGETS: Mapping[LatencyClass, Budget] = MappingProxyType(
    {
        LatencyClass.VOICE: Budget(target=0.3, first_token=1.2, stall=5.0, total=120.0),
        LatencyClass.SYNC: Budget(target=0.5, first_token=2.0, stall=5.0, total=300.0),
        LatencyClass.SEMI_SYNC: Budget(target=1.0, first_token=4.0, stall=10.0, total=420.0),
        LatencyClass.ASYNC: Budget(target=2.0, first_token=8.0, stall=10.0, total=600.0),
        LatencyClass.BATCH: Budget(target=10.0, first_token=10.0, stall=10.0, total=900.0),
    }
)

LAST_RUNG_FIRST_TOKEN = 15.0
"""Nobody else is left to ask, so the last rung may take longer to begin."""

LOCAL_LAST_RUNG_FIRST_TOKEN = 60.0
"""A local model that is loading, or reading a long prompt."""

SLOWNESS_FACTOR = 3.0
"""A first-token deadline is never below this many times the model's own measured p95."""


CHARACTERS_A_TOKEN = 12
"""Three times what English takes (OpenAI's tokenizer page, 2026-11) and more than indented code or tables do."""

LEAST_ROOM, MOST_ROOM = 20_000, 1_000_000
"""Characters. The longest answers that models are sold with, 128,000 tokens, come to about half a million."""


def longest_answer(max_output: int | None) -> int:
    """Characters at which an answer is ended: the server that sends it heeds no limit. `max_output`: in tokens."""
    if max_output is None:
        return MOST_ROOM
    return min(max(max_output * CHARACTERS_A_TOKEN, LEAST_ROOM), MOST_ROOM)


def first_token_deadline(budget: Budget, *, is_last: bool, is_local: bool, p95: float | None) -> float:
    """How long to wait for a rung's first token."""
    deadline = budget.first_token
    if is_last:
        deadline = max(deadline, LOCAL_LAST_RUNG_FIRST_TOKEN if is_local else LAST_RUNG_FIRST_TOKEN)
    return deadline if p95 is None else max(deadline, SLOWNESS_FACTOR * p95)
