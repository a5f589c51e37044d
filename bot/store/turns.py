"""How answers grow and end, and what was said. The writing functions work inside their caller's transaction."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from bot.exchange import Exchange
from bot.store import sql
from bot.store.base import Conversation, HistoryRow, Outcome, TurnRecord
from bot.store.codec import decode, encode_text
from bot.store.connection import execute, execute_rows
from bot.store.conversations import conversation

Row = tuple[Any, ...]

_CUT_ONE_IN = 32  # conversations are cut back at one turn in so many, chosen by the turn's id
_LATE = 0.5  # seconds; a turn's end is handed over as it is shown, and again a second later where the disk was full
_AT, _TURN, _ADDED = 3, 6, 9  # places in a row of sql.HISTORY


@dataclass(frozen=True, slots=True)
class Ending:
    """A turn's end as rows, made where the record is at hand."""

    turn: Row
    inbox_ids: tuple[str, ...]
    history: tuple[Row, ...]


class EndedBeforeError(Exception):
    """One of several turns had ended before; each has to be written for itself."""


def ending(record: TurnRecord, now: float) -> Ending:
    """The rows of a record that is kept at the time `now`."""
    return Ending(
        turn=(
            record.turn_id,
            record.key,
            record.session,
            record.outcome.value,
            record.model,
            record.cost_usd,
            now,
            record.started_at,
            record.ended_at,
            encode_text(record.inbox_ids),
            encode_text(record.parts),
            encode_text(record.detail),
        ),
        inbox_ids=record.inbox_ids,
        history=tuple([_line(record, line, now) for line in record.history]),
    )


def parts_sent(connection: sqlite3.Connection, rows: Sequence[Row]) -> Sequence[None]:
    """Rows of turn_id, part, send_key, message_id, text."""
    execute_rows(connection, sql.PARTS_SENT, rows)
    return [None] * len(rows)


def progress(connection: sqlite3.Connection, rows: Sequence[Row]) -> Sequence[None]:
    """Rows of turn_id, text; the last one for a turn counts."""
    execute_rows(connection, sql.PROGRESS, tuple(dict(rows).items()))
    return [None] * len(rows)


def final(connection: sqlite3.Connection, rows: Sequence[Row]) -> Sequence[None]:
    """Rows of turn_id, text; the last one for a turn counts."""
    execute_rows(connection, sql.FINAL, tuple(dict(rows).items()))
    return [None] * len(rows)


def finish(connection: sqlite3.Connection, endings: Sequence[Ending], max_lines: int) -> Sequence[None]:
    """Write the ends of turns. An end that is known already changes nothing.

    Raises EndedBeforeError when it is given several and one of them is known.
    """
    if execute_rows(connection, sql.END_TURNS, [one.turn for one in endings]) < len(endings):
        if len(endings) > 1:
            raise EndedBeforeError
        return [None]
    answered = [(turn_id,) for one in endings for turn_id in one.inbox_ids]
    execute_rows(connection, sql.MESSAGES_DONE, answered)
    if len(answered) > len(endings):
        ended = {one.turn[0] for one in endings}
        execute_rows(connection, sql.MERGE_TURNS, [row for row in answered if row[0] not in ended])
    execute_rows(connection, sql.ADD_HISTORY, [line for one in endings for line in one.history])
    for one in endings:
        turn_id, key, session = one.turn[:3]
        if crc32(turn_id.encode(errors="replace")) % _CUT_ONE_IN == 0:
            execute(connection, sql.CUT_HISTORY, (key, session, key, session, max_lines))
    return [None] * len(endings)


def history(connection: sqlite3.Connection, key: str, session: int, limit: int) -> Sequence[HistoryRow]:
    """The last `limit` lines, oldest first."""
    (found,) = execute(connection, sql.HISTORY, (key, session, limit)).fetchone()
    return [
        HistoryRow(
            role=role,
            text=text,
            message_id=message_id,
            at=float(at),
            speaker=speaker,
            outcome=Outcome(outcome),
            turn_id=turn_id,
            note=None if note is None else decode(note),
            exchange=None if exchange is None else Exchange.from_plain(decode(exchange)),
        )
        for role, text, message_id, at, speaker, outcome, turn_id, note, exchange, _ in _as_said(
            decode(found)
        )
    ]


def opened(connection: sqlite3.Connection, key: str, limit: int) -> tuple[Conversation, Sequence[HistoryRow]]:
    """The conversation and the last `limit` lines of its session, oldest first."""
    state = conversation(connection, key)
    return state, history(connection, key, state.session, limit)


def _as_said(newest_first: Sequence[Row]) -> list[Row]:
    """Lines as they were said, oldest first: a turn whose end was kept late goes before what was shown after it."""
    turns: list[list[Row]] = []
    for _, lines in itertools.groupby(reversed(newest_first), key=lambda line: line[_TURN]):
        turn = list(lines)
        place = len(turns)
        if turn[-1][_ADDED] - _shown(turn) > _LATE:
            while place and _shown(turns[place - 1]) > _shown(turn):
                place -= 1
        turns.insert(place, turn)
    return [line for turn in turns for line in turn]


def _shown(turn: Sequence[Row]) -> float:
    return float(turn[-1][_AT])


def turns(connection: sqlite3.Connection, key: str | None, limit: int) -> Sequence[TurnRecord]:
    """The last ended turns, newest first."""
    if key is None:
        return [_record(row) for row in connection.execute(sql.TURNS, (limit,))]
    return [_record(row) for row in execute(connection, sql.TURNS_OF, (key, limit))]


def _line(record: TurnRecord, line: HistoryRow, now: float) -> Row:
    return (
        record.key,
        record.session,
        line.role,
        line.text,
        line.message_id,
        line.at,
        line.speaker,
        line.outcome.value,
        line.turn_id,
        None if line.note is None else encode_text(line.note),
        now,
        None if line.exchange is None else encode_text(line.exchange.to_plain()),
        record.sender,
    )


def _record(row: Row) -> TurnRecord:
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
