"""What two policies did side by side, and whether the new one may have more people. Pure; counts and buckets alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ENOUGH = 500
"""Decisions of the new policy before it may go on."""

LEAST = 60
"""Decisions of both before anything is taken back."""

FEW = 5
"""Bad answers of the new policy below which nothing is taken back: that few are chance."""

SLOWER = 1.05
MORE_FAILURES = 0.002
SURE = 1.645
"""Standard deviations of a one-sided test at 95 %, for going on."""

SURER = 3.09
"""The same at 99.9 %, for taking back: it is looked at again and again."""

_LEAST_TIME = 0.01
_RATIO = 1.02
_BUCKETS = 600


@dataclass(slots=True)
class Arm:
    """What became of one policy's decisions. `times`: bucket of the time to the first word -> answers."""

    decisions: int = 0
    failures: int = 0
    disliked: int = 0
    priced: int = 0
    cost_usd: float = 0.0
    times: dict[int, int] = field(default_factory=dict)

    def add(self, *, seconds: float | None, failed: bool, cost_usd: float | None) -> None:
        """One more answer. `seconds`: to its first word, None where nobody saw one."""
        self.decisions += 1
        self.failures += failed
        if cost_usd is not None:
            self.priced += 1
            self.cost_usd += cost_usd
        if seconds is not None:
            at = _bucket(seconds)
            self.times[at] = self.times.get(at, 0) + 1

    @property
    def mean_cost(self) -> float | None:
        """US dollars an answer; None where no price is known."""
        return self.cost_usd / self.priced if self.priced else None

    def quantile(self, share: float) -> float | None:
        """A quantile of the times, to within 2 %; None where there is none."""
        total, reached = sum(self.times.values()), 0
        for bucket in sorted(self.times):
            reached += self.times[bucket]
            if reached >= share * total:
                return _LEAST_TIME * _RATIO**bucket
        return None

    def above(self, seconds: float) -> tuple[int, int]:
        """How many took longer, and of how many."""
        limit = _bucket(seconds)
        return sum(count for at, count in self.times.items() if at > limit), sum(self.times.values())

    def to_plain(self) -> Mapping[str, Any]:
        """As plain values."""
        counts = [self.decisions, self.failures, self.disliked, self.priced, self.cost_usd]
        return {"counts": counts, "times": {str(at): count for at, count in sorted(self.times.items())}}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Arm:
        """What `to_plain` gave. Raises ValueError, TypeError, KeyError or AttributeError for anything else."""
        decisions, failures, disliked, priced, cost = plain["counts"]
        times = {int(at): int(count) for at, count in plain["times"].items()}
        return cls(int(decisions), int(failures), int(disliked), int(priced), float(cost), times)


def _bucket(seconds: float) -> int:
    if seconds <= _LEAST_TIME:
        return 0
    return min(_BUCKETS, math.ceil(math.log(seconds / _LEAST_TIME) / math.log(_RATIO)))


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition, and its figures in words."""

    name: str
    is_met: bool
    said: str


def gates(new: Arm, old: Arm, cost_cap: float) -> Sequence[Gate]:
    """The conditions for giving the new policy more people. `cost_cap`: times the old policy's cost of an answer."""
    count = Gate("decisions", new.decisions >= ENOUGH, f"{new.decisions} of {ENOUGH}")
    return (count, _first_word(new, old), _failures(new, old), _dislikes(new, old), _cost(new, old, cost_cap))


def _first_word(new: Arm, old: Arm) -> Gate:
    mine, theirs = new.quantile(0.95), old.quantile(0.95)
    if mine is None or theirs is None:
        return Gate("first word", mine is None and theirs is None, "nothing to compare")
    said = f"p95 {mine * 1000:.0f} ms, the old policy {theirs * 1000:.0f} ms"
    return Gate("first word", mine <= SLOWER * theirs, said)


def _failures(new: Arm, old: Arm) -> Gate:
    mine, theirs = _rate(new.failures, new), _rate(old.failures, old)
    said = f"{mine:.2%} failed, the old policy {theirs:.2%}"
    return Gate("errors", mine <= theirs + MORE_FAILURES, said)


def _dislikes(new: Arm, old: Arm) -> Gate:
    mine, theirs = _rate(new.disliked, new), _rate(old.disliked, old)
    said = f"{mine:.2%} disliked, the old policy {theirs:.2%}"
    far = _distance(new.disliked, new.decisions, old.disliked, old.decisions)
    return Gate("reactions", far <= SURE, said)


def _cost(new: Arm, old: Arm, cap: float) -> Gate:
    mine, theirs = new.mean_cost, old.mean_cost
    if mine is None or theirs is None:
        return Gate("cost", is_met=True, said="no prices known")
    said = f"${mine:.5f} an answer, the old policy ${theirs:.5f}, at most {cap:g} times that"
    return Gate("cost", mine <= cap * theirs, said)


def fault(new: Arm, old: Arm, cost_cap: float) -> str | None:
    """Why the new policy has to be taken back now, in words; None while it is not clearly worse."""
    if min(new.decisions, old.decisions) < LEAST:
        return None
    if new.failures >= FEW and _is_worse(new.failures, new, old.failures, old, MORE_FAILURES):
        return f"errors: {_failures(new, old).said}"
    usual = old.quantile(0.95)
    if usual is not None:
        (late, timed), (late_before, timed_before) = new.above(SLOWER * usual), old.above(SLOWER * usual)
        if late >= FEW and _distance(late, timed, late_before, timed_before) > SURER:
            return f"first word: {_first_word(new, old).said}"
    if new.disliked >= FEW and _is_worse(new.disliked, new, old.disliked, old):
        return f"reactions: {_dislikes(new, old).said}"
    cost = _cost(new, old, cost_cap)
    if min(new.priced, old.priced) >= LEAST and not cost.is_met:
        return f"cost: {cost.said}"
    return None


def _rate(count: int, arm: Arm) -> float:
    return count / arm.decisions if arm.decisions else 0.0


def _is_worse(mine: int, new: Arm, theirs: int, old: Arm, slack: float = 0.0) -> bool:
    return _distance(mine, new.decisions, theirs, old.decisions, slack) > SURER


def _distance(mine: int, of_mine: int, theirs: int, of_theirs: int, slack: float = 0.0) -> float:
    """How many standard deviations one share lies above another; two unseen answers more keep it finite."""
    share = (mine + 1) / (of_mine + 2)
    other = (theirs + 1) / (of_theirs + 2)
    spread = math.sqrt(share * (1 - share) / (of_mine + 2) + other * (1 - other) / (of_theirs + 2))
    return (share - other - slack) / spread
