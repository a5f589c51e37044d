"""How soon a model has begun to answer lately: few samples, the newest counting most. Pure; `now` is handed in.

A sample loses weight with every later one, with time, and with every request that others answer meanwhile: what is
known of a model that nobody asks fades, so that it is tried again (a greedy average would never return to it).
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import deque
from dataclasses import dataclass, field
from itertools import accumulate

SAMPLES = 32
FADE = 0.9
"""What is left of a sample's weight after one newer sample of the same model."""

HALF_LIFE = 900.0
"""Seconds after which a sample counts half."""

HALF_LIFE_ELSEWHERE = 120
"""Requests to any model after which a sample counts half."""

NEVER = math.inf
"""The time of an answer that did not begin at all."""


_FADES = tuple(FADE**rank for rank in range(SAMPLES))


@dataclass(frozen=True, slots=True)
class Share:
    """The weighted share of answers that began in time, and how much evidence that rests on."""

    value: float
    weight: float


@dataclass(slots=True)
class Tempo:
    """The last first-token times of one model for prompts of about one size. Bounded.

    Of each sample: its seconds, when it was, and its birth in half-lives of time and of requests together. A decision
    asks far more often than samples come, so what is asked is kept ready: the times in order, and up to each of them
    the sum of the weights as they were when the newest one came.
    """

    samples: deque[tuple[float, float, float]] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    _times: list[float] = field(default_factory=list)
    _sums: list[float] = field(default_factory=list)

    def add(self, seconds: float, now: float, tick: int) -> None:
        """One more beginning; NEVER for an answer that failed to begin."""
        self.samples.append((seconds, now, _birth(now, tick)))
        self._times, self._sums = [], []

    def _in_order(self) -> list[float]:
        if not self._times:
            self._times = sorted(seconds for seconds, _, _ in self.samples)
        return self._times

    def _ready(self) -> list[float]:
        if self._sums or not self.samples:
            return self._sums
        newest = self.samples[-1][2]
        weighted = [
            # A clock that was set back makes no sample younger than new.
            (seconds, fade * 0.5 ** (newest - born) if newest > born else fade)
            for (seconds, _, born), fade in zip(reversed(self.samples), _FADES, strict=False)
        ]
        weighted.sort()
        self._sums = list(accumulate([weight for _, weight in weighted]))
        return self._sums

    def within(self, limit: float, now: float, tick: int) -> Share:
        """How many began within `limit` seconds. Weight 0.0: nothing is known."""
        sums = self._ready()
        if not sums:
            return Share(0.0, 0.0)
        count = bisect_right(self._in_order(), limit)
        good, total = sums[count - 1] if count else 0.0, sums[-1]
        return Share(good / total, total * 0.5 ** max(0.0, _birth(now, tick) - self.samples[-1][2]))

    def quantile(self, share: float, least: int = 5) -> float | None:
        """A quantile of the samples that began, unweighted; None where fewer than `least` did."""
        times = self._in_order()
        count = bisect_left(times, NEVER)
        return times[min(count - 1, int(share * count))] if count >= max(least, 1) else None

    def recent(self, count: int, now: float, within: float) -> list[float]:
        """The newest `count` times that are not older than `within` seconds."""
        fresh = [seconds for seconds, at, _ in self.samples if now - at <= within]
        return fresh[-count:]


def _birth(now: float, tick: int) -> float:
    return now / HALF_LIFE + tick / HALF_LIFE_ELSEWHERE
