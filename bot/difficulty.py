"""How hard a question is, from its own words: the router's table, as far as it can be read."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from zlib import crc32

import structlog

from routing.complexity import Complexity, Need, gain, need
from routing.errors import WeightsError
from routing.learning import DEEP_ABOVE, FAST_BELOW
from routing.strategy import Difficulty
from routing.weights import Weights, shipped

log = structlog.get_logger()

USUAL_BOUNDS = (FAST_BELOW, DEEP_ABOVE)

_MEANT = {Need.FAST: Difficulty.SIMPLE, Need.DEFAULT: Difficulty.USUAL, Need.DEEP: Difficulty.HARD}


def difficulty_of(found: Complexity, bounds: tuple[float, float] = USUAL_BOUNDS) -> Difficulty:
    """The difficulty that an assessment means. `bounds`: gains below which it is simple, and above which hard."""
    return _MEANT[need(found, fast_below=bounds[0], deep_above=bounds[1])]


@cache
def table() -> Weights | None:
    """The table, read once; None where it cannot be, which is logged."""
    try:
        return shipped()
    except WeightsError as error:
        log.error("questions are not weighed", error=str(error))
        return None


def judge(bounds: Callable[[str], tuple[float, float]]) -> Callable[[str, str], Difficulty]:
    """What tells the difficulty of a text said at an account, in about 0.1 ms. Without a table every text is usual.

    Reads the table now. `bounds` gives those of an account.
    """
    weights = table()
    return lambda text, account: difficulty_of(Complexity(None, gain(text, weights)), bounds(account))


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
