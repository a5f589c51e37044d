"""What is kept of one person: found, handed out, forgotten. Seldom asked for, so it may walk through tables.

A person's lines and the answers to them know whose they are (history.sender, inbox.sender). A conversation in which
nobody else is known to have spoken is the person's own and goes as a whole. What others said of them in a group, and
what a model answered to others, is not found. The functions work inside a transaction of their caller, but for `scrub`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from bot.errors import BotError
from bot.store import money, sql
from bot.store.codec import decode
from bot.store.connection import execute
from channels.events import ConversationKey


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody as one account of a channel knows them."""

    channel: str
    account: str
    sender: str

    @classmethod
    def parse(cls, text: str) -> Person:
        """Of CHANNEL:ACCOUNT:ID; what follows the second colon is the id, whatever it holds. Raises BotError."""
        parts = text.split(":", 2)
        if len(parts) < 3 or not all(parts):
            raise BotError(f"{text!r} names no person; write CHANNEL:ACCOUNT:ID, the id as /whoami shows it")
        return cls(*parts)

    def __str__(self) -> str:
        return f"{self.channel}:{self.account}:{self.sender}"

    @property
    def prefix(self) -> str:
        """What the keys of all conversations of this account begin with."""
        return str(ConversationKey(self.channel, self.account, ""))


@dataclass(frozen=True, slots=True)
class Traces:
    """Where a person is found. `own`: conversations of theirs alone; `shared`: others speak there too."""

    own: Sequence[str]
    shared: Sequence[str]
    waiting: int
    """Messages that are not answered yet."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much went. `own`: the conversations that went as a whole. `access`: rows of who was let in when by whom."""

    messages: int
    lines: int
    turns: int
    own: Sequence[str]
    shared: Sequence[str]
    access: int = 0


def traces(connection: sqlite3.Connection, person: Person) -> Traces:
    """Where the person is found."""
    lines = execute(connection, _THEIR_KEYS, (person.sender,)).fetchall()
    who = (person.sender, person.channel, person.account)
    lines += execute(connection, _THEIR_MESSAGE_KEYS, who).fetchall()
    keys = sorted({key for (key,) in lines if key is not None and key.startswith(person.prefix)})
    own = [key for key in keys if not _has_others(connection, key, person.sender)]
    (waiting,) = execute(connection, _THEIR_WAITING, who).fetchone()
    return Traces(own, [key for key in keys if key not in set(own)], waiting)


def export(connection: sqlite3.Connection, person: Person) -> Mapping[str, Any]:
    """Everything that is kept of the person, as plain values. Times are seconds since the epoch."""
    found = traces(connection, person)
    who = (person.sender, person.channel, person.account)
    lines: list[dict[str, Any]] = []
    for key in (*found.own, *found.shared):
        senders = (person.sender, "") if key in found.own else (person.sender, person.sender)
        rows = execute(connection, _LINES, (key, *senders)).fetchall()
        lines += [dict(zip(_LINE_NAMES, (key, *row), strict=True)) for row in rows]
    messages = [
        {
            "conversation": key,
            "state": state,
            "received_at": received_at,
            "message": decode(payload),
            "edited": edited,
            "answer": text or "",
        }
        for key, state, received_at, payload, edited, text in execute(connection, _MESSAGES, who)
    ]
    conversations = []
    for key in found.own:
        row = execute(connection, sql.CONVERSATION, (key,)).fetchone()
        if row is not None:
            conversations.append({"conversation": key, "session": row[0], "choices": decode(row[1])})
    return {
        "person": str(person),
        "conversations": {"own": list(found.own), "shared": list(found.shared), "kept": conversations},
        "lines": lines,
        "messages": messages,
        "costs": money.of_person(connection, str(person)),
    }


