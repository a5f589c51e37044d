"""What waits to be answered: statements of the inbox. Every function gets a connection inside a transaction."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.store import sql
from bot.store.base import PendingTurn
from bot.store.codec import decode_message
from bot.store.connection import execute
from channels.journal import SentPart


@dataclass(frozen=True, slots=True)
class Waiting:
    """Turns to take up again, and the ids of those whose message could not be read, each with the reason."""

    turns: Sequence[PendingTurn]
    unreadable: Sequence[tuple[str, str]]


def add_message(connection: sqlite3.Connection, row: tuple[object, ...]) -> bool:
    """`row`: channel, account, event_key, received_at, turn_id, conversation, payload. False: the key is known."""
    if execute(connection, sql.ADD_MESSAGE, row).rowcount == 0:
        return False
    _, _, _, received_at, turn_id, conversation, _ = row
    execute(connection, sql.ADD_TURN, (turn_id, conversation, received_at))
    return True


def add_key(connection: sqlite3.Connection, row: tuple[object, ...]) -> bool:
    """`row`: channel, account, event_key, received_at. False: the key is known."""
    return execute(connection, sql.ADD_KEY, row).rowcount == 1


def take_pending(connection: sqlite3.Connection) -> Waiting:
    """Raise every open message's attempts and return them, oldest first; what cannot be read is set aside."""
    connection.execute(sql.RAISE_ATTEMPTS)
    parts = _parts(connection)
    turns: list[PendingTurn] = []
    unreadable: list[tuple[str, str]] = []
    for turn_id, payload, edited, received_at, attempts, text, state in connection.execute(sql.PENDING):
        try:
            message = decode_message(payload)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            unreadable.append((turn_id, f"{type(error).__name__}: {error}"))
            continue
        turns.append(
            PendingTurn(
                turn_id=turn_id,
                message=message if edited is None else replace(message, text=edited),
                received_at=received_at,
                attempts=attempts,
                parts=tuple(parts.get(turn_id, ())),
                text=text,
                is_final=state == "final",
            )
        )
    for turn_id, reason in unreadable:
        execute(connection, sql.MESSAGE_DEAD, (f"the stored message cannot be read: {reason}", turn_id))
    return Waiting(turns, unreadable)


def _parts(connection: sqlite3.Connection) -> dict[str, list[SentPart]]:
    parts: dict[str, list[SentPart]] = defaultdict(list)
    for turn_id, part, message_id, send_key, text in connection.execute(sql.PENDING_PARTS):
        parts[turn_id].append(SentPart(part, message_id, send_key, text or ""))
    return parts
