"""Dead letters: messages that were given up, kept for the owner to look at, to try again or to drop.

The writing functions work inside a transaction of their caller.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from bot.store import sql
from bot.store.codec import decode_message
from bot.store.connection import execute

MAX_LISTED = 1000


@dataclass(frozen=True, slots=True)
class Letter:
    """One of them. `sender`, `speaker` and `text` are None where the message is gone or cannot be read.

    `received_at`: seconds since the epoch. `answer`: what is known of the answer, "" where nothing is.
    """

    turn_id: str
    conversation: str
    received_at: float
    attempts: int
    errors: int
    reason: str
    sender: str | None
    speaker: str | None
    text: str | None
    answer: str


def letters(connection: sqlite3.Connection, limit: int = MAX_LISTED) -> Sequence[Letter]:
    """The newest ones, newest first."""
    found = []
    for turn_id, key, payload, edited, received_at, attempts, errors, reason, answer in execute(
        connection, sql.DEAD, (limit,)
    ):
        sender = speaker = text = None
        try:
            message = decode_message(payload or b"{}")
        except (ValueError, KeyError, TypeError, AttributeError):
            pass  # that may be why it is here
        else:
            sender, speaker = message.sender.id, message.sender.name
            text = message.text if edited is None else edited
        found.append(
            Letter(
                turn_id=turn_id or "",
                conversation=key or "",
                received_at=received_at,
                attempts=attempts,
                errors=errors,
                reason=reason or "",
                sender=sender,
                speaker=speaker,
                text=text,
                answer=answer or "",
            )
        )
    return found


def bury(connection: sqlite3.Connection, turn_id: str, why: str, *, keeps: bool) -> None:
    """Set a waiting message aside. Without `keeps`, what was shown of its answer and in which messages is forgotten."""
    if execute(connection, sql.BURY, (why, turn_id)).rowcount and not keeps:
        execute(connection, sql.BEGIN_ANEW, (turn_id,))
        execute(connection, sql.DROP_PARTS_OF_ONE, (turn_id,))


def revive(connection: sqlite3.Connection, turn_id: str, now: float) -> bool:
    """Let it wait to be answered again, as if it had come at the time `now`. False: there is no such letter."""
    return execute(connection, sql.REVIVE, (now, turn_id)).rowcount == 1


def drop(connection: sqlite3.Connection, turn_id: str) -> bool:
    """Forget it, but for the key of its event. False: there is no such letter."""
    if execute(connection, sql.DROP_LETTER, (turn_id,)).rowcount != 1:
        return False
    execute(connection, sql.DROP_PARTS_OF_ONE, (turn_id,))
    execute(connection, sql.DROP_TURN, (turn_id,))
    return True
