"""Breaks the circle in which two bots answer each other, where the channel does not say who is a bot. Pure, in memory.

The rule: a message that follows an answer of ours counts as instant when it comes within `REFLEX` seconds after
that answer stood there, or when it is longer than anybody types in the time since (`TYPING` characters a second;
the fastest typists sustain about 12). A bot may answer the first words of ours that it sees: while an answer grows
the time runs from these, for the first message that comes. `TURNS` instant messages of one sender in one
conversation in a row, with none at the pace of a person between, and we are silent towards that sender there for
`SILENCE` seconds. So of two bots that face each other each says at most eleven messages. What somebody writes
before there is anything to see counts neither way, nor does more beside an answer that grows, nor do buttons and
commands, so whoever types fast, sends three lines at once or pastes a page does not trip it: one answer that they
read for longer than two seconds begins the count anew.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum

REFLEX = 2.0
TYPING = 15.0
TURNS = 10
SILENCE = 600.0
MAX_REMEMBERED = 10_000
"""Conversations, and senders in them, that are remembered; beyond that the oldest are forgotten."""


class Pace(StrEnum):
    """What a message is taken for."""

    PERSON = "person"
    LOOP = "loop"  # the one with which a circle is found
    SILENCED = "silenced"  # one that comes while we are silent


@dataclass(slots=True)
class _Streak:
    instant: int = 0
    silent_until: float = 0.0


@dataclass(slots=True)
class Loops:
    """Who answers us at once, and how often. Times are monotonic seconds."""

    _answered: OrderedDict[str, float] = field(default_factory=OrderedDict)
    _growing: OrderedDict[str, float] = field(default_factory=OrderedDict)
    _streaks: OrderedDict[tuple[str, str], _Streak] = field(default_factory=OrderedDict)

    def answered(self, conversation: str, now: float) -> None:
        """An answer of ours stands there."""
        _keep(self._answered, conversation, now)

    def said(
        self, conversation: str, sender: str, length: int, now: float, shown_at: float | None = None
    ) -> Pace:
        """Somebody wrote `length` characters. `shown_at`: when the first of an answer that still grows was seen."""
        streak = self._streaks.get((conversation, sender))
        if streak is not None and streak.silent_until > now:
            return Pace.SILENCED
        since = self._answered.pop(conversation, None)
        if shown_at is not None:
            is_looked_at = self._growing.get(conversation) == shown_at
            _keep(self._growing, conversation, shown_at)
            since = None if is_looked_at else shown_at
        if since is None:
            return Pace.PERSON
        took = now - since
        if took > REFLEX and length <= TYPING * took:
            self._streaks.pop((conversation, sender), None)
            return Pace.PERSON
        streak = self._streaks.setdefault((conversation, sender), _Streak())
        self._streaks.move_to_end((conversation, sender))
        if len(self._streaks) > MAX_REMEMBERED:
            self._streaks.popitem(last=False)
        streak.instant += 1
        if streak.instant < TURNS:
            return Pace.PERSON
        streak.instant, streak.silent_until = 0, now + SILENCE
        return Pace.LOOP


def _keep(kept: OrderedDict[str, float], conversation: str, at: float) -> None:
    kept[conversation] = at
    kept.move_to_end(conversation)
    if len(kept) > MAX_REMEMBERED:
        kept.popitem(last=False)
