"""Flood control. Pure: the time is handed in.

Sources: core.telegram.org/bots/faq "My bot is hitting limits" (2026-11): one message a second in a chat with short
bursts allowed, 20 a minute in a group, about 30 a second in all. Edits share these limits with sends
(tdlib/td#3034). Calls made before `retry_after` ran out make the ban longer, as users of streaming bots report
(retry_after growing from 135 to 503 s while a bot kept trying).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class Limits:
    """`chat_rate` a second after `chat_burst`; `group_minute` in 60 s; `token_rate` a second for the whole bot.

    `draft_rate`, `draft_burst`: previews of a private chat have a bucket of their own (Telegram publishes no
    figure; bots that paint five times a second work). `ban`: seconds of the first refusal; `extend`: seconds that
    each call during a ban adds. `count_actions`: chat actions draw on the chat's bucket too (reported by users of
    forum groups, not documented).
    """

    chat_rate: float = 1.0
    chat_burst: float = 3.0
    group_minute: int = 20
    token_rate: float = 30.0
    draft_rate: float = 5.0
    draft_burst: float = 10.0
    ban: float = 3.0
    extend: float = 2.0
    count_actions: bool = False
    enabled: bool = True


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float

    def take(self, now: float, rate: float, burst: float) -> float:
        """0.0 when one fits, else the seconds until one would."""
        self.level = min(burst, self.level + (now - self.at) * rate)
        self.at = now
        if self.level >= 1.0:
            self.level -= 1.0
            return 0.0
        return (1.0 - self.level) / rate if rate > 0 else 3600.0


@dataclass(slots=True)
class Flood:
    """The flood state of one bot."""

    limits: Limits
    per_chat: dict[int, Limits] = field(default_factory=dict)
    _buckets: dict[tuple[str, int], _Bucket] = field(default_factory=dict)
    _minutes: dict[int, deque[float]] = field(default_factory=dict)
    _bans: dict[int, float] = field(default_factory=dict)

    def _take(self, name: str, chat: int, now: float, rate: float, burst: float) -> float:
        bucket = self._buckets.get((name, chat))
        if bucket is None:
            bucket = self._buckets[(name, chat)] = _Bucket(burst, now)
        return bucket.take(now, rate, burst)

    def refuse(self, now: float, chat: int, *, is_group: bool, kind: str) -> int | None:
        """None when the write may happen, else `retry_after` in whole seconds. `kind`: send, edit, draft, action."""
        limits = self.per_chat.get(chat, self.limits)
        if not limits.enabled or (kind == "action" and not limits.count_actions):
            return None
        banned = self._bans.get(chat)
        if banned is not None:
            if now < banned:
                self._bans[chat] = banned = banned + limits.extend
                return math.ceil(banned - now)
            del self._bans[chat]
        wait = self._wait(now, chat, limits, is_group=is_group, kind=kind)
        if wait <= 0:
            return None
        wait = max(wait, limits.ban)
        self._bans[chat] = now + wait
        return math.ceil(wait)

    def _wait(self, now: float, chat: int, limits: Limits, *, is_group: bool, kind: str) -> float:
        if kind == "draft":
            return self._take("draft", chat, now, limits.draft_rate, limits.draft_burst)
        wait = self._take("token", 0, now, limits.token_rate, limits.token_rate)
        if wait > 0:
            return wait
        if is_group:
            minute = self._minutes.setdefault(chat, deque())
            while minute and minute[0] <= now - 60.0:
                minute.popleft()
            if len(minute) >= limits.group_minute:
                return minute[0] + 60.0 - now
        wait = self._take("chat", chat, now, limits.chat_rate, limits.chat_burst)
        if wait <= 0 and is_group:
            self._minutes[chat].append(now)
        return wait
