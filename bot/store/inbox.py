"""What waits to be answered. Every function works inside a transaction of its caller."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.store import sql
from bot.store.base import PendingTurn
from bot.store.codec import decode, decode_message
from bot.store.connection import execute, execute_rows
from channels.journal import SentPart

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Turns to take up again, and the ids of those whose message could not be read, each with the reason."""

    turns: Sequence[PendingTurn]
    unreadable: Sequence[tuple[str, str]]


def add_messages(connection: sqlite3.Connection, rows: Sequence[Row]) -> Sequence[bool]:
    """Rows of channel, account, event_key, received_at, turn_id, conversation, payload, sender, attempts.

    False: a known key.
    """
    if execute_rows(connection, sql.ADD_MESSAGES, rows) == len(rows):
        added = [True] * len(rows)
    else:
        added = [_is_kept(connection, row[4]) for row in rows] if len(rows) > 1 else [False]
    turns = [(row[4], row[5], row[3]) for row, new in zip(rows, added, strict=True) if new]
    execute_rows(connection, sql.ADD_TURNS, turns)
    return added


def add_keys(connection: sqlite3.Connection, rows: Sequence[Row]) -> Sequence[bool]:
    """Rows of channel, account, event_key, received_at. False: the key is known."""
    return [execute(connection, sql.ADD_KEY, row).rowcount == 1 for row in rows]


def correct(connection: sqlite3.Connection, key: Row, turn_id: str, text: str) -> bool:
    """Change a waiting message's text, once for an event's key (channel, account, event_key, received_at)."""
    (is_new,) = add_keys(connection, [key])
    if is_new:
        execute(connection, sql.EDIT_MESSAGE, (text, turn_id))
    return is_new


def said_since(connection: sqlite3.Connection, since: float) -> Sequence[Row]:
    """Rows of channel, account, sender, conversation, and how many messages there were; of the newest 20,000."""
    return execute(connection, sql.SAID_SINCE, (since,)).fetchall()


def take_pending(connection: sqlite3.Connection) -> Waiting:
    """Every open message, oldest first; what cannot be read is set aside."""
    return _take(connection, connection.execute(sql.PENDING), connection.execute(sql.PENDING_PARTS))


def take_one(connection: sqlite3.Connection, turn_id: str) -> Waiting:
    """The same of one message; nothing when it waits no more."""
    rows = execute(connection, sql.PENDING_ONE, (turn_id,))
    return _take(connection, rows, execute(connection, sql.PENDING_PARTS_OF_ONE, (turn_id,)))


def _take(connection: sqlite3.Connection, rows: Iterable[Row], shown: Iterable[Row]) -> Waiting:
    parts = _parts(shown)
    turns: list[PendingTurn] = []
    unreadable: list[tuple[str, str]] = []
    joined: dict[str, Sequence[str]] = {}
    for turn_id, payload, edited, received_at, attempts, errors, text, state, inbox_ids in rows:
        try:
            message = decode_message(payload)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            unreadable.append((turn_id, f"{type(error).__name__}: {error}"))
            continue
        joined[turn_id] = decode(inbox_ids) if inbox_ids is not None else ()
        turns.append(
            PendingTurn(
                turn_id=turn_id,
                message=message if edited is None else replace(message, text=edited),
                received_at=received_at,
                attempts=attempts,
                errors=errors,
                parts=tuple(parts.get(turn_id, ())),
                text=text,
                is_final=state == "final",
            )
        )
    for turn_id, reason in unreadable:
        execute(connection, sql.BURY, (f"the stored message cannot be read: {reason}", turn_id))
    return Waiting(_together(turns, joined), unreadable)


def _together(turns: Sequence[PendingTurn], joined: Mapping[str, Sequence[str]]) -> list[PendingTurn]:
    """What was being answered together stays together: it may have been answered, or called something, already."""
    by_id = {each.turn_id: each for each in turns}
    merged = {
        each.turn_id: tuple(
            by_id[other] for other in joined[each.turn_id] if other in by_id and not joined[other]
        )
        for each in turns
    }
    taken = {other.turn_id for others in merged.values() for other in others}
    return [replace(each, merged=merged[each.turn_id]) for each in turns if each.turn_id not in taken]


def _is_kept(connection: sqlite3.Connection, turn_id: str) -> bool:
    return execute(connection, sql.KEPT_MESSAGE, (turn_id,)).fetchone() is not None


def _parts(rows: Iterable[Row]) -> dict[str, list[SentPart]]:
    parts: dict[str, list[SentPart]] = defaultdict(list)
    for turn_id, part, message_id, send_key, text in rows:
        parts[turn_id].append(SentPart(part, message_id, send_key, text or ""))
    return parts