def forget(connection: sqlite3.Connection, person: Person) -> Forgotten:
    """Take out everything that `export` shows. Sums of costs stay, without whose they were; event keys stay, bare."""
    connection.execute("PRAGMA secure_delete = ON")
    found = traces(connection, person)
    who = (person.sender, person.channel, person.account)
    turns = {row[0] for row in execute(connection, _THEIR_TURNS, who)}
    for key in (*found.own, *found.shared):
        turns |= {row[0] for row in execute(connection, _TURNS_OF_LINES, (key, person.sender))}
    lines = 0
    for key in found.own:
        turns |= {row[0] for row in execute(connection, _TURNS_THERE, (key,))}
        lines += execute(connection, "DELETE FROM history WHERE conversation = ?", (key,)).rowcount
        execute(connection, "DELETE FROM conversation WHERE conversation = ?", (key,))
        execute(connection, _BARE_MESSAGES_THERE, (key,))
    for key in found.shared:
        lines += execute(connection, _DROP_LINES, (key, person.sender)).rowcount
    messages = execute(connection, _BARE_MESSAGES, who).rowcount
    for turn_id in turns:
        execute(connection, sql.DROP_PARTS_OF_ONE, (turn_id,))
        execute(connection, _DROP_OPEN_TURN, (turn_id,))
        execute(connection, _BARE_TURN, (turn_id,))
    connection.execute(_DROP_IDLE_PARTS)
    money.forget(connection, str(person), found.own)
    # Where an owner is told of troubles (bot.messenger); a name of theirs stands in it as JSON.
    scope = f"account:{person.channel}:{person.account}"
    execute(connection, _DROP_OWNER_CHAT, (scope, json.dumps(person.sender)))
    mark = f"_{crc32(person.sender.encode(errors='replace')):08x}"
    execute(connection, _BARE_FEEDBACK, (mark, mark))
    return Forgotten(messages, lines, len(turns), found.own, found.shared)


def scrub(connection: sqlite3.Connection) -> None:
    """Leave no deleted byte in the file or its log. Outside any transaction; takes a while and as much room again."""
    try:
        connection.execute("VACUUM")
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise BotError(
                "the write-ahead log is being read and could not be emptied; run the same command again"
            )
    finally:
        connection.execute("PRAGMA secure_delete = FAST")


def _has_others(connection: sqlite3.Connection, key: str, sender: str) -> bool:
    rows = execute(connection, _OTHERS, (key, sender, key, sender)).fetchone()
    return rows is not None


_THEIR_KEYS = "SELECT DISTINCT conversation FROM history WHERE sender = ? AND sender <> ''"
_THEIR_MESSAGE_KEYS = """SELECT DISTINCT conversation FROM inbox
    WHERE sender = ? AND channel = ? AND account = ?"""
_THEIR_WAITING = (
    """SELECT count(*) FROM inbox WHERE sender = ? AND channel = ? AND account = ? AND state = 'new'"""
)
_THEIR_TURNS = """SELECT turn_id FROM inbox WHERE sender = ? AND channel = ? AND account = ?
    AND turn_id IS NOT NULL"""
_TURNS_OF_LINES = "SELECT DISTINCT turn_id FROM history WHERE conversation = ? AND sender = ?"
_TURNS_THERE = "SELECT turn_id FROM turn WHERE conversation = ?"
_OTHERS = """SELECT 1 FROM history WHERE conversation = ? AND sender NOT IN ('', ?)
    UNION ALL SELECT 1 FROM inbox WHERE conversation = ? AND sender IS NOT NULL AND sender <> ? LIMIT 1"""
_LINE_NAMES = ("conversation", "session", "role", "text", "speaker", "at", "message_id", "exchange")
_LINES = """SELECT session, role, text, speaker, at, message_id, exchange FROM history
    WHERE conversation = ? AND sender IN (?, ?) ORDER BY id"""
_MESSAGES = """SELECT inbox.conversation, inbox.state, inbox.received_at, inbox.payload, inbox.edited, turn.text
    FROM inbox LEFT JOIN turn ON turn.turn_id = inbox.turn_id
    WHERE inbox.sender = ? AND inbox.channel = ? AND inbox.account = ? AND inbox.payload IS NOT NULL
    ORDER BY inbox.id"""
_BARE = """UPDATE inbox SET state = 'key', payload = NULL, edited = NULL, error = NULL, turn_id = NULL,
    conversation = NULL, sender = NULL"""
_BARE_MESSAGES = f"{_BARE} WHERE sender = ? AND channel = ? AND account = ?"
_BARE_MESSAGES_THERE = f"{_BARE} WHERE conversation = ? AND sender IS NULL"
_DROP_OWNER_CHAT = "DELETE FROM choice WHERE scope = ? AND name = 'owner_chat' AND instr(value, ?) > 0"
_DROP_LINES = "DELETE FROM history WHERE conversation = ? AND sender = ?"
_DROP_OPEN_TURN = "DELETE FROM turn WHERE turn_id = ? AND state <> 'done'"
_BARE_TURN = """UPDATE turn SET conversation = '', text = '', inbox_ids = '[]', parts = '[]', detail = '{}'
    WHERE turn_id = ?"""
# Nobody asks for the messages of an answer that is over; the record of its turn names them.
_DROP_IDLE_PARTS = """DELETE FROM part WHERE turn_id IN (SELECT turn_id FROM turn
    WHERE state IN ('done', 'merged'))"""
_BARE_FEEDBACK = "UPDATE turn SET detail = replace(detail, ?, '_forgotten') WHERE instr(detail, ?) > 0"
