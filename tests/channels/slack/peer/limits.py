"""Rate limits. Pure: the time is handed in.

Source: Slack docs "Rate limits" (2026-11): limits are kept per method, app and workspace and are counted in a minute;
Tier 1 is 1+, Tier 2 20+, Tier 3 50+, Tier 4 100+ a minute, short bursts are tolerated; posting is one message a second
in a channel with bursts, and several hundred a minute in a workspace; a refused call is answered with 429 and
Retry-After in whole seconds. How much of a burst is tolerated is not published: a quarter of the minute here.
Apps that are neither in the Marketplace nor built by the customer read history and replies once a minute, 15
messages at most (same page, since 2025-05-29).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Limit:
    """`per_minute` calls, `burst` of them at once; counted in each channel when `in_channel`, else in the workspace."""

    per_minute: float
    burst: float
    in_channel: bool = False


TIER_1 = Limit(1, 1)
TIER_2 = Limit(20, 5)
TIER_3 = Limit(50, 12)
TIER_4 = Limit(100, 25)

# The methods' own pages, "Rate limits" (2026-11).
LIMITS: dict[str, Limit] = {
    "chat.postMessage": Limit(60, 4, in_channel=True),
    "chat.postEphemeral": TIER_4,
    "chat.update": TIER_3,
    "chat.delete": TIER_3,
    "chat.startStream": TIER_2,
    "chat.appendStream": TIER_4,
    "chat.stopStream": TIER_2,
    # "Special": 600 a minute for an app in a team.
    "assistant.threads.setStatus": Limit(600, 100),
    "assistant.threads.setTitle": TIER_4,
    "assistant.threads.setSuggestedPrompts": TIER_4,
    # "Special": hundreds of requests a minute.
    "auth.test": Limit(300, 100),
    # Tier 1 on its page; a reconnecting SDK calls it far more often and is not refused, so this one is a guess.
    "apps.connections.open": Limit(100, 50),
    "conversations.history": TIER_3,
    "conversations.replies": TIER_3,
    "conversations.info": TIER_3,
    "conversations.open": TIER_3,
    "conversations.list": TIER_2,
    "users.info": TIER_4,
    "bots.info": TIER_3,
    "reactions.add": TIER_3,
    "reactions.remove": TIER_2,
    "reactions.get": TIER_3,
    "files.info": TIER_4,
    "views.publish": TIER_4,
}
# "Several hundred messages per minute" of one workspace.
WORKSPACE_POSTS = Limit(300, 60)
NON_MARKETPLACE = Limit(1, 1)
READS = ("conversations.history", "conversations.replies")


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float
    closed_until: float = 0.0

    def take(self, now: float, limit: Limit) -> float:
        """0.0 when one fits, else the seconds until the next is welcome; until then all are refused."""
        if now < self.closed_until:
            return self.closed_until - now
        rate = limit.per_minute / 60
        self.level = min(limit.burst, self.level + (now - self.at) * rate)
        self.at = now
        if self.level >= 1.0:
            self.level -= 1.0
            return 0.0
        wait = math.ceil((1.0 - self.level) / rate) if rate > 0 else 3600
        self.closed_until = now + wait
        return float(wait)


@dataclass(slots=True)
class Meter:
    """What one app has used in one workspace. `changed`: limits that a test set for a method."""

    enabled: bool = True
    non_marketplace: bool = False
    changed: dict[str, Limit] = field(default_factory=dict)
    _buckets: dict[tuple[str, str], _Bucket] = field(default_factory=dict)

    def change(self, method: str, **fields: float) -> None:
        """New figures for a method; its buckets start full again."""
        self.changed[method] = replace(self.limit(method) or TIER_3, **fields)  # type: ignore[arg-type]
        for key in [key for key in self._buckets if key[0] == method]:
            del self._buckets[key]

    def limit(self, method: str) -> Limit | None:
        if self.non_marketplace and method in READS:
            return NON_MARKETPLACE
        return self.changed.get(method) or LIMITS.get(method)

    def refuse(self, method: str, channel: str, now: float) -> int | None:
        """None when the call may happen, else Retry-After in whole seconds, at least 1."""
        if not self.enabled:
            return None
        limit = self.limit(method)
        if limit is None:
            return None
        wait = self._take(method, channel if limit.in_channel else "", now, limit)
        if wait <= 0 and method == "chat.postMessage":
            wait = self._take("posts of the workspace", "", now, WORKSPACE_POSTS)
        return max(1, math.ceil(wait)) if wait > 0 else None

    def _take(self, name: str, place: str, now: float, limit: Limit) -> float:
        bucket = self._buckets.get((name, place))
        if bucket is None:
            bucket = self._buckets[(name, place)] = _Bucket(limit.burst, now)
        return bucket.take(now, limit)
