"""What the models cost and what they may: asked before every request, told after it, kept in the store.

A request holds what it may cost at most until it is over; then it is charged what it cost. Both are handed to the
store at once and ride along with whatever it writes next, so they cost no flush of their own. What a crash loses is at
most the cost of requests of which nothing was shown or saved yet.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog

from bot import metrics, words
from bot.alerts import Kind
from bot.choices import GLOBAL
from bot.lanes import Turn
from bot.prices import cost
from bot.store.base import Store
from bot.store.money import Charge, Cost, Held
from bot.store.people import Person
from channels.commands import Role
from providers.base import GenerationOptions, ModelSpec, Usage
from providers.errors import ErrorKind, ProviderError
from routing.attempt import Hold, Unbounded
from routing.catalog import Catalog
from routing.ledger import NOBODY, Cap, Caps, Ledger, Payer, Stop
from routing.places import Places
from routing.policy import RouteQuery, Rung
from routing.spend import Budget, Level, ceiling, day_of, month_began, price_of

log = structlog.get_logger()

NAME = "budget"
"""The choice under which what /budget set is kept."""

OFF = "off"

MOST_ANSWER = 8_192
"""Tokens of an answer that are held for where nobody set a limit, whatever longer one the model could give."""

PATIENCE = 5.0
"""Seconds in which what needs no answer (vectors, transcripts) waits for money that is held for others."""


def most_cost(model: ModelSpec, options: GenerationOptions, tokens: int) -> float | None:
    """US dollars that a request with a prompt of so many tokens may cost; None where the price is unknown."""
    most = options.max_output
    if most is None:
        most = min(model.max_output or MOST_ANSWER, MOST_ANSWER)
    plain = cost(model, Usage(tokens, most), options)
    if plain is None:
        return None
    cached = cost(
        model, Usage(tokens, most, cache_write_tokens=tokens), options
    )  # to fill a cache may cost more
    return max(plain, cached or 0.0)


class Spending:
    """The money of all. `configured`: the settings' caps. `wall`: seconds since 1970. `tell`: for the owner."""

    def __init__(
        self,
        configured: Caps,
        store: Store,
        wall: Callable[[], float],
        tell: Callable[[Kind, str], None],
    ) -> None:
        self._configured = configured
        self._store = store
        self._wall = wall
        self._tell_owner = tell
        self._ledger = Ledger(configured)
        self._chosen: float | None = None
        self._level = Level.ALL
        self._numbers = itertools.count(1)
        self._changed = asyncio.Event()

    async def load(self) -> None:
        """Take up what was spent before the start, and what /budget set."""
        now = self._wall()
        day = day_of(now)
        spent = await self._store.take_up_spending(day, month_began(now))
        payers = {(Cap.SENDER, name): usd for name, usd in spent.senders.items()}
        payers |= {(Cap.CONVERSATION, name): usd for name, usd in spent.conversations.items()}
        self._ledger.recall(spent.day, spent.month, payers, now)
        self._take((await self._store.choices(GLOBAL)).get(NAME))
        self._level = self.level()
        metrics.watch_held(self._ledger.held)

    @property
    def budget(self) -> Budget:
        """What holds now for a day."""
        return self.caps.of(Cap.DAY)

    @property
    def caps(self) -> Caps:
        """All that hold now."""
        return self._ledger.caps

    @property
    def is_chosen(self) -> bool:
        """The day's was set by /budget, not by the settings."""
        return self._chosen is not None

    @property
    def today(self) -> float:
        """US dollars since midnight, UTC."""
        return self.spent(Cap.DAY)

    def spent(self, cap: Cap, payer: Payer = NOBODY) -> float:
        """US dollars in the period of a cap."""
        return self._ledger.spent(cap, payer, self._wall())

    def held(self, cap: Cap = Cap.DAY, payer: Payer = NOBODY) -> float:
        """US dollars that requests which run may yet cost."""
        return self._ledger.held(cap, payer)

    def level(self, payer: Payer = NOBODY, *, counts_held: bool = False) -> Level:
        """How far spending is held down now."""
        return self._ledger.level(payer, self._wall(), counts_held=counts_held)

    async def choose(self, per_day: float | None) -> None:
        """Set what may be spent a day, infinite for no limit; None: what the settings say. Durable on return."""
        value = None if per_day is None else OFF if math.isinf(per_day) else repr(per_day)
        await self._store.set_choice(GLOBAL, NAME, value)
        self._take(value)
        self._note()

    @property
    def days(self) -> tuple[int, int]:
        """Today as days since 1970, and how many days this month has had, today among them."""
        now = self._wall()
        return day_of(now), day_of(now) - month_began(now) + 1

    async def costs(self, days: int, conversation: str | None = None) -> list[Cost]:
        """What models cost in the last days, today's among them."""
        return list(await self._store.costs(day_of(self._wall()) - days + 1, conversation))

    def forget(self, sender: str, conversations: tuple[str, ...]) -> None:
        """Somebody is to be unknown; what all have spent stays."""
        self._ledger.forget(sender, conversations)

    # Money, as routing knows it

    async def enter(self, rung: Rung, payer: Payer, tokens: int, patience: float) -> Hold:
        """See routing.attempt.Money. Of models without a known price only the beginning can be kept in bounds."""
        if price_of(rung.model) == 0:
            return Unbounded()
        await self._until_left(payer, patience)
        most = most_cost(rung.model, rung.options, tokens)
        hold = _Hold(self, rung, payer, self._ledger.hold(payer, most or 0.0), next(self._numbers))
        if most:
            self._remember(hold, tokens)
        return hold

    def stop(self, payer: Payer) -> Stop | None:
        """See routing.attempt.Money."""
        return self._ledger.stop(payer, self._wall())

    @asynccontextmanager
    async def open_hold(self, model: ModelSpec, tokens: int, payer: Payer = NOBODY) -> AsyncIterator[Hold]:
        """For a request that is no answer: settle it inside; what is not settled is let go. Raises as `enter`."""
        rung = Rung(model, options=GenerationOptions(max_output=0))
        hold = await self.enter(rung, payer, tokens, PATIENCE)
        try:
            yield hold
        finally:
            hold.settle(None)

    def settle(self, hold: _Hold, usage: Usage | None) -> None:
        """A request that was let in is over."""
        model, payer, now = hold.rung.model, hold.payer, self._wall()
        self._ledger.let_go(payer, hold.amount)
        usd = cost(model, usage, hold.rung.options)
        if usd:
            self._ledger.add(payer, usd, now)
            metrics.cost(model.provider, model.model, usd)
        if usd or hold.amount:
            number = hold.number if hold.amount else None
            charge = Charge(day_of(now), model.ref, payer.sender, payer.conversation, usd or 0.0, number)
            self._store.charge(charge)
        self._note()
        self._changed.set()
        self._changed = asyncio.Event()

    async def _until_left(self, payer: Payer, patience: float) -> None:
        stop = self.stop(payer)
        if stop is not None and stop.is_held and patience > 0:
            try:
                async with asyncio.timeout(patience):
                    while stop is not None and stop.is_held:
                        await self._changed.wait()
                        stop = self.stop(payer)
            except TimeoutError:
                pass
        if stop is not None:
            metrics.refused_by_cap(stop.cap)
            what = "held for others" if stop.is_held else "spent"
            raise ProviderError(ErrorKind.BUDGET, f"not sent: the {stop.cap}'s {stop.usd:g} USD are {what}")

    def _remember(self, hold: _Hold, tokens: int) -> None:
        model, payer = hold.rung.model, hold.payer
        prompt = cost(model, Usage(tokens), hold.rung.options) or 0.0
        token = (cost(model, Usage(tokens, 1), hold.rung.options) or 0.0) - prompt
        place = (model.ref, payer.sender, payer.conversation)
        self._store.hold(Held(hold.number, payer.turn_id, day_of(self._wall()), *place, prompt, token))

    def _take(self, value: str | None) -> None:
        self._chosen = None if value is None else math.inf if value == OFF else float(value)
        caps = self._configured
        self._ledger.caps = caps if self._chosen is None else replace(caps, per_day=self._chosen)

    def _note(self) -> None:
        level = self.level()
        if level is self._level:
            return
        rises, self._level = level > self._level, level
        say = log.warning if rises else log.info
        today, month = self.spent(Cap.DAY), self.spent(Cap.MONTH)
        say(
            "spending level changed",
            level=level.name.lower(),
            spent_usd=round(today, 4),
            month_usd=round(month, 4),
        )
        if rises:
            self._tell_owner(Kind.BUDGET, words.spending(today, month, level))


