"""How turns end and what was said: statements. Every function gets a connection inside a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from bot.store import sql
from bot.store.base import HistoryRow, Outcome, TurnRecord
from bot.store.codec import decode, encode
from bot.store.connection import execute

_CUT_EVERY = 64  # a conversation is cut back once in so many lines, not at each


def finish(
    connection: sqlite3.Connection, record: TurnRecord, detail: bytes, now: float, max_lines: int
) -> bool:
    """Write the end of a turn at the time `now`. False: it had ended before, and nothing was changed."""
    row = (
        record.turn_id,
        record.key,
        record.session,
        record.outcome.value,
        record.model,
        record.cost_usd,
        now,
        record.started_at,
        record.ended_at,
        encode(record.inbox_ids),
        encode(record.parts),
        detail,
    )
    if execute(connection, sql.END_TURN, row).rowcount == 0:
        return False
    for turn_id in record.inbox_ids:
        execute(connection, sql.MESSAGE_DONE, (turn_id,))
        if turn_id != record.turn_id:
            execute(connection, sql.MERGE_TURN, (turn_id,))
    for line in record.history:
        n = _add_line(connection, record, line, now)
        if n % _CUT_EVERY == 0 and n > max_lines:
            execute(connection, sql.CUT_HISTORY, (record.key, record.session, n - max_lines))
    return True


def history(connection: sqlite3.Connection, key: str, session: int, limit: int) -> Sequence[HistoryRow]:
    """The last `limit` lines, oldest first."""
    rows = execute(connection, sql.HISTORY, (key, session, limit)).fetchall()
    rows.reverse()
    return [
        HistoryRow(
            role=role,
            text=text,
            message_id=message_id,
            at=at,
            speaker=speaker,
            outcome=Outcome(outcome),
            turn_id=turn_id,
            note=None if note is None else decode(note),
        )
        for role, text, message_id, at, speaker, outcome, turn_id, note in rows
    ]


def turns(connection: sqlite3.Connection, key: str | None, limit: int) -> Sequence[TurnRecord]:
    """The last ended turns, newest first."""
    if key is None:
        return [_record(row) for row in connection.execute(sql.TURNS, (limit,))]
    return [_record(row) for row in execute(connection, sql.TURNS_OF, (key, limit))]


def _record(row: tuple[Any, ...]) -> TurnRecord:
    turn_id, key, session, inbox_ids, outcome, parts, model, cost_usd, started_at, ended_at, detail = row
    return TurnRecord(
        turn_id=turn_id,
        key=key,
        session=session,
        inbox_ids=tuple(decode(inbox_ids)),
        outcome=Outcome(outcome),
        parts=tuple(decode(parts)),
        model=model,
        cost_usd=cost_usd,
        started_at=started_at,
        ended_at=ended_at,
        detail=decode(detail),
    )


def _add_line(connection: sqlite3.Connection, record: TurnRecord, line: HistoryRow, now: float) -> int:
    """Add a line and return its number within conversation and session."""
    note = None if line.note is None else encode(line.note)
    row = (
        record.key,
        record.session,
        line.role,
        line.text,
        line.message_id,
        line.at,
        line.speaker,
        line.outcome.value,
        line.turn_id,
        note,
        now,
        record.key,
        record.session,
    )
    ((n,),) = execute(connection, sql.ADD_HISTORY, row).fetchall()
    return int(n)
