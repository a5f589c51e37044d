"""How often a session may be begun: Discord ends a token that identifies too often. Pure; `now` is handed in.

Discord docs, Gateway, Session Start Limit and Sharding (2026-11): 1000 identifies a day, then "all active sessions are
terminated and the token is reset"; `max_concurrency` of them every 5 s.
"""

from __future__ import annotations

import orjson

# 20 in half an hour are 960 a day: a crash loop can never use the budget up.
MOST, WITHIN = 20, 1800.0


class Starts:
    """The last identifies, kept over restarts. `stored` is what `dump` gave."""

    def __init__(self, stored: str | None, shards: int = 1) -> None:
        self._most = MOST * max(1, shards)
        try:
            found = orjson.loads(stored) if stored else []
        except orjson.JSONDecodeError:
            found = []
        times = found if isinstance(found, list) else []
        self._times = [float(one) for one in times if type(one) in (int, float)][-self._most :]

    def wait(self, now: float) -> float:
        """Seconds until another one is wise. `now`: seconds since 1970."""
        recent = [one for one in self._times if now - WITHIN < one <= now]
        return recent[-self._most] + WITHIN - now if len(recent) >= self._most else 0.0

    def note(self, now: float) -> None:
        """One begins."""
        self._times = [*self._times, now][-self._most :]

    def dump(self) -> str:
        """For `Starts(stored)`."""
        return orjson.dumps(self._times).decode()


class Lanes:
    """The pace at which the shards of one bot may identify: shard number modulo `max_concurrency` is the lane."""

    def __init__(self, concurrency: int, spacing: float) -> None:
        self._concurrency = max(1, concurrency)
        self._spacing = spacing
        self._free: dict[int, float] = {}

    def book(self, shard: int, now: float) -> float:
        """Seconds to wait; whoever books next is told a later time."""
        lane = shard % self._concurrency
        at = max(now, self._free.get(lane, 0.0))
        self._free[lane] = at + self._spacing
        return at - now
