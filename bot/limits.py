"""How much one person and one conversation may say: a bucket for the minute, a count for the UTC day. Pure.

Every clock is handed in: `now` is monotonic seconds, `wall` seconds since 1970.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

DAY = 86_400
MINUTE = 60.0

MOST_KEPT = 20_000
"""People, and conversations, that are counted at once; whoever was quiet longest is forgotten first."""

ROUNDING = 1e-6
"""Of a message, so that whoever waits as long as they were told has waited long enough."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Messages in a minute and on a day; infinite for no limit."""

    per_minute: float = math.inf
    per_day: float = math.inf


class Scope(StrEnum):
    """Whose limit it is."""

    SENDER = "sender"
    CONVERSATION = "conversation"


@dataclass(frozen=True, slots=True)
class Over:
    """A limit that is reached. `wait`: seconds until one may write again; `of_day`: it is the day's."""

    scope: Scope
    wait: float
    of_day: bool = False


@dataclass(slots=True)
class _Count:
    left: float
    at: float
    day: int
    today: float


class Buckets:
    """One bucket for each key. Full it holds a minute's messages, which come back evenly over the minute."""

    def __init__(self, rate: Rate, most: int = MOST_KEPT) -> None:
        self._rate = rate
        self._most = most
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counts)

    def wait(self, key: str, now: float, wall: float) -> tuple[float, bool]:
        """Seconds until the next message is in order, 0 for now; and whether the day's limit says so."""
        count = self._counts.get(key)
        day = int(wall // DAY)
        today = count.today if count is not None and count.day >= day else 0.0
        if today + 1 > self._rate.per_day:
            return (day + 1) * DAY - wall, True
        left = self._left(count, now)
        if left >= 1 - ROUNDING:
            return 0.0, False
        return (1 - left) * MINUTE / self._rate.per_minute if self._rate.per_minute else MINUTE, False

    def take(self, key: str, now: float, wall: float) -> None:
        """A message came."""
        count, day = self._counts.get(key), int(wall // DAY)
        if count is None:
            count = self._counts[key] = _Count(self._rate.per_minute, now, day, 0.0)
        count.left, count.at = self._left(count, now) - 1, max(now, count.at)
        if count.day < day:
            count.day, count.today = day, 0.0
        count.today += 1
        self._counts.move_to_end(key)
        while len(self._counts) > self._most:
            self._counts.popitem(last=False)

    def give_back(self, key: str) -> None:
        """One that was taken did not come about."""
        count = self._counts.get(key)
        if count is not None:
            count.left = min(self._rate.per_minute, count.left + 1)
            count.today = max(0.0, count.today - 1)

    def recall(self, today: Mapping[str, int], now: float, wall: float) -> None:
        """What was said today before the start; the minute begins anew."""
        for key, count in today.items():
            self._counts[key] = _Count(self._rate.per_minute, now, int(wall // DAY), count)
        while len(self._counts) > self._most:
            self._counts.popitem(last=False)

    def _left(self, count: _Count | None, now: float) -> float:
        if count is None or math.isinf(self._rate.per_minute):
            return self._rate.per_minute
        back = max(0.0, now - count.at) * self._rate.per_minute / MINUTE
        return min(self._rate.per_minute, count.left + back)


class Limits:
    """The limits of every person and every conversation. Bounded."""

    def __init__(self, sender: Rate, conversation: Rate, most: int = MOST_KEPT) -> None:
        self.senders = Buckets(sender, most)
        self.conversations = Buckets(conversation, most)

    def admit(self, sender: str, conversation: str, now: float, wall: float) -> Over | None:
        """Count a message, None; or say which limit is reached, and count nothing."""
        found = [
            Over(scope, wait, of_day)
            for scope, (wait, of_day) in (
                (Scope.SENDER, self.senders.wait(sender, now, wall)),
                (Scope.CONVERSATION, self.conversations.wait(conversation, now, wall)),
            )
            if wait > 0
        ]
        if found:
            return max(found, key=lambda each: each.wait)
        self.senders.take(sender, now, wall)
        self.conversations.take(conversation, now, wall)
        return None

    def give_back(self, sender: str, conversation: str) -> None:
        """A message that was counted could not be kept: it will be offered again, and counted then."""
        self.senders.give_back(sender)
        self.conversations.give_back(conversation)
