"""The time that the server goes by, and the ids that are made of it."""

from __future__ import annotations

import time
from datetime import UTC, datetime

# Discord docs, API Reference, Snowflakes (2026-11): milliseconds since the first second of 2015.
EPOCH = 1_420_070_400_000


class Clock:
    """Real time plus `shift` seconds; a test moves it forward instead of waiting."""

    def __init__(self) -> None:
        self.shift = 0.0

    def now(self) -> float:
        """Seconds for measuring what passes."""
        return time.monotonic() + self.shift

    def wall(self) -> float:
        """Seconds since 1970."""
        return time.time() + self.shift


def iso(seconds: float) -> str:
    """A time as Discord writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


class Snowflakes:
    """Ids that grow with time, 22 bits below the millisecond."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0
        self._past = 0

    def next(self, ago: float = 0.0) -> str:
        """A new id; `ago` makes it one that was given so many seconds ago."""
        moment = (int((self._clock.wall() - ago) * 1000) - EPOCH) << 22
        if ago:
            self._past = (self._past + 1) & 0x3FFFFF
            return str(moment | self._past)
        self._last = max(self._last + 1, moment)
        return str(self._last)
