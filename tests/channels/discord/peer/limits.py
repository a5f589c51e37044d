"""Rate limits. Pure: the time is handed in.

Sources: Discord docs, "Rate Limits" (2026-11): buckets by route and top-level resource with headers, 50 requests
a second for a bot, 10,000 invalid requests in 10 minutes; interaction endpoints are outside the global limit.
Discord publishes no figures for single routes: 5 in 5 s for creating and for editing in one channel is what bots
see in the headers (discord/discord-api-docs#20); the others here are likewise figures of the size that bots see.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass, field

# Assumption where no source is named above: (requests, seconds) by bucket.
BUCKETS: dict[str, tuple[int, float]] = {
    "create_message": (5, 5.0),
    "edit_message": (5, 5.0),
    "delete_message": (5, 1.0),
    "history": (50, 1.0),
    "typing": (5, 5.0),
    "reaction": (1, 0.25),
    "commands": (5, 20.0),
    "webhook": (5, 2.0),
    "webhook_message": (5, 5.0),
    "create_dm": (10, 10.0),
    "threads": (10, 10.0),
    "other": (60, 1.0),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the headers say; `wait` is None when the request may pass."""

    bucket: str
    limit: int
    remaining: int
    reset_after: float
    wait: float | None = None


@dataclass(slots=True)
class _Window:
    used: int
    ends: float


@dataclass(slots=True)
class Limiter:
    """The buckets of one server."""

    enabled: bool = True
    global_rate: int = 50
    invalid_limit: int = 10_000
    figures: dict[str, tuple[int, float]] = field(default_factory=lambda: dict(BUCKETS))
    _windows: dict[tuple[str, str, str], _Window] = field(default_factory=dict)
    _seconds: dict[str, _Window] = field(default_factory=dict)
    _invalid: deque[float] = field(default_factory=deque)
    invalid: int = 0

    def hit(self, now: float, who: str, bucket: str, major: str) -> Verdict:
        """Count a request against its bucket."""
        limit, period = self.figures[bucket]
        name = hashlib.sha1(bucket.encode(), usedforsecurity=False).hexdigest()[:32]
        key = (who, bucket, major)
        window = self._windows.get(key)
        if window is None or now >= window.ends:
            if len(self._windows) > 10_000:
                self._windows = {k: w for k, w in self._windows.items() if w.ends > now}
            window = self._windows[key] = _Window(0, now + period)
        left = window.ends - now
        if window.used >= limit and self.enabled:
            return Verdict(name, limit, 0, left, wait=left)
        window.used += 1
        # A server without limits still tells figures, but none that would make a client wait.
        remaining = limit - window.used if self.enabled else max(1, limit - 1)
        return Verdict(name, limit, remaining, left)

    def hit_global(self, now: float, who: str) -> float | None:
        """Seconds to wait when the bot asked too often in this second."""
        window = self._seconds.get(who)
        if window is None or now >= window.ends:
            window = self._seconds[who] = _Window(0, now + 1.0)
        if window.used >= self.global_rate and self.enabled:
            return window.ends - now
        window.used += 1
        return None

    def count_invalid(self, now: float) -> None:
        """401, 403 and 429 (but shared ones) count."""
        self.invalid += 1
        self._invalid.append(now)
        while self._invalid and self._invalid[0] < now - 600:
            self._invalid.popleft()

    def is_banned(self, now: float) -> bool:
        """Too many invalid requests: the edge answers, not the API."""
        while self._invalid and self._invalid[0] < now - 600:
            self._invalid.popleft()
        return len(self._invalid) >= self.invalid_limit
