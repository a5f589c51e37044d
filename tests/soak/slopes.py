"""Slopes of what must not grow: least squares over the samples of several lives, each without its warm-up. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

HOUR = 3600.0
WARM_UP = 90.0
"""Seconds after a start that do not count: caches fill, modules are imported with the first questions."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen `at` (seconds) in the process number `life`, that is `age` seconds old."""

    at: float
    life: int
    age: float
    values: Mapping[str, float]


def slope(samples: Sequence[Sample], name: str, warm_up: float = WARM_UP) -> float | None:
    """How much `name` grows in an hour within a life; None where no life has three samples after its warm-up.

    One slope for all lives, each with a level of its own: a restart is no shrinking.
    """
    above = below = 0.0
    for life in {each.life for each in samples}:
        points = [
            (each.at / HOUR, each.values[name])
            for each in samples
            if each.life == life and each.age >= warm_up and name in each.values
        ]
        if len(points) < 3:
            continue
        middle = sum(x for x, _ in points) / len(points)
        level = sum(y for _, y in points) / len(points)
        above += sum((x - middle) * (y - level) for x, y in points)
        below += sum((x - middle) ** 2 for x, _ in points)
    return above / below if below else None


def quantile(buckets: Mapping[float, float], part: float) -> float | None:
    """The upper bound of the bucket that holds the quantile of a histogram whose counts add up; None: it is empty."""
    bounds = sorted(buckets)
    whole = buckets[bounds[-1]] if bounds else 0.0
    if not whole:
        return None
    return next(bound for bound in bounds if buckets[bound] >= part * whole)
