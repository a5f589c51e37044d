"""The kinds of write, in the order in which a batch is written: a message, its parts, its text, its end."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from bot.store import inbox, money, turns
from bot.store.connection import execute
from bot.store.writer import Kind


def _statements(
    connection: sqlite3.Connection, rows: Sequence[tuple[str, tuple[Any, ...]]]
) -> Sequence[None]:
    for statement, values in rows:
        execute(connection, statement, values)
    return [None] * len(rows)


def _calls(
    connection: sqlite3.Connection, rows: Sequence[Callable[[sqlite3.Connection], Any]]
) -> Sequence[Any]:
    return [call(connection) for call in rows]


def finishing(max_lines: int) -> Kind:
    """Ends of turns; sessions are cut back to `max_lines`."""
    return Kind("finish", 6, functools.partial(turns.finish, max_lines=max_lines))


ADD_MESSAGE = Kind("add message", 0, inbox.add_messages, urgent=True, essential=False)
ADD_KEY = Kind("add key", 1, inbox.add_keys, urgent=True, essential=False, alone=True)
PART_SENT = Kind("part sent", 3, turns.parts_sent, alone=True)
PROGRESS = Kind("progress", 4, turns.progress, essential=False, alone=True, patient=True)
FINAL = Kind("final", 5, turns.final, urgent=True, alone=True)
HOLD = Kind("hold", 2, money.hold, rides=True)
CHARGE = Kind("charge", 3, money.charge, rides=True)
STATEMENT = Kind("statement", 7, _statements, alone=True)
CALL = Kind("call", 8, _calls, urgent=True)
SWEEP = Kind("sweep", 9, _calls, essential=False)
