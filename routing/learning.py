"""Moving the bound between simple and hard questions by what people say of answers: slowly, a little a day. Pure.

Only what a weaker model answered teaches anything: disliked, the next such question should rather get a stronger one;
liked, the weaker one is enough. What one group of people says moves nobody else's bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from routing.strategy import Difficulty

ENOUGH = 200
"""Things said before anything is moved: fewer are moods."""

STEP = 0.002
PRAISE = 0.25
"""What a good word counts for beside a bad one: people speak up when something is wrong, and then it matters more."""

MOST_A_DAY = 0.02
MOST = 0.3
DAY = 86_400.0

FAST_BELOW, DEEP_ABOVE = 0.03, 0.12
"""Expected gains of a strong model; `routing.complexity.need` asks for a fast one below and a deep one above these."""

HALVES_AT = 0.1
"""A shift of so much halves or doubles the gain from which a stronger model is asked for."""


@dataclass(slots=True)
class Learning:
    """What one group of people taught. `shift` above 0: stronger models sooner. `moved`: so far on `day`."""

    shift: float = 0.0
    said: int = 0
    day: int = 0
    moved: float = 0.0

    def told(self, difficulty: Difficulty, reward: float, wall: float) -> bool:
        """Somebody said something of an answer, -1 to 1. True: the bound moved. `wall`: seconds since the epoch."""
        self.said += 1
        day = int(wall // DAY)
        if day > self.day:
            self.day, self.moved = day, 0.0
        if self.said < ENOUGH or difficulty is Difficulty.HARD or not reward:
            return False
        wanted = -STEP * reward * (PRAISE if reward > 0 else 1.0)
        step = max(-MOST_A_DAY - self.moved, min(MOST_A_DAY - self.moved, wanted))
        before = self.shift
        self.shift = max(-MOST, min(MOST, self.shift + step))
        self.moved += self.shift - before
        return self.shift != before

    @property
    def bounds(self) -> tuple[float, float]:
        """The gains below which a fast model, and above which a deep one is asked for."""
        factor = 2.0 ** (-self.shift / HALVES_AT)
        return FAST_BELOW * factor, DEEP_ABOVE * factor

    def to_plain(self) -> Mapping[str, Any]:
        """As plain values."""
        return {"shift": self.shift, "said": self.said, "day": self.day, "moved": self.moved}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Learning:
        """What `to_plain` gave. Raises ValueError, TypeError or KeyError for anything else."""
        shift = float(plain["shift"])
        if not -MOST <= shift <= MOST:
            raise ValueError("no shift")
        return cls(shift, int(plain["said"]), int(plain["day"]), float(plain["moved"]))
