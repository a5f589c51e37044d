"""How likely a model shows its first words in time, and the order that follows. Pure and the same at every replay."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from zlib import crc32

from routing.health import Expectation, Health, Key

MARGIN = 0.15
"""A model keeps its place while its share in time is at most this much below the best one's."""

PIN_MARGIN = 0.3
"""The same for the model that answered here last: its prompt cache and its style are worth something."""

PRIOR = 0.9
"""The share in time of a model of which nothing is known: as configured, until shown otherwise."""

PRIOR_WEIGHT = 1.5
"""Answers that a prior counts for."""

USUAL_WEIGHT = 8.0
"""Answers that a usually slow hour of the day counts for: its queue is left before it builds."""

BUSY_HOUR = 0.7
"""An hour in which fewer than this share begin in time is a busy one."""

LEAST_SPEED = 20.0
"""Tokens a second that a streamed answer must have (source documents: critical figure of T2)."""

WHOLE_SLACK = 1.5
"""A whole answer may take this many times the fastest model's time before it counts as late."""

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Wait:
    """What people wait for. `limit`: seconds to the first text.

    `whole`: tokens of an answer that is shown whole, None where it is shown as it grows. `tokens`: of the prompt.
    """

    limit: float
    now: float
    tokens: int = 0
    whole: int | None = None
    roll: float = 0.5


@dataclass(frozen=True, slots=True)
class Score:
    """One candidate. `in_time`: its estimated share in time, 0..1, and `weight`, the answers that this rests on.

    `hoped`: the same seen hopefully, by chance; it lets a model that was left be tried again. `ttft`: the middle of
    its first-token times, `speed` tokens a second, `whole` the seconds to a whole answer; None where unknown.
    """

    ref: str
    in_time: float
    hoped: float
    weight: float
    ttft: float | None = None
    speed: float | None = None
    whole: float | None = None


def score(ref: str, key: Key, wait: Wait, health: Health) -> Score:
    """One candidate's figures."""
    lately = health.lately(key, wait.limit, wait.now, wait.tokens)
    usual = health.usually(key, wait.limit, wait.now, wait.tokens)
    if usual is None:
        prior, prior_weight = _prior(health.expected.get(key[:2]), wait.limit), PRIOR_WEIGHT
    else:
        prior, prior_weight = usual, USUAL_WEIGHT if usual < BUSY_HOUR else PRIOR_WEIGHT
    weight = lately.weight + prior_weight
    in_time = (lately.value * lately.weight + prior * prior_weight) / weight
    speed, ttft = health.speed(key), health.expected_ttft(key, 0.5)
    if wait.whole is None and speed is not None and speed < LEAST_SPEED:
        in_time *= speed / LEAST_SPEED
    spread = math.sqrt(max(in_time * (1 - in_time), 0.01) / (weight + 1))
    hoped = min(1.0, in_time + max(0.0, _chance(ref, wait.roll)) * spread)
    whole = ttft + wait.whole / speed if wait.whole is not None and ttft is not None and speed else None
    return Score(ref, in_time, hoped, weight, ttft, speed, whole)


def _prior(expected: Expectation | None, limit: float) -> float:
    """The share in time that figures measured elsewhere promise, taken for lognormal."""
    if expected is None or expected.ttft_p50 <= 0:
        return PRIOR
    spread = math.log(max(expected.ttft_p95, expected.ttft_p50) / expected.ttft_p50) / 1.645
    return _NORMAL.cdf(math.log(limit / expected.ttft_p50) / max(spread, 0.05))


def _chance(ref: str, roll: float) -> float:
    """A number from the normal distribution, another for each model, settled by `roll` in 0..1."""
    mixed = (crc32(ref.encode(errors="replace")) / 2**32 + roll) % 1.0
    return _NORMAL.inv_cdf(min(max(mixed, 0.001), 0.999))


def in_order(scores: Sequence[Score], *, pinned: str | None = None) -> list[int]:
    """Positions of the candidates in the order to ask them.

    Those that are about as likely in time as the best keep the order they came in, the pinned one first; behind them
    the others, the likeliest first.
    """
    if not scores:
        return []
    timely = _judge_whole(scores)
    best = max(each.in_time for each in timely)
    kept: list[int] = []
    late: list[int] = []
    for at, each in enumerate(timely):
        margin = PIN_MARGIN if each.ref == pinned else MARGIN
        (kept if each.hoped >= best - margin else late).append(at)
    kept.sort(key=lambda at: scores[at].ref != pinned)
    late.sort(key=lambda at: -timely[at].in_time)
    return [*kept, *late]


def _judge_whole(scores: Sequence[Score]) -> Sequence[Score]:
    """Where answers are shown whole: those whose whole answer takes much longer than the fastest one's are late."""
    known = [each.whole for each in scores if each.whole is not None]
    if not known:
        return scores
    fastest = min(known)
    judged: list[Score] = []
    for each in scores:
        if each.whole is None:
            judged.append(each)
            continue
        share = min(1.0, WHOLE_SLACK * fastest / each.whole)
        judged.append(replace(each, in_time=each.in_time * share, hoped=each.hoped * share))
    return judged
