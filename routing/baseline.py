"""How a model usually begins: its first-token times by the hour of the day, kept for days. Pure.

A provider's busy hours come again every day (source documents: queues near the limit in US hours), so an hour's own
figures tell what to expect before its queue has built. Yesterday counts half of today.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

HOUR = 3600.0
HOURS = 24
_LEAST = 0.02
_RATIO = 1.25
_BUCKETS = 44
"""From 0.02 s in steps of a quarter to about 300 s; the last one holds everything above."""

ENOUGH = 20.0
"""Answers, yesterday's counted half, from which an hour or a day is taken for usual."""


def _bucket(seconds: float) -> int:
    if seconds <= _LEAST:
        return 0
    if math.isinf(seconds):
        return _BUCKETS - 1
    return min(_BUCKETS - 1, 1 + int(math.log(seconds / _LEAST) / math.log(_RATIO)))


def _top(bucket: int) -> float:
    return _LEAST * _RATIO**bucket


_TOPS = tuple(_top(bucket) for bucket in range(_BUCKETS))


@dataclass(slots=True)
class _Hour:
    day: int = 0
    counts: list[float] = field(default_factory=lambda: [0.0] * _BUCKETS)
    _sums: list[float] = field(default_factory=list)

    def fade_to(self, day: int) -> None:
        passed = day - self.day
        if passed > 0:
            factor = 0.5 ** min(passed, 60)
            self.counts = [count * factor for count in self.counts]
            self._sums = []
        self.day = max(self.day, day)

    def add(self, bucket: int) -> None:
        self.counts[bucket] += 1.0
        self._sums = []

    def sums(self) -> list[float]:
        """Up to each bucket how many there were; kept, as decisions ask far more often than answers come."""
        if not self._sums:
            self._sums = list(accumulate(self.counts))
        return self._sums


@dataclass(slots=True)
class Baseline:
    """One model's usual times. `wall` is seconds since the epoch throughout; hours are UTC's."""

    hours: dict[int, _Hour] = field(default_factory=dict)

    def add(self, seconds: float, wall: float) -> None:
        """One more beginning."""
        day, hour = divmod(int(wall // HOUR), HOURS)
        slot = self.hours.setdefault(hour, _Hour(day))
        slot.fade_to(day)
        slot.add(_bucket(seconds))

    def share(self, limit: float, wall: float) -> float | None:
        """The share that begins within `limit` seconds at this hour of the day; None where too little is known."""
        slot = self.hours.get(int(wall // HOUR) % HOURS)
        if slot is None:
            return None
        sums = slot.sums()
        if sums[-1] < ENOUGH:
            return None
        count = bisect_right(_TOPS, limit)
        return sums[count - 1] / sums[-1] if count else 0.0

    def quantile(self, share: float) -> float | None:
        """A quantile over the whole day, to within a quarter; None where too little is known."""
        counts = [sum(slot.counts[bucket] for slot in self.hours.values()) for bucket in range(_BUCKETS)]
        total = sum(counts)
        if total < ENOUGH:
            return None
        reached = 0.0
        for bucket, count in enumerate(counts):
            reached += count
            if reached >= share * total:
                return _top(bucket)
        return _top(_BUCKETS - 1)

    def to_plain(self) -> Mapping[str, Sequence[float]]:
        """As plain values: hour -> day and counts."""
        return {
            str(hour): [slot.day, *(round(count, 3) for count in slot.counts)]
            for hour, slot in self.hours.items()
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Sequence[float]]) -> Baseline:
        """What `to_plain` gave. Raises ValueError or TypeError for anything else."""
        hours: dict[int, _Hour] = {}
        for hour, (day, *counts) in plain.items():
            if not 0 <= int(hour) < HOURS or len(counts) != _BUCKETS:
                raise ValueError("not the first-token times of a day")
            hours[int(hour)] = _Hour(int(day), [max(0.0, float(count)) for count in counts])
        return cls(hours)
