"""How much room is left on every key, and how much of it is kept for people. Pure: `now` is handed in.

What nobody waits for (mail, schedules, titles: the class batch) gets what people leave of each limit, and never more
than its own share. People are not counted out here: their provider, or providers.limits for it, has the last word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from channels.capabilities import LatencyClass
from providers.allowance import BUSY_FOR, DAY, MINUTE, UNLIMITED, Limits, Window

KEPT = 0.5
"""The share of each limit that is kept for people, unless the settings say otherwise."""

Account = tuple[str, str]
"""(provider, credential id): what a provider counts by."""


def is_background(latency: LatencyClass) -> bool:
    """Whether nobody waits for the answer at this moment."""
    return latency is LatencyClass.BATCH


@dataclass(slots=True)
class _Meter:
    """One limit: what all used, and what the background did."""

    all: Window
    background: Window

    @classmethod
    def of(cls, limit: int | None, span: float, kept: float) -> _Meter | None:
        if limit is None:
            return None
        return cls(Window(limit, span), Window(_share(limit, kept), span))

    def wait(self, now: float, amount: int, *, is_background: bool) -> float:
        if not is_background:
            return self.all.wait(now, amount)
        # What is larger than the whole share goes alone: when nobody has used anything.
        whole = amount if amount <= self.background.limit else self.all.limit
        return max(self.all.wait(now, whole), self.background.wait(now, amount))

    def take(self, now: float, amount: int, *, is_background: bool) -> None:
        self.all.take(now, amount)
        if is_background:
            self.background.take(now, amount)


@dataclass(slots=True)
class _Use:
    limits: Limits
    requests: _Meter | None
    tokens: _Meter | None
    day: _Meter | None
    running: int = 0
    in_background: int = 0


class Pressure:
    """What every key has in use. `limits`: by provider; `kept`: the share for people, 0..1.

    Bounded by the keys of the catalogue.
    """

    def __init__(self, limits: Mapping[str, Limits] | None = None, kept: float = KEPT) -> None:
        self._limits = {name: each for name, each in (limits or {}).items() if each != UNLIMITED}
        self._kept = kept
        self._uses: dict[Account, _Use] = {}

    def wait(self, account: Account, latency: LatencyClass, tokens: int, now: float) -> float:
        """Seconds until a request with a prompt of so many tokens has room; 0: now."""
        use = self._use(account)
        if use is None:
            return 0.0
        behind = is_background(latency)
        waits = [each.wait(now, amount, is_background=behind) for each, amount in _meters(use, tokens)]
        if (most := use.limits.concurrent) is not None:
            is_full = use.running >= most
            if behind:
                is_full = is_full or use.in_background >= _share(most, self._kept)
            waits.append(BUSY_FOR if is_full else 0.0)
        return max(waits, default=0.0)

    def full(self, latency: LatencyClass, tokens: int, now: float) -> frozenset[Account]:
        """The keys without room for such a request."""
        return frozenset(each for each in self._uses if self.wait(each, latency, tokens, now) > 0)

    def take(self, account: Account, latency: LatencyClass, tokens: int, now: float) -> None:
        """A request begins."""
        use = self._use(account)
        if use is None:
            return
        behind = is_background(latency)
        use.running += 1
        use.in_background += behind
        for each, amount in _meters(use, tokens):
            each.take(now, amount, is_background=behind)

    def release(self, account: Account, latency: LatencyClass) -> None:
        """A request that was taken ended, however it did."""
        use = self._use(account)
        if use is not None:
            use.running -= 1
            use.in_background -= is_background(latency)

    def _use(self, account: Account) -> _Use | None:
        limits = self._limits.get(account[0])
        if limits is None:
            return None
        if account not in self._uses:
            self._uses[account] = _Use(
                limits,
                _Meter.of(limits.requests_per_minute, MINUTE, self._kept),
                _Meter.of(limits.tokens_per_minute, MINUTE, self._kept),
                _Meter.of(limits.tokens_per_day, DAY, self._kept),
            )
        return self._uses[account]


def _meters(use: _Use, tokens: int) -> list[tuple[_Meter, int]]:
    found = ((use.requests, 1), (use.tokens, max(1, tokens)), (use.day, max(1, tokens)))
    return [(each, amount) for each, amount in found if each is not None]


def _share(limit: int, kept: float) -> int:
    """What the background may use of a limit. At least one, or it would never end."""
    return max(1, int(limit * (1 - kept) + 1e-9))
