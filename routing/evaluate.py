"""How good a ranking of prompts is at sending the right ones to the strong model. Pure.

The measures are RouteLLM's (arXiv 2406.18665): PGR is the part of the gap between always-weak and always-strong that a
router closes, APGR its mean over all shares of calls to the strong model (chance: 0.5), CPT(x) the smallest share that
closes x of the gap. Equal scores are taken in equal parts, so that no order of the rows helps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Protocol


class Chance(Protocol):
    """What draws the bootstrap's rows; `random.Random` is one."""

    def shuffle(self, x: list[int], /) -> None:
        """Bring the list into any order."""
        ...

    def choices(self, population: Sequence[int], *, k: int) -> list[int]:
        """`k` of the population, each as likely as any other, with repeats."""
        ...


@dataclass(frozen=True, slots=True)
class Quality:
    """`apgr`, with the 95 % interval of a bootstrap over the rows. `cpt50`, `cpt80`: shares of calls, 0..1.

    `auc`: chance that a row that needs the strong model (gain above 0) stands above one that does not.
    None where the rows cannot tell: there is no gap, or all rows are of one kind.
    """

    rows: int
    gap: float
    apgr: float | None
    low: float | None
    high: float | None
    cpt50: float | None
    cpt80: float | None
    auc: float | None


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows of similar expectation: how many, the gain expected and the gain there was."""

    rows: int
    expected: float
    real: float


def quality(
    scores: Sequence[float], gains: Sequence[float], chance: Chance | None = None, *, rounds: int = 300
) -> Quality:
    """All figures of one ranking. `chance`: draws the bootstrap's rows; None: no interval."""
    curve = _curve(scores, gains)
    gap = sum(gains) / len(gains) if gains else 0.0
    low = high = None
    if curve is not None and chance is not None:
        low, high = _interval(scores, gains, chance, rounds)
    return Quality(
        rows=len(gains),
        gap=gap,
        apgr=_area(curve) if curve else None,
        low=low,
        high=high,
        cpt50=_share_for(curve, 0.5) if curve else None,
        cpt80=_share_for(curve, 0.8) if curve else None,
        auc=auc(scores, [gain > 0 for gain in gains]),
    )


def apgr(scores: Sequence[float], gains: Sequence[float]) -> float | None:
    """The area alone; None where always-strong is no better than always-weak."""
    curve = _curve(scores, gains)
    return _area(curve) if curve else None


def _curve(scores: Sequence[float], gains: Sequence[float]) -> list[tuple[float, float]] | None:
    """(share of strong calls, PGR) from (0, 0) to (1, 1), a point for each distinct score."""
    whole = sum(gains)
    if whole <= 0:
        return None
    order = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
    curve = [(0.0, 0.0)]
    taken, won = 0, 0.0
    for _, equal in groupby(order, key=scores.__getitem__):
        for row in equal:
            taken += 1
            won += gains[row]
        curve.append((taken / len(order), won / whole))
    return curve


def _area(curve: Sequence[tuple[float, float]]) -> float:
    pairs = pairwise(curve)
    return sum((right - left) * (low + high) / 2 for (left, low), (right, high) in pairs)


def _share_for(curve: Sequence[tuple[float, float]], wanted: float) -> float:
    for (left, low), (right, high) in pairwise(curve):
        if high >= wanted:
            return left + (right - left) * (wanted - low) / (high - low) if high > low else right
    return 1.0


def _interval(
    scores: Sequence[float], gains: Sequence[float], chance: Chance, rounds: int
) -> tuple[float, float]:
    # Shuffled, so that rows of equal score stand in no order; sorted once, so that a draw is how often each is taken.
    order = list(range(len(gains)))
    chance.shuffle(order)
    order.sort(key=scores.__getitem__, reverse=True)
    won = [gains[row] for row in order]
    found = sorted(_drawn(chance, won) for _ in range(rounds))
    return found[int(rounds * 0.025)], found[min(int(rounds * 0.975), rounds - 1)]


def _drawn(chance: Chance, won: Sequence[float]) -> float:
    """The area of one draw with replacement."""
    count = len(won)
    times = [0] * count
    for row in chance.choices(range(count), k=count):
        times[row] += 1
    total = area = 0.0
    for gain, taken in zip(won, times, strict=True):
        if taken:
            step = gain * taken
            area += taken * (total + step / 2)
            total += step
    return area / (count * total) if total > 0 else 0.5


def auc(scores: Sequence[float], wanted: Sequence[bool]) -> float | None:
    """Chance that a wanted row stands above another; equal ones count half."""
    positive = sum(wanted)
    negative = len(wanted) - positive
    if not positive or not negative:
        return None
    order = sorted(range(len(scores)), key=scores.__getitem__)
    below = 0
    wins = 0.0
    for _, equal in groupby(order, key=scores.__getitem__):
        rows = list(equal)
        good = sum(wanted[row] for row in rows)
        bad = len(rows) - good
        wins += good * (below + bad / 2)
        below += bad
    return wins / (positive * negative)


def calibration(expected: Sequence[float], gains: Sequence[float], bins: int = 10) -> tuple[list[Bin], float]:
    """Rows in `bins` of equal size by what was expected, and the mean distance of expectation and gain over them."""
    order = sorted(range(len(expected)), key=expected.__getitem__)
    made = []
    for number in range(bins):
        rows = order[len(order) * number // bins : len(order) * (number + 1) // bins]
        if rows:
            made.append(
                Bin(
                    rows=len(rows),
                    expected=sum(expected[row] for row in rows) / len(rows),
                    real=sum(gains[row] for row in rows) / len(rows),
                )
            )
    total = sum(each.rows for each in made) or 1
    return made, sum(abs(each.expected - each.real) * each.rows for each in made) / total
