"""What was spent, and which models are still worth their price. Pure.

A ladder leads from all models to the free ones. Nobody is shut out before the last step: dearer models stand behind
cheaper ones, and only when the money is spent are models that cost something not asked at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum

from providers.base import ModelSpec
from routing.catalog import Catalog

DAY = 86_400
"""Days are counted in UTC, so that a change of clocks moves nothing."""

FAST = "fast"
INPUT_SHARE = 0.75
"""A chat's prompt has about three tokens for each one of its answer."""


class Level(IntEnum):
    """How far the spending of a day is held down. Higher is cheaper."""

    ALL = 0  # whatever fits best
    DEFAULT = 1  # nothing dearer than the default before the default
    FAST = 2  # nothing dearer than the fast one before the fast one
    FREE = 3  # nothing that costs money


@dataclass(frozen=True, slots=True)
class Budget:
    """US dollars for a day. `soft`, `hard`: the shares of it at which saving begins, and at which money is spent."""

    per_day: float
    soft: float = 0.8
    hard: float = 1.0

    def level(self, spent: float) -> Level:
        """The step of the ladder after so much was spent. Never falls while `spent` rises."""
        if math.isinf(self.per_day):
            return Level.ALL
        if spent >= self.per_day * self.hard:
            return Level.FREE
        if spent >= self.per_day * (self.soft + self.hard) / 2:
            return Level.FAST
        return Level.DEFAULT if spent >= self.per_day * self.soft else Level.ALL


def day_of(wall: float) -> int:
    """Days since 1970, UTC."""
    return int(wall // DAY)


def month_of(wall: float) -> int:
    """Months since the year 0, UTC."""
    at = datetime.fromtimestamp(wall, UTC)
    return at.year * 12 + at.month - 1


def month_began(wall: float) -> int:
    """The first day of the month, as days since 1970, UTC."""
    return day_of(wall) - datetime.fromtimestamp(wall, UTC).day + 1


def next_month(wall: float) -> float:
    """When the next month begins, UTC, in seconds since 1970."""
    year, month = divmod(month_of(wall) + 1, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC).timestamp()


@dataclass(slots=True)
class Purse:
    """What was spent since midnight, UTC, or in another period. `day` is the number of days, or periods, since 1970."""

    day: int = 0
    spent: float = 0.0
    period: Callable[[float], int] = day_of

    def add(self, usd: float, wall: float) -> None:
        """A request cost so much. `wall`: seconds since 1970."""
        self._turn(wall)
        self.spent += max(0.0, usd)

    def today(self, wall: float) -> float:
        """What was spent on the day of `wall`. A clock that was set back keeps what the later day had."""
        self._turn(wall)
        return self.spent

    def _turn(self, wall: float) -> None:
        day = self.period(wall)
        if day > self.day:
            self.spent = 0.0
        self.day = day


def price_of(model: ModelSpec) -> float:
    """US dollars a million tokens, three of the prompt to one of the answer.

    0 for models on this machine that name no price; infinite where nobody knows the price.
    """
    if model.price is None:
        return 0.0 if model.is_local else math.inf
    return INPUT_SHARE * model.price.input + (1 - INPUT_SHARE) * model.price.output


def ceiling(level: Level, catalog: Catalog) -> float:
    """The price above which models come last. Never rises with the level."""
    default = price_of(catalog.primary.model)
    match level:
        case Level.ALL:
            return math.inf
        case Level.DEFAULT:
            return default
        case Level.FAST:
            return _cheapest(default, (each.model for each in catalog.aliases.get(FAST, ())))
        case Level.FREE:
            return 0.0


def _cheapest(default: float, models: Iterable[ModelSpec]) -> float:
    return min([default, *(price_of(each) for each in models)])
