"""What models cost, summed by day, model, person and conversation; and what was held for requests that a crash ended.

The functions work inside a transaction of their caller.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bot.store.connection import execute

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Charge:
    """What one request cost. `day`: since 1970, UTC. `sender`: a person as CHANNEL:ACCOUNT:ID, "" for nobody's.

    `hold`: what was held for it is let go with it.
    """

    day: int
    model: str
    sender: str
    conversation: str
    usd: float
    hold: int | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A request that begins: what its prompt costs, and a token of its answer. `hold`: its number in this process."""

    hold: int
    turn_id: str
    day: int
    model: str
    sender: str
    conversation: str
    prompt_usd: float
    token_usd: float


@dataclass(frozen=True, slots=True)
class Spent:
    """US dollars of a day and of its month so far, and of each person and conversation on that day."""

    day: float = 0.0
    month: float = 0.0
    senders: Mapping[str, float] = field(default_factory=dict)
    conversations: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cost:
    """One model on one day. `requests`: those whose cost is known."""

    day: int
    model: str
    usd: float
    requests: int

    def plain(self) -> dict[str, Any]:
        """As values, the day as YYYY-MM-DD."""
        day = datetime.fromtimestamp(self.day * 86_400, UTC)
        return {"day": f"{day:%Y-%m-%d}", "model": self.model, "usd": self.usd, "requests": self.requests}


def charge(connection: sqlite3.Connection, charges: Sequence[Charge]) -> Sequence[None]:
    """Add to the sums, and forget what was held."""
    sums: defaultdict[Row, list[float]] = defaultdict(lambda: [0.0, 0])
    for each in charges:
        if each.usd > 0:
            found = sums[each.day, each.model, each.sender, each.conversation]
            found[0] += each.usd
            found[1] += 1
        if each.hold is not None:
            execute(connection, _LET_GO, (each.hold,))
    for key, (usd, requests) in sums.items():
        execute(connection, _ADD, (*key, usd, requests))
    return [None] * len(charges)


def hold(connection: sqlite3.Connection, holds: Sequence[Held]) -> Sequence[None]:
    """Remember what requests may cost."""
    for each in holds:
        values = (each.turn_id, each.day, each.model, each.sender, each.conversation)
        execute(connection, _HOLD, (each.hold, *values, each.prompt_usd, each.token_usd))
    return [None] * len(holds)


def take_up(connection: sqlite3.Connection, day: int, month_began: int) -> Spent:
    """What was spent before this start; what a crash ended counts as far as its answer is known to have come."""
    connection.execute(_CHARGE_HELD)
    connection.execute("DELETE FROM held")
    (today,) = execute(connection, _SUM, (day, day)).fetchone()
    (month,) = execute(connection, _SUM, (month_began, day)).fetchone()
    return Spent(
        today,
        month,
        dict(execute(connection, _SENDERS, (day,)).fetchall()),
        dict(execute(connection, _CONVERSATIONS, (day,)).fetchall()),
    )


def costs(connection: sqlite3.Connection, since: int, conversation: str | None = None) -> Sequence[Cost]:
    """By day and model, newest day and dearest model first. `since`: the first day; `conversation`: only there."""
    if conversation is None:
        return [Cost(*row) for row in execute(connection, _COSTS, (since,))]
    return [Cost(*row) for row in execute(connection, _COSTS_THERE, (since, conversation))]


def of_person(connection: sqlite3.Connection, sender: str) -> Sequence[Mapping[str, Any]]:
    """What is kept of one person, as plain values, oldest first."""
    rows = execute(connection, _COSTS_OF, (sender,))
    return [{"conversation": where, **Cost(*row).plain()} for where, *row in rows]


def forget(connection: sqlite3.Connection, sender: str, conversations: Sequence[str]) -> None:
    """Leave the sums, without whose they were. `conversations`: those that are forgotten as a whole."""
    for statement in (_HELD_OF_NOBODY, _SPENT_OF_NOBODY, _DROP_SPENT_OF):
        execute(connection, statement, (sender,))
    for each in conversations:
        for statement in (_HELD_NOWHERE, _SPENT_NOWHERE, _DROP_SPENT_THERE):
            execute(connection, statement, (each,))


_ONTO = """ON CONFLICT (day, model, sender, conversation) DO UPDATE
    SET usd = spend.usd + excluded.usd, requests = spend.requests + excluded.requests"""
_ADD = f"""INSERT INTO spend (day, model, sender, conversation, usd, requests)
    VALUES (?, ?, ?, ?, ?, ?) {_ONTO}"""  # noqa: S608 - our own words
_HOLD = """INSERT INTO held (hold, turn_id, day, model, sender, conversation, prompt_usd, token_usd)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (hold) DO NOTHING"""
_LET_GO = "DELETE FROM held WHERE hold = ?"
# Four characters to a token, as where a request is cancelled (routing.attempt).
_CHARGE_HELD = f"""INSERT INTO spend (day, model, sender, conversation, usd, requests)
    SELECT held.day, held.model, held.sender, held.conversation,
        sum(held.prompt_usd + (length(coalesce(turn.text, '')) + 3) / 4 * held.token_usd), count(*)
    FROM held LEFT JOIN turn ON turn.turn_id = held.turn_id WHERE true
    GROUP BY held.day, held.model, held.sender, held.conversation {_ONTO}"""  # noqa: S608 - our own words
_SUM = "SELECT coalesce(sum(usd), 0.0) FROM spend WHERE day >= ? AND day <= ?"
_SENDERS = "SELECT sender, sum(usd) FROM spend WHERE day = ? AND sender <> '' GROUP BY sender"
_CONVERSATIONS = (
    "SELECT conversation, sum(usd) FROM spend WHERE day = ? AND conversation <> '' GROUP BY conversation"
)
_COSTS = """SELECT day, model, sum(usd), sum(requests) FROM spend WHERE day >= ?
    GROUP BY day, model ORDER BY day DESC, sum(usd) DESC, model"""
_COSTS_THERE = """SELECT day, model, sum(usd), sum(requests) FROM spend WHERE day >= ? AND conversation = ?
    GROUP BY day, model ORDER BY day DESC, sum(usd) DESC, model"""
_COSTS_OF = """SELECT conversation, day, model, usd, requests FROM spend WHERE sender = ?
    ORDER BY day, model, conversation"""
_HELD_OF_NOBODY = "UPDATE held SET sender = '' WHERE sender = ?"
_HELD_NOWHERE = "UPDATE held SET conversation = '' WHERE conversation = ?"
_SPENT_OF_NOBODY = f"""INSERT INTO spend (day, model, sender, conversation, usd, requests)
    SELECT day, model, '', conversation, sum(usd), sum(requests) FROM spend WHERE sender = ?
    GROUP BY day, model, conversation {_ONTO}"""  # noqa: S608 - our own words
_DROP_SPENT_OF = "DELETE FROM spend WHERE sender = ?"
_SPENT_NOWHERE = f"""INSERT INTO spend (day, model, sender, conversation, usd, requests)
    SELECT day, model, sender, '', sum(usd), sum(requests) FROM spend WHERE conversation = ?
    GROUP BY day, model, sender {_ONTO}"""  # noqa: S608 - our own words
_DROP_SPENT_THERE = "DELETE FROM spend WHERE conversation = ?"
DROP_OLD = "DELETE FROM spend WHERE day < ?"
