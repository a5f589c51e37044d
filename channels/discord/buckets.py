"""Discord's rate limits as its answers tell them: what is left in each bucket, until when. Pure; `now` is handed in.

Discord docs, Rate Limits (2026-11): limits "should not be hard coded"; X-RateLimit-Limit, -Remaining and -Reset-After
tell the state of a bucket, which is a window that opens with its first request. Until a bucket has told its figures
5 in 5 s are taken, which bots see for creating and for editing messages in a channel (discord/discord-api-docs#20).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

LIMIT, WINDOW = 5, 5.0
MARGIN = 0.05  # the two ends never agree on when a window ends
_MAX_SCOPES = 20_000
_MOST = 3600.0


@dataclass(slots=True)
class _Bucket:
    limit: int = LIMIT
    window: float = WINDOW
    remaining: int = LIMIT
    ends: float = 0.0
    on_their_way: int = 0

    def refill(self, now: float) -> None:
        if now >= self.ends:
            self.remaining = self.limit - self.on_their_way


@dataclass(frozen=True, slots=True)
class Left:
    """What a bucket has left: `remaining` requests for `seconds`; then `limit` for each `window`."""

    remaining: int
    seconds: float
    limit: int
    window: float


class Buckets:
    """All buckets of one account, by scope. The scope "token" stands for the bot as a whole."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._closed_until = 0.0

    def begin(self, scope: str, now: float) -> float:
        """Count a request that starts now and return 0, or return the seconds to wait before one may."""
        if now < self._closed_until:
            return self._closed_until - now
        bucket = self._bucket(scope)
        bucket.refill(now)
        if bucket.remaining <= 0:
            return max(MARGIN, bucket.ends - now)
        bucket.remaining -= 1
        bucket.on_their_way += 1
        if now >= bucket.ends:  # it opens a window; its answer will say how long that lasts
            bucket.ends = now + bucket.window
        return 0.0

    def told(self, scope: str, headers: Mapping[str, str], now: float) -> None:
        """Learn from the headers of an answer to a request that began; what they do not say stays as it is."""
        bucket = self._bucket(scope)
        bucket.on_their_way = max(0, bucket.on_their_way - 1)
        limit, left = _number(headers.get("X-RateLimit-Limit")), _number(headers.get("X-RateLimit-Remaining"))
        after = _number(headers.get("X-RateLimit-Reset-After"))
        if limit is None or left is None or after is None or limit < 1 or not 0 <= after <= _MOST:
            return
        is_new_window = now + after > bucket.ends + MARGIN or bucket.limit != int(limit)
        free = int(left) - bucket.on_their_way
        # An answer that was overtaken by another of its window knows less than we do.
        bucket.remaining = max(0, free if is_new_window else min(bucket.remaining, free))
        bucket.limit = int(limit)
        bucket.ends = now + after + MARGIN
        if left >= limit - 1:
            bucket.window = max(after, 0.25)

    def lost(self, scope: str) -> None:
        """A request that began has no answer."""
        bucket = self._bucket(scope)
        bucket.on_their_way = max(0, bucket.on_their_way - 1)

    def refused(self, scope: str, seconds: float, now: float, *, is_global: bool = False) -> None:
        """429: nothing more for so long."""
        if is_global:
            self._closed_until = max(self._closed_until, now + seconds)
            return
        bucket = self._bucket(scope)
        bucket.remaining, bucket.ends = 0, now + seconds

    def left(self, scope: str, now: float) -> Left:
        """The state of a bucket; forgets nothing and counts nothing."""
        bucket = self._buckets.get(scope)
        if bucket is None:
            return Left(LIMIT, 0.0, LIMIT, WINDOW)
        if now >= bucket.ends:
            return Left(bucket.limit, 0.0, bucket.limit, bucket.window)
        return Left(bucket.remaining, bucket.ends - now, bucket.limit, bucket.window)

    def _bucket(self, scope: str) -> _Bucket:
        bucket = self._buckets.get(scope)
        if bucket is None:
            if len(self._buckets) >= _MAX_SCOPES:
                self._buckets.popitem(last=False)
            bucket = self._buckets[scope] = _Bucket()
        else:
            self._buckets.move_to_end(scope)
        return bucket


def _number(text: str | None) -> float | None:
    try:
        found = float(text) if text is not None else None
    except ValueError:
        return None
    return found if found is not None and found == found and abs(found) != float("inf") else None  # noqa: PLR0124 - NaN
