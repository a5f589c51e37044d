"""How soon a model has begun to answer lately: few samples, the newest counting most. Pure; `now` is handed in.

A sample loses weight with every later one, with time, and with every request that others answer meanwhile: what is
known of a model that nobody asks fades, so that it is tried again (a greedy average would never return to it).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

SAMPLES = 48
FADE = 0.9
"""What is left of a sample's weight after one newer sample of the same model."""

HALF_LIFE = 900.0
"""Seconds after which a sample counts half."""

HALF_LIFE_ELSEWHERE = 120
"""Requests to any model after which a sample counts half."""

NEVER = math.inf
"""The time of an answer that did not begin at all."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One beginning: seconds to the first token, when, and after how many requests to all models."""

    seconds: float
    at: float
    tick: int


@dataclass(frozen=True, slots=True)
class Share:
    """The weighted share of answers that began in time, and how much evidence that rests on."""

    value: float
    weight: float


@dataclass(slots=True)
class Tempo:
    """The last first-token times of one model for prompts of about one size. Bounded."""

    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=SAMPLES))

    def add(self, seconds: float, now: float, tick: int) -> None:
        """One more beginning; NEVER for an answer that failed to begin."""
        self.samples.append(Sample(seconds, now, tick))

    def within(self, limit: float, now: float, tick: int) -> Share:
        """How many began within `limit` seconds. Weight 0.0: nothing is known."""
        total = good = 0.0
        fade = 1.0
        for sample in reversed(self.samples):
            # A clock that was set back makes no sample younger than new.
            age = max(0.0, now - sample.at) / HALF_LIFE + (tick - sample.tick) / HALF_LIFE_ELSEWHERE
            weight = fade * 0.5**age
            total += weight
            if sample.seconds <= limit:
                good += weight
            fade *= FADE
        return Share(good / total if total else 0.0, total)

    def quantile(self, share: float, least: int = 5) -> float | None:
        """A quantile of the samples that began, unweighted; None where fewer than `least` did."""
        ordered = sorted(each.seconds for each in self.samples if each.seconds != NEVER)
        if len(ordered) < least:
            return None
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def recent(self, count: int, now: float, within: float) -> list[float]:
        """The newest `count` times that are not older than `within` seconds."""
        fresh = [each.seconds for each in self.samples if now - each.at <= within]
        return fresh[-count:]
