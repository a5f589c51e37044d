"""How hard a question is, from its own words: the router's table, as far as it can be read."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from zlib import crc32

import structlog

from routing.complexity import Complexity, Need, assess, need
from routing.errors import WeightsError
from routing.strategy import Difficulty
from routing.weights import Weights, shipped

log = structlog.get_logger()

_MEANT = {Need.FAST: Difficulty.SIMPLE, Need.DEFAULT: Difficulty.USUAL, Need.DEEP: Difficulty.HARD}


def difficulty_of(found: Complexity) -> Difficulty:
    """The difficulty that an assessment means."""
    return _MEANT[need(found)]


@cache
def table() -> Weights | None:
    """The table, read once; None where it cannot be, which is logged."""
    try:
        return shipped()
    except WeightsError as error:
        log.error("questions are not weighed", error=str(error))
        return None


def judge() -> Callable[[str], Difficulty]:
    """What tells the difficulty of a text, in about 0.1 ms. Reads the table now; without one every text is usual."""
    weights = table()
    return lambda text: difficulty_of(assess(text, weights))


@cache
def table_name() -> str:
    """Which table tells the difficulty: its day and a check of what it holds; "" where there is none."""
    weights = table()
    if weights is None:
        return ""
    held = repr(
        (weights.bias, sorted(weights.words.items()), list(weights.gains), weights.rules, weights.length)
    )
    return f"{weights.made.get('on', '')} {crc32(held.encode()):08x}".strip()
