"""How soon a model has begun to answer lately: few samples, the newest counting most. Pure; `now` is handed in.

A sample loses weight with every later one, with time, and with every request that others answer meanwhile: what is
known of a model that nobody asks fades, so that it is tried again (a greedy average would never return to it).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

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

    Of each sample: its seconds, when it was, and its birth in half-lives of time and of requests together, so that
    its age costs one subtraction.
    """

    samples: deque[tuple[float, float, float]] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    _ordered: list[float] | None = None

    def add(self, seconds: float, now: float, tick: int) -> None:
        """One more beginning; NEVER for an answer that failed to begin."""
        self.samples.append((seconds, now, _birth(now, tick)))
        self._ordered = None

    def within(self, limit: float, now: float, tick: int) -> Share:
        """How many began within `limit` seconds. Weight 0.0: nothing is known."""
        total = good = 0.0
        birth = _birth(now, tick)
        for (seconds, _, born), fade in zip(reversed(self.samples), _FADES, strict=False):
            # A clock that was set back makes no sample younger than new.
            weight = fade * 0.5 ** (birth - born) if birth > born else fade
            total += weight
            if seconds <= limit:
                good += weight
        return Share(good / total if total else 0.0, total)

    def quantile(self, share: float, least: int = 5) -> float | None:
        """A quantile of the samples that began, unweighted; None where fewer than `least` did."""
        if self._ordered is None:
            self._ordered = sorted(seconds for seconds, _, _ in self.samples if seconds != NEVER)
        ordered = self._ordered
        if len(ordered) < least:
            return None
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def recent(self, count: int, now: float, within: float) -> list[float]:
        """The newest `count` times that are not older than `within` seconds."""
        fresh = [seconds for seconds, at, _ in self.samples if now - at <= within]
        return fresh[-count:]


def _birth(now: float, tick: int) -> float:
    return now / HALF_LIFE + tick / HALF_LIFE_ELSEWHERE