class _Hold:
    """What is held for one request."""

    __slots__ = ("_is_settled", "_spending", "amount", "number", "payer", "rung")

    def __init__(self, spending: Spending, rung: Rung, payer: Payer, amount: int, number: int) -> None:
        self._spending = spending
        self._is_settled = False
        self.rung, self.payer, self.amount, self.number = rung, payer, amount, number

    def settle(self, usage: Usage | None) -> None:
        """See routing.attempt.Hold."""
        if not self._is_settled:
            self._is_settled = True
            self._spending.settle(self, usage)


def payer_of(turn: Turn) -> Payer:
    """Whose money a turn costs."""
    key = turn.message.address.key
    person = Person(key.channel, key.account, turn.message.sender.id)
    return Payer(str(person), str(key), turn.turn_id, is_exempt=turn.role >= Role.ADMIN)


def pressed(query: RouteQuery, catalog: Catalog, places: Places, spending: Spending) -> RouteQuery:
    """The query with what room and money are left now.

    Where all that is left is held for others, models that cost nothing answer meanwhile; without any the question
    is let through, and waits until something is let go.
    """
    level = spending.level(query.payer)
    if spending.level(query.payer, counts_held=True) is Level.FREE and any(
        price_of(each) == 0 for each in catalog.models.values()
    ):
        level = Level.FREE
    return replace(
        query,
        full=places.pressure.full(query.latency, max(query.tokens, query.least_tokens), query.now),
        ceiling=ceiling(level, catalog),
        is_spent=level is Level.FREE,
    )
