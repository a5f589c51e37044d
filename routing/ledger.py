"""Who may still spend what: caps for all, each person and conversation, less what running requests may cost. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from routing.spend import DAY, Budget, Level, Purse, day_of, month_of, next_month

MOST_PAYERS = 50_000
"""People, and conversations, whose day is summed; of more, those that paid longest ago begin anew."""

_NANO = 1_000_000_000
_EVERYBODY = ""


class Cap(StrEnum):
    """Whose money it is that may not be overspent."""

    DAY = "day"
    MONTH = "month"
    SENDER = "sender"  # one person's on a day
    CONVERSATION = "conversation"  # one conversation's on a day


@dataclass(frozen=True, slots=True)
class Payer:
    """For whom a model is asked: a person as CHANNEL:ACCOUNT:ID, a conversation's key; "" for nobody in particular.

    `is_exempt`: only the day's and the month's caps hold; so it is for owners.
    """

    sender: str = ""
    conversation: str = ""
    turn_id: str = ""
    is_exempt: bool = False


NOBODY = Payer()


@dataclass(frozen=True, slots=True)
class Caps:
    """US dollars, infinite for no cap. `per_sender`, `per_conversation`: on a day. `soft`, `hard`: as of Budget."""

    per_day: float = math.inf
    per_month: float = math.inf
    per_sender: float = math.inf
    per_conversation: float = math.inf
    soft: float = 0.8
    hard: float = 1.0

    def of(self, cap: Cap) -> Budget:
        """The budget behind a cap."""
        amounts = {
            Cap.DAY: self.per_day,
            Cap.MONTH: self.per_month,
            Cap.SENDER: self.per_sender,
            Cap.CONVERSATION: self.per_conversation,
        }
        return Budget(amounts[cap], self.soft, self.hard)


@dataclass(frozen=True, slots=True)
class Stop:
    """Why nothing that costs money may be asked now. `usd`: the cap; `until`: seconds since 1970.

    `is_held`: it is not spent, but what is left is held for requests that run.
    """

    cap: Cap
    usd: float
    until: float
    is_held: bool


@dataclass(slots=True)
class Ledger:
    """What was spent and is held, for all and for each payer. `wall`: seconds since 1970, for every method.

    A request may begin while anything is left besides what is held, so that the caps are overspent by one request at
    most, as long as none costs more than was held for it. Held amounts are whole billionths of a dollar: what is
    let go again leaves exactly nothing.
    """

    caps: Caps = Caps()
    day: Purse = field(default_factory=Purse)
    month: Purse = field(default_factory=lambda: Purse(period=month_of))
    _payers: dict[tuple[Cap, str], Purse] = field(default_factory=dict)
    _held: Counter[tuple[Cap, str]] = field(default_factory=Counter)

    def recall(self, day: float, month: float, payers: Mapping[tuple[Cap, str], float], wall: float) -> None:
        """What was spent before the start."""
        self.day.add(day, wall)
        self.month.add(month, wall)
        for key, usd in payers.items():
            self._pay(key, usd, wall)

    def add(self, payer: Payer, usd: float, wall: float) -> None:
        """A request cost so much."""
        self.day.add(usd, wall)
        self.month.add(usd, wall)
        for key in _own(payer):
            self._pay(key, usd, wall)

    def hold(self, payer: Payer, usd: float) -> int:
        """Hold the most that a request may cost; what `let_go` takes."""
        amount = math.ceil(usd * _NANO)
        for key in _keys(payer):
            self._held[key] += amount
        return amount

    def let_go(self, payer: Payer, amount: int) -> None:
        """The request is over."""
        for key in _keys(payer):
            self._held[key] -= amount
            if not self._held[key]:
                del self._held[key]

    def forget(self, sender: str, conversations: Iterable[str]) -> None:
        """Somebody is to be unknown; what all have spent stays."""
        self._payers.pop((Cap.SENDER, sender), None)
        for each in conversations:
            self._payers.pop((Cap.CONVERSATION, each), None)

    def spent(self, cap: Cap, payer: Payer, wall: float) -> float:
        """US dollars so far in the period of the cap."""
        if cap is Cap.DAY:
            return self.day.today(wall)
        if cap is Cap.MONTH:
            return self.month.today(wall)
        purse = self._payers.get((cap, payer.sender if cap is Cap.SENDER else payer.conversation))
        return purse.today(wall) if purse is not None else 0.0

    def held(self, cap: Cap = Cap.DAY, payer: Payer = NOBODY) -> float:
        """US dollars held for running requests."""
        return self._held[_key(cap, payer)] / _NANO if _key(cap, payer) in self._held else 0.0

    def level(self, payer: Payer, wall: float, *, counts_held: bool = False) -> Level:
        """How far spending is held down for a payer: as the tightest of the caps says."""
        steps = (
            self.caps.of(cap).level(
                self.spent(cap, payer, wall) + (self.held(cap, payer) if counts_held else 0.0)
            )
            for cap in _caps(payer)
        )
        return max(steps)

    def stop(self, payer: Payer, wall: float) -> Stop | None:
        """The cap that keeps a payer from everything that costs money, None while there is anything left."""
        found: list[Stop] = []
        for cap in _caps(payer):
            budget = self.caps.of(cap)
            if math.isinf(budget.per_day):
                continue
            spent, most = self.spent(cap, payer, wall), budget.per_day * budget.hard
            if spent + self.held(cap, payer) >= most:
                until = next_month(wall) if cap is Cap.MONTH else float((day_of(wall) + 1) * DAY)
                found.append(Stop(cap, budget.per_day, until, is_held=spent < most))
        return max(found, key=lambda each: (not each.is_held, each.until), default=None)

    def _pay(self, key: tuple[Cap, str], usd: float, wall: float) -> None:
        if usd <= 0 or math.isinf(self.caps.of(key[0]).per_day):
            return
        purse = self._payers.pop(key, None) or Purse()
        purse.add(usd, wall)
        self._payers[key] = purse
        while len(self._payers) > MOST_PAYERS:
            self._payers.pop(next(iter(self._payers)))


def _caps(payer: Payer) -> list[Cap]:
    caps = [Cap.DAY, Cap.MONTH]
    if not payer.is_exempt:
        caps += [cap for cap, _ in _own(payer)]
    return caps


def _own(payer: Payer) -> list[tuple[Cap, str]]:
    own = ((Cap.SENDER, payer.sender), (Cap.CONVERSATION, payer.conversation))
    return [(cap, name) for cap, name in own if name]


def _key(cap: Cap, payer: Payer) -> tuple[Cap, str]:
    names = {Cap.SENDER: payer.sender, Cap.CONVERSATION: payer.conversation}
    return cap, names.get(cap, _EVERYBODY)


def _keys(payer: Payer) -> list[tuple[Cap, str]]:
    return [(Cap.DAY, _EVERYBODY), (Cap.MONTH, _EVERYBODY), *_own(payer)]
