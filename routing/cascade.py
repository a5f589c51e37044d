"""Which models to ask one after another until an answer is good enough: routing and cascading as one choice. Pure.

The interface and the idea follow cascade routing (Dekoninck et al., arXiv 2410.10347): every sequence of models is a
candidate, judged by the quality and the cost to be expected of it; one model alone is the shortest sequence. With a
judge of answers that errs much, the best sequence is one model alone, which is what the paper finds too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations

MAX_MODELS, MAX_DEPTH = 6, 4
"""More would make too many sequences: these are 516, weighed in about a millisecond."""

Figure = Callable[[str], float]


@dataclass(frozen=True, slots=True)
class Cascade:
    """`quality`: how likely a model's answer is good, 0..1. `cost`: US dollars of one answer.

    `max_expected_cost`: US dollars for one question, on average. `max_depth`: models for one question, at most
    MAX_DEPTH. `force_order`: only in the order of `models`. `accuracy`: how often a check of an answer is right.
    """

    models: tuple[str, ...]
    quality: Figure
    cost: Figure
    max_expected_cost: float = math.inf
    max_depth: int = 3
    force_order: bool = False
    accuracy: float = 0.85


@dataclass(frozen=True, slots=True)
class Plan:
    """Models in the order to ask them. `quality`: how likely the last answer is good; `cost`: US dollars on average."""

    order: tuple[str, ...]
    quality: float
    cost: float


def plan(cascade: Cascade) -> Plan:
    """The sequence of the best quality that is within the cost; of equals the cheaper, then the shorter.

    Where none is within it: the cheapest model alone. Raises ValueError for no model, or for too many.
    """
    if not 0 < len(cascade.models) <= MAX_MODELS:
        raise ValueError(f"a cascade has {len(cascade.models)} models; allowed: 1 to {MAX_MODELS}")
    quality = {name: cascade.quality(name) for name in cascade.models}
    cost = {name: cascade.cost(name) for name in cascade.models}
    cascade = replace(cascade, quality=quality.__getitem__, cost=cost.__getitem__)
    plans = [expected(order, cascade) for order in _sequences(cascade)]
    within = [each for each in plans if each.cost <= cascade.max_expected_cost]
    if not within:
        return min((each for each in plans if len(each.order) == 1), key=lambda each: each.cost)
    return min(within, key=lambda each: (-round(each.quality, 9), each.cost, len(each.order)))


def expected(order: Sequence[str], cascade: Cascade) -> Plan:
    """What a sequence brings: each next model is asked where the check turns the answer before it down."""
    right = cascade.accuracy
    reached, quality, cost = 1.0, 0.0, 0.0
    for at, name in enumerate(order):
        good = cascade.quality(name)
        cost += reached * cascade.cost(name)
        if at == len(order) - 1:
            quality += reached * good
            break
        quality += reached * good * right
        reached *= good * (1 - right) + (1 - good) * right
    return Plan(tuple(order), quality, cost)


def following(order: Sequence[str], at: int, belief: float, cascade: Cascade) -> str | None:
    """Whom to ask after the model at `at`, whose answer is good with the likelihood `belief`; None: keep its answer."""
    rest = order[at + 1 :]
    if not rest or belief >= expected(rest, cascade).quality:
        return None
    return rest[0]


def _sequences(cascade: Cascade) -> Iterator[tuple[str, ...]]:
    pick = combinations if cascade.force_order else permutations
    for depth in range(1, min(cascade.max_depth, MAX_DEPTH, len(cascade.models)) + 1):
        yield from pick(cascade.models, depth)
