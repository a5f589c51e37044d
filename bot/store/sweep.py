"""Forgetting in time: old rows go a slice at a time, so that no message waits for housekeeping."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.store import access, letters, money, sql

SLICE_ROWS = 500
VACUUM_PAGES = 200
SPARE_PAGES = 256  # free pages that stay for what is written next; one megabyte
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Retention:
    """How long rows are kept, in seconds, and how many lines a session holds.

    `history`: what was said, what it cost, the choices made in a conversation where nothing was said since, and who
    was let in when by whom. `letters`: messages that were given up.

    `keys`: how long a second copy of an event is recognised. `payloads`: the messages of ended turns.
    `turns`: records of turns.
    `every`: how often the store looks for what is too old.
    """

    keys: float = 7 * _DAY
    payloads: float = 1 * _DAY
    turns: float = 40 * _DAY
    history: float = 400 * _DAY
    letters: float = 7 * _DAY
    lines: int = 1000
    every: float = 900.0

    @classmethod
    def of_days(cls, days: int) -> Retention:
        """Conversations are kept so many days; records of turns, which hold no words, as long as ever."""
        kept = days * _DAY
        usual = cls()
        return replace(
            usual,
            history=kept,
            payloads=min(usual.payloads, kept),
            letters=min(usual.letters, kept),
        )


class _Task(StrEnum):
    PAYLOADS = "payloads"
    KEYS = "keys"
    TURNS = "turns"
    HISTORY = "history"
    CONVERSATIONS = "conversations"
    LETTERS = "letters"
    ACCESS = "access"
    SPEND = "spend"
    VACUUM = "vacuum"


@dataclass(frozen=True, slots=True)
class _Slice:
    last: int
    whole: bool  # every row of it is old, so the next slice may hold old rows too


class Sweeper:
    """Walks the tables by id, oldest first. `step` does one slice and says whether there is more to do now.

    Payloads are walked on from where the last round stopped; the other rounds begin at the oldest row, which
    is where the rows to delete are. A slice is `rows` rows that are looked at in one transaction.
    """

    def __init__(self, retention: Retention, rows: int = SLICE_ROWS) -> None:
        self._rows = rows
        self._retention = retention
        self._tasks = tuple(_Task)
        self._at = 0
        self._after = 0
        self._payloads_after = 0
        self._conversations_after = ""

    def step(self, connection: sqlite3.Connection, now: float) -> bool:
        """One slice, inside a transaction. False: this round is over."""
        if self._slice(connection, now):
            return True
        self._after = 0
        self._at = (self._at + 1) % len(self._tasks)
        return self._at != 0

    def _slice(self, connection: sqlite3.Connection, now: float) -> bool:
        keep = self._retention
        match self._tasks[self._at]:
            case _Task.PAYLOADS:
                return self._drop_payloads(connection, now - keep.payloads)
            case _Task.KEYS:
                return self._drop(connection, sql.SLICE_OF_INBOX, (sql.DROP_KEYS,), now - keep.keys)
            case _Task.TURNS:
                statements = (sql.DROP_PARTS, sql.DROP_TURNS)
                return self._drop(connection, sql.SLICE_OF_TURNS, statements, now - keep.turns)
            case _Task.HISTORY:
                return self._drop(connection, sql.SLICE_OF_HISTORY, (sql.DROP_HISTORY,), now - keep.history)
            case _Task.CONVERSATIONS:
                return self._drop_conversations(connection, now - keep.history)
            case _Task.LETTERS:
                return self._drop_letters(connection, now - keep.letters)
            case _Task.ACCESS:
                return access.drop_old(connection, now - keep.history, now, self._rows)
            case _Task.SPEND:
                connection.execute(money.DROP_OLD, (int((now - max(keep.history, keep.turns)) // _DAY),))
                return False
            case _Task.VACUUM:
                return _give_back(connection)

    def _drop_payloads(self, connection: sqlite3.Connection, before: float) -> bool:
        found = self._find(connection, sql.SLICE_OF_INBOX, self._payloads_after, before)
        if found is None:
            return False
        connection.execute(sql.DROP_PAYLOADS, (self._payloads_after, found.last, before))
        if found.whole:
            self._payloads_after = found.last
        return found.whole

    def _drop_conversations(self, connection: sqlite3.Connection, before: float) -> bool:
        after = self._conversations_after
        last, count = connection.execute(sql.SLICE_OF_CONVERSATIONS, (after, self._rows)).fetchone()
        if last is not None:
            connection.execute(sql.DROP_CONVERSATIONS, (after, last, before))
        is_more = bool(count == self._rows)
        self._conversations_after = last if is_more else ""
        return is_more

    def _drop_letters(self, connection: sqlite3.Connection, before: float) -> bool:
        old = connection.execute(sql.BURIED_LONG_AGO, (before, self._rows)).fetchall()
        for (turn_id,) in old:
            letters.drop(connection, turn_id)
        return len(old) == self._rows

    def _drop(
        self, connection: sqlite3.Connection, look: str, statements: tuple[str, ...], before: float
    ) -> bool:
        found = self._find(connection, look, self._after, before)
        if found is None:
            return False
        for statement in statements:
            connection.execute(statement, (self._after, found.last, before))
        self._after = found.last
        return found.whole

    def _find(self, connection: sqlite3.Connection, look: str, after: int, before: float) -> _Slice | None:
        """The next slice, or None when there is none or nothing in it is old."""
        last, oldest, newest = connection.execute(look, (after, self._rows)).fetchone()
        return None if last is None or oldest >= before else _Slice(last, newest < before)


def _give_back(connection: sqlite3.Connection) -> bool:
    """Give free pages back to the disk. Whether there are more."""
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    for _ in range(min(VACUUM_PAGES, free - SPARE_PAGES)):
        # With a number above 1 it gives a row a page, and Python's module (3.11) stops at a row without columns.
        connection.execute("PRAGMA incremental_vacuum(1)")
    return bool(free > SPARE_PAGES + VACUUM_PAGES)
