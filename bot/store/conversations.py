"""What is remembered of conversations, channels and scopes: statements. Reads and writes of one row each."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from bot.store import sql
from bot.store.base import Conversation
from bot.store.codec import decode
from bot.store.connection import execute


def conversation(connection: sqlite3.Connection, key: str) -> Conversation:
    """Its state, a fresh one where nothing is stored."""
    row = execute(connection, sql.CONVERSATION, (key,)).fetchone()
    if row is None:
        return Conversation(key, is_new=True)
    session, choices, handle = row
    return Conversation(key, session, decode(choices), handle)


def cursor(connection: sqlite3.Connection, channel: str, account: str, name: str) -> str | None:
    """A stored cursor."""
    row = execute(connection, sql.CURSOR, (channel, account, name)).fetchone()
    return None if row is None else str(row[0])


def choices(connection: sqlite3.Connection, scope: str) -> Mapping[str, str]:
    """What is set for a scope."""
    return dict(execute(connection, sql.CHOICES, (scope,)).fetchall())
