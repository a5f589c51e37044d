"""What may be used of a provider, and what was used in the last minute or day. Pure: `now` is handed in."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

MINUTE, DAY = 60.0, 86_400.0

BUSY_FOR = 1.0
"""Seconds to stay away where all places are taken: an answer ends sooner or later."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one key may use; None: as much as the provider gives. Tokens are those of prompts."""

    concurrent: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    tokens_per_day: int | None = None


UNLIMITED = Limits()


@dataclass(slots=True)
class Window:
    """What was used in the last `span` seconds, in sixty steps."""

    limit: int
    span: float
    _steps: deque[tuple[float, int]] = field(default_factory=deque)
    _used: int = 0

    def wait(self, now: float, amount: int) -> float:
        """Seconds until so much more fits; 0: now. What is larger than the limit fits when nothing else was used."""
        self._forget(now)
        over = self._used + min(amount, self.limit) - self.limit
        until = now
        for start, used in self._steps:
            if over <= 0:
                break
            over -= used
            until = start + self.span
        return min(until - now, self.span)

    def take(self, now: float, amount: int) -> None:
        """Count it."""
        self._used += amount
        if self._steps and now - self._steps[-1][0] < self.span / 60:
            start, used = self._steps[-1]
            self._steps[-1] = (start, used + amount)
        else:
            self._steps.append((now, amount))

    def _forget(self, now: float) -> None:
        while self._steps and self._steps[0][0] + self.span <= now:
            self._used -= self._steps.popleft()[1]
