"""Write budgets: who may write when, learnt from what the channel refuses. Pure; `now` is handed in.

A reply's first text, its edits and its final share token buckets with everything else that is written in the
same scope. The rules: final before first text before edits before typing; an edit leaves the last token to the
final; edits spread what is left over the time to come.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from enum import IntEnum

from channels.capabilities import Operation, WriteBudget

MAX_BUCKETS = 10_000
SLOWED = 0.6  # a refusal multiplies the learnt rate by this ...
SLOWEST = 0.05  # ... never below this share of the declared rate ...
RECOVERY = 1 / 600  # ... and each second without a refusal gives this share of it back: ten minutes for all
_TINY = 1e-9


class Priority(IntEnum):
    """Who goes first when tokens are short."""

    TYPING = 0
    EDIT = 1
    FIRST = 2
    FINAL = 3


class _Bucket:
    """One token bucket. While it is blocked `_counted_at` lies in the future: nothing is left until then."""

    __slots__ = ("_counted_at", "_factor", "_slots", "_tokens", "burst", "rate", "streams")

    def __init__(self, budget: WriteBudget, now: float) -> None:
        self.rate = max(budget.rate, _TINY)
        self.burst = max(1, budget.burst)
        self.streams = 0
        self._tokens = float(self.burst)
        self._counted_at = now
        self._factor = 1.0
        self._slots = [0.0, 0.0, 0.0, 0.0]

    def declare(self, budget: WriteBudget) -> None:
        """Take over a changed declaration."""
        if budget.rate != self.rate or budget.burst != self.burst:
            self.rate = max(budget.rate, _TINY)
            self.burst = max(1, budget.burst)

    def speed(self) -> float:
        return self.rate * self._factor

    def count(self, now: float) -> float:
        """The tokens there are now; none while blocked."""
        passed = now - self._counted_at
        if passed < 0:
            return 0.0
        if passed > 0:
            self._tokens = min(float(self.burst), self._tokens + passed * self.speed())
            self._factor = min(1.0, self._factor + passed * RECOVERY)
            self._counted_at = now
        return self._tokens

    def wait(self, priority: Priority, now: float) -> float:
        need = self._need(priority)
        if need > self.burst:
            return math.inf
        tokens = self.count(now)
        if tokens >= need - _TINY:
            return 0.0
        blocked = max(0.0, self._counted_at - now)
        return blocked + max(0.0, need - (self._tokens if blocked else tokens)) / self.speed()

    def book(self, priority: Priority, now: float) -> float:
        """As `wait`, but waiting writers get one slot each, so that they do not all wake for the same token."""
        wait = self.wait(priority, now)
        if wait in (0.0, math.inf):
            return wait
        ahead = max(self._slots[priority:])
        slot = max(now + wait, ahead + 1 / self.speed())
        self._slots[priority] = slot
        return slot - now

    def take(self, now: float) -> None:
        self.count(now)
        # Below zero when something was written without asking: the debt is then waited off.
        self._tokens = max(self._tokens - 1, -float(self.burst))

    def block(self, retry_after: float, now: float) -> None:
        """The channel refused: one write will be taken after `retry_after`, and the rate was too high."""
        self.count(now)
        if self._counted_at <= now:  # further refusals of the same ban teach nothing new
            self._factor = max(SLOWEST, self._factor * SLOWED)
        self._counted_at = max(self._counted_at, now + max(0.0, retry_after))
        self._tokens = 1.0

    def gap(self, now: float) -> float:
        """How long to leave after a write: the time to come is shared among the tokens that are left."""
        return max(1, self.streams) / (self.speed() * max(1.0, self.count(now)))

    def is_fresh(self, now: float) -> bool:
        return not self.streams and self._factor >= 1.0 and self.count(now) >= self.burst

    def _need(self, priority: Priority) -> int:
        if priority >= Priority.FIRST or self.burst == 1:
            return 1 if priority > Priority.TYPING else 2
        return 2 if priority is Priority.EDIT else 3


class Budgets:
    """The buckets of one account, by `WriteBudget.scope`. Full buckets that nobody uses are forgotten."""

    def __init__(self, max_buckets: int = MAX_BUCKETS) -> None:
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._max_buckets = max_buckets

    def __len__(self) -> int:
        return len(self._buckets)

    def wait(
        self, budgets: Sequence[WriteBudget], operation: Operation, priority: Priority, now: float
    ) -> float:
        """Seconds until a write of that kind fits all its budgets; 0 = now, infinity = never."""
        return max((bucket.wait(priority, now) for bucket in self._of(budgets, operation, now)), default=0.0)

    def book(
        self, budgets: Sequence[WriteBudget], operation: Operation, priority: Priority, now: float
    ) -> float:
        """As `wait`, and whoever books after it is told a later time. Ask `wait` again when it is over."""
        return max((bucket.book(priority, now) for bucket in self._of(budgets, operation, now)), default=0.0)

    def take(self, budgets: Sequence[WriteBudget], operation: Operation, now: float) -> None:
        """Count a write that starts now."""
        for bucket in self._of(budgets, operation, now):
            bucket.take(now)

    def gap(self, budgets: Sequence[WriteBudget], operation: Operation, now: float) -> float:
        """Seconds to leave between the write that was just taken and the next edit.

        1 / (rate x tokens left), shared among the replies that grow in the scope: short gaps while the burst
        lasts, growing to 1/rate. Mean staleness over the lower bound T / (2 (burst - 1 + rate T)), answers
        lognormal with median 4 s: 1.21 for (1/s, 2), 1.21 for (1/s, 5), 1.27 for (0.5/s, 4), 1.38 for (0.33/s, 5)
        (tests/channels/pacer_report.py, 2026-11); gaps of 0.25/rate that grow by half reach 1.22, 1.40, 1.33, 1.63.
        """
        return max((bucket.gap(now) for bucket in self._of(budgets, operation, now)), default=0.0)

    def limited(
        self, budgets: Sequence[WriteBudget], operation: Operation, scope: str, retry_after: float, now: float
    ) -> bool:
        """Learn from RateLimited. Where `scope` is none of the budgets', the slowest of them ran dry.

        False: no budget counts this operation, so nothing was learnt and the caller has to hold back by itself.
        """
        concerned = [budget for budget in budgets if operation in budget.operations]
        named = [budget for budget in concerned if budget.scope == scope]
        slowest = sorted(concerned, key=lambda budget: budget.rate)[:1]
        for budget in named or slowest:
            self._bucket(budget, now).block(retry_after, now)
        return bool(concerned)

    def join(self, budgets: Sequence[WriteBudget], now: float) -> None:
        """A growing reply begins to share these budgets; pair with `leave`."""
        for budget in budgets:
            self._bucket(budget, now).streams += 1

    def leave(self, budgets: Sequence[WriteBudget], now: float) -> None:
        """A growing reply has ended."""
        for budget in budgets:
            bucket = self._bucket(budget, now)
            bucket.streams = max(0, bucket.streams - 1)

    def _of(self, budgets: Sequence[WriteBudget], operation: Operation, now: float) -> Iterator[_Bucket]:
        return (self._bucket(budget, now) for budget in budgets if operation in budget.operations)

    def _bucket(self, budget: WriteBudget, now: float) -> _Bucket:
        bucket = self._buckets.get(budget.scope)
        if bucket is None:
            self._forget(now)
            bucket = self._buckets[budget.scope] = _Bucket(budget, now)
        else:
            self._buckets.move_to_end(budget.scope)
            bucket.declare(budget)
        return bucket

    def _forget(self, now: float) -> None:
        """Make room: of the eight buckets that rested longest, those that are as good as new."""
        if len(self._buckets) < self._max_buckets:
            return
        oldest = [scope for scope, _ in zip(self._buckets, range(8), strict=False)]
        for scope in oldest:
            if self._buckets[scope].is_fresh(now):
                del self._buckets[scope]
            else:
                self._buckets.move_to_end(scope)


class EditPacer:
    """When the next write of one reply is due. Knows when it wrote last and what it booked; the buckets the rest."""

    __slots__ = ("_barred", "_booked", "_due", "_priority")

    def __init__(self) -> None:
        self._barred = 0.0  # nothing at all before this time
        self._due = 0.0  # no edit before this time
        self._booked = 0.0  # the slot that was given to a write of this priority
        self._priority = Priority.TYPING

    def wrote(
        self, buckets: Budgets, budgets: Sequence[WriteBudget], operation: Operation, now: float
    ) -> None:
        """A write starts now: it is counted, and the next edit leaves a gap."""
        buckets.take(budgets, operation, now)
        self._due = now + buckets.gap(budgets, operation, now)
        self._booked = 0.0

    def bar(self, seconds: float, now: float) -> None:
        """Write nothing for so long: the channel refused or could not be reached."""
        self._barred = max(self._barred, now + seconds)

    def wait(
        self,
        buckets: Budgets,
        budgets: Sequence[WriteBudget],
        operation: Operation,
        priority: Priority,
        now: float,
    ) -> float:
        """Seconds until the next write, 0 = now. Ask again when they are over: tokens may have gone elsewhere."""
        if priority > self._priority:
            self._booked = 0.0  # a higher priority waits in a shorter queue
        self._priority = priority
        due = max(self._barred, self._booked, self._due if priority <= Priority.EDIT else 0.0)
        if now < due - _TINY:
            return due - now
        wait = buckets.book(budgets, operation, priority, now)
        self._booked = now + wait
        return wait
