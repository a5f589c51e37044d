"""What the models cost today and what they may: booked with every request, summed from the store after a start."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import structlog

from bot.choices import GLOBAL
from bot.prices import cost
from bot.store.base import Store
from routing.catalog import Catalog
from routing.execute import Attempt
from routing.places import Places
from routing.policy import RouteQuery
from routing.spend import DAY, Budget, Level, Purse, ceiling

log = structlog.get_logger()

NAME = "budget"
"""The choice under which what /budget set is kept."""

OFF = "off"


class Spending:
    """The day's money. `configured`: the settings' budget, with an infinite `per_day` where there is none.

    `wall`: seconds since 1970.
    """

    def __init__(self, configured: Budget, store: Store, wall: Callable[[], float]) -> None:
        self._configured = configured
        self._store = store
        self._wall = wall
        self._purse = Purse()
        self._chosen: float | None = None
        self._level = Level.ALL

    async def load(self) -> None:
        """Take up what was spent today before the start, and what /budget set."""
        now = self._wall()
        self._purse.add(await self._store.spent(now // DAY * DAY), now)
        self._take((await self._store.choices(GLOBAL)).get(NAME))
        self._level = self.level

    @property
    def budget(self) -> Budget:
        """What holds now."""
        return self._configured if self._chosen is None else replace(self._configured, per_day=self._chosen)

    @property
    def is_chosen(self) -> bool:
        """It was set by /budget, not by the settings."""
        return self._chosen is not None

    @property
    def today(self) -> float:
        """US dollars since midnight, UTC."""
        return self._purse.today(self._wall())

    @property
    def level(self) -> Level:
        """How far spending is held down now."""
        return self.budget.level(self.today)

    async def choose(self, per_day: float | None) -> None:
        """Set what may be spent a day, infinite for no limit; None: what the settings say. Durable on return."""
        value = None if per_day is None else OFF if math.isinf(per_day) else repr(per_day)
        await self._store.set_choice(GLOBAL, NAME, value)
        self._take(value)
        self._tell()

    def book(self, attempt: Attempt) -> None:
        """A request is over."""
        usd = cost(attempt.rung.model, attempt.usage, attempt.rung.options)
        if usd:
            self._purse.add(usd, self._wall())
            self._tell()

    def _take(self, value: str | None) -> None:
        self._chosen = None if value is None else math.inf if value == OFF else float(value)

    def _tell(self) -> None:
        level = self.level
        if level is self._level:
            return
        rises, self._level = level > self._level, level
        tell = log.warning if rises else log.info
        tell("spending level changed", level=level.name.lower(), spent_usd=round(self.today, 4))


def pressed(query: RouteQuery, catalog: Catalog, places: Places, spending: Spending) -> RouteQuery:
    """The query with what room and money are left now."""
    level = spending.level
    return replace(
        query,
        full=places.pressure.full(query.latency, max(query.tokens, query.least_tokens), query.now),
        ceiling=ceiling(level, catalog),
        is_spent=level is Level.FREE,
    )
