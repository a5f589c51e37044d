"""What a channel's write budgets allow: the least staleness, and the most updates, of an answer of so many seconds. Pure.

A bucket lets `rate` updates a second through after `burst`. An answer of T seconds is shown by n updates, the first at
its begin and the last at its end; of these n a bucket counts all but `free` (the first send where only edits are
counted, the final where the stream was a preview). So n <= free + burst + rate T, and by convexity equal gaps are the
best use of them:  L* = T / (2 (n - 1)). Of several buckets the one that allows the fewest is binding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from channels.capabilities import Capabilities, Operation, Streaming


@dataclass(frozen=True, slots=True)
class Bucket:
    """`rate` a second after `burst`; `free` updates of an answer are not counted."""

    rate: float
    burst: int
    free: int = 0

    def most(self, seconds: float) -> float:
        """How many updates of an answer it lets through."""
        return self.free + self.burst + self.rate * seconds


def binding(buckets: Iterable[Bucket], seconds: float) -> Bucket:
    """The one that allows the fewest updates in that time."""
    return min(buckets, key=lambda one: one.most(seconds))


def least(buckets: Sequence[Bucket], seconds: float) -> float:
    """L*: the mean wait that no pacing undercuts, in seconds."""
    return seconds / (2 * max(binding(buckets, seconds).most(seconds) - 1, 1e-9))


def declared(offered: Capabilities) -> tuple[Bucket, ...]:
    """The buckets that a growing answer draws on at an address."""
    first, middle, last = _operations(offered)
    return tuple(
        Bucket(one.rate, one.burst, (first not in one.operations) + (last not in one.operations))
        for one in offered.budgets
        if middle in one.operations
    )


def _operations(offered: Capabilities) -> tuple[Operation, Operation, Operation]:
    """What the first, the middle and the last update of an answer are."""
    if offered.streaming is Streaming.NATIVE:
        last = Operation.SEND if offered.preview else Operation.STREAM
        return Operation.STREAM, Operation.STREAM, last
    return Operation.SEND, Operation.EDIT, Operation.EDIT
