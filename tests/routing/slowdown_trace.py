"""A model that becomes ten times slower and recovers: how soon traffic leaves it, and how soon it comes back. Pure.

The trace: a primary of 0.2 s and a second model of 0.3 s, each lognormal with a queue of 1.5 to 15 s for one answer in
25; both judged as a channel judges them where people wait. 1,000 messages before, during and after.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

from routing.health import Health
from routing.score import Wait, in_order, score

A, B = ("a", "m", ""), ("b", "m", "")
COUNT = 1000


@dataclass(frozen=True, slots=True)
class Slowdown:
    """Numbers of messages.

    `calm`: those of the time before that the primary got; `moved`: slow answers until nine of ten
    messages in a row went elsewhere; `tried`: slow ones after that; `back`: messages until it got nine of ten again.
    """

    calm: int
    moved: int
    tried: int
    back: int


@dataclass
class Day:
    """One message a second."""

    seed: int
    health: Health = field(default_factory=Health)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def take(self, middle: float) -> float:
        """One first-token time."""
        if self.chance.random() < 0.04:
            return self.chance.uniform(1.5, 15)
        return middle * math.exp(self.chance.gauss(0, 0.48))

    def ask(self, primary: float) -> bool:
        """One message; whether the primary was asked."""
        self.now += 1.0
        wait = Wait(0.5, self.now, roll=self.chance.random())
        order = in_order([score("a/m", A, wait, self.health), score("b/m", B, wait, self.health)])
        is_first = order[0] == 0
        self.health.began(A if is_first else B, self.take(primary if is_first else 0.3), self.now)
        return is_first


def slowdown(seed: int) -> Slowdown:
    """What came of the trace under this seed."""
    day = Day(seed)
    calm, slow, after = ([day.ask(middle) for _ in range(COUNT)] for middle in (0.2, 2.5, 0.2))
    moved = next((at for at in range(COUNT - 10) if sum(slow[at : at + 10]) <= 1), COUNT)
    back = next((at for at in range(COUNT - 10) if sum(after[at : at + 10]) >= 9), COUNT)
    return Slowdown(sum(calm), sum(slow[:moved]), sum(slow[moved:]), back)
