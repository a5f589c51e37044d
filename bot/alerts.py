"""What the owner should be told, kept back so that no kind of it is told too often.

Whatever notices something calls `raise_`, from the loop's thread, and goes on at once; bot.messenger takes what is due
and says it. Alerts are a convenience: they are held in memory, and the log has the same in full.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

COOLDOWN = 900.0
"""Seconds between two alerts of one kind (the cooldown that openclaw issue 35288 asks for, 2026-11)."""

MAX_TEXT = 500
"""Characters of one alert; the log has the rest."""


class Kind(StrEnum):
    """What an alert is about. Each kind has a cooldown of its own."""

    MODELS = "models"  # nobody answered: every model that was asked failed
    CREDENTIAL = "credential"  # a provider refused a key
    BUDGET = "budget"  # a part of the money is spent
    SET_ASIDE = "set-aside"  # a message became a dead letter
    CHANNEL = "channel"  # an account is not connected, for longer than passes by itself
    DISK = "disk"  # the store cannot be written
    STUCK = "stuck"  # an answer had to be broken off by the watchdog
    SECURITY = "security"  # somebody tries what they may not


ALL = frozenset(Kind)


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to say. `held`: how many more of its kind were raised since the last one was taken."""

    kind: Kind
    text: str
    held: int = 0


@dataclass(slots=True)
class _Held:
    text: str = ""
    count: int = 0
    quiet_until: float = 0.0


class Alerts:
    """Takes alerts at any time, gives each kind out at most once in `cooldown` seconds of `clock`, the newest text."""

    def __init__(
        self, clock: Callable[[], float], cooldown: float = COOLDOWN, kinds: Collection[Kind] = ALL
    ) -> None:
        self._clock = clock
        self._cooldown = cooldown
        self._held = {kind: _Held() for kind in kinds}
        self._woken = asyncio.Event()

    def raise_(self, kind: Kind, text: str) -> None:
        """Have the owner told. Never waits, never raises. `text`: one plain sentence without secrets.

        No word of a person's message belongs into it: the owner of a bot need not be who wrote it.
        """
        if kind in self._held:
            held = self._held[kind]
            held.text, held.count = text[:MAX_TEXT], held.count + 1
            self._woken.set()

    def due(self) -> Sequence[Alert]:
        """Take what may be told now."""
        now, due = self._clock(), []
        for kind, held in self._held.items():
            if held.count and held.quiet_until <= now:
                due.append(Alert(kind, held.text, held.count - 1))
                self._held[kind] = _Held(quiet_until=now + self._cooldown)
        return due

    async def next(self) -> Sequence[Alert]:
        """Wait until something is due, and take it."""
        while not (due := self.due()):
            waiting = [held.quiet_until for held in self._held.values() if held.count]
            self._woken.clear()
            try:
                async with asyncio.timeout(min(waiting) - self._clock() if waiting else None):
                    await self._woken.wait()
            except TimeoutError:
                continue
        return due


def teller(alerts: Alerts, kind: Kind, word: Callable[[str], str]) -> Callable[[str], None]:
    """For a thread that cannot do more than call something with a reason. Made in the loop's thread."""
    loop = asyncio.get_running_loop()

    def tell(reason: str) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is told any more
            loop.call_soon_threadsafe(alerts.raise_, kind, word(reason))

    return tell
