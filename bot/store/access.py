"""Who was let in beside the settings, who waits to be, and the record of every change. For SQLite's connection.

The functions work inside a transaction of their caller: what a change does and the row that tells of it are kept
together or not at all. Times are seconds since the epoch. What somebody may do follows from bot.access.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bot.pairing import LOCK, MAX_PENDING, MAX_WRONG, Sealed, fits
from bot.store import sql
from bot.store.connection import execute
from bot.store.people import Person

MAX_GRANTS = 10_000
"""Grants that one account may have; they are all held in memory while it runs."""

MAX_LISTED = 1000


class What(StrEnum):
    """What a row of the record tells."""

    PAIRED = "paired"
    GRANTED = "granted"
    REVOKED = "revoked"
    WRONG_CODE = "wrong code"
    ACTIVATION = "activation"


@dataclass(frozen=True, slots=True)
class By:
    """Who changes something. `actor`: CHANNEL:ACCOUNT:ID, or "owner" at the command line. `way`: how they reach us."""

    actor: str
    way: str


COMMAND_LINE = By("owner", "command line")
"""Whoever may write into the home."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody who holds a code. `place`: the key of the direct chat in which they asked."""

    person: Person
    name: str
    place: str
    asked_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class GrantRow:
    """A grant: `role` by name; `is_paired`: by a code."""

    person: Person
    name: str
    role: str
    is_paired: bool
    granted_at: float
    granted_by: str


@dataclass(frozen=True, slots=True)
class LogRow:
    """One change. `about`: CHANNEL:ACCOUNT:ID of whom it was about, "" for nobody."""

    at: float
    actor: str
    way: str
    what: str
    about: str
    detail: str


def wait(connection: sqlite3.Connection, waiting: Waiting, sealed: Sealed) -> bool:
    """Let somebody wait under a code, which takes the place of their last. False: too many others wait there."""
    who = _who(waiting.person)
    execute(connection, "DELETE FROM pairing WHERE expires_at <= ?", (waiting.asked_at,))
    (others,) = execute(connection, _OTHERS_WAITING, who).fetchone()
    if others >= MAX_PENDING:
        return False
    row = (
        *who,
        waiting.name,
        waiting.place,
        sealed.salt,
        sealed.digest,
        waiting.asked_at,
        waiting.expires_at,
    )
    execute(connection, _WAIT, row)
    return True


def waiting(connection: sqlite3.Connection, now: float) -> Sequence[Waiting]:
    """Everybody who holds a code, whoever came first first."""
    rows = execute(connection, _WAITING, (now,)).fetchall()
    return [Waiting(Person(*row[:3]), *row[3:7]) for row in rows]


@dataclass(frozen=True, slots=True)
class Approval:
    """What became of a code that was typed. `let_in` None: it holds not, or never did.

    `is_locked`: it was not even looked at; `is_full`: the account has MAX_GRANTS; `closes`: it was the last wrong one
    before its way is locked.
    """

    let_in: Waiting | None = None
    is_locked: bool = False
    is_full: bool = False
    closes: bool = False

    def to_plain(self) -> dict[str, Any]:
        """What bot.words.approval takes."""
        person, name = ("", "") if self.let_in is None else (str(self.let_in.person), self.let_in.name)
        return {"person": person, "name": name, "is_locked": self.is_locked, "is_full": self.is_full}


def approve(
    connection: sqlite3.Connection, code: str, by: By, now: float, at: tuple[str, str] | None = None
) -> Approval:
    """Let in whoever holds the code, as a member in direct chats. `at`: only codes of that channel and account."""
    (wrong,) = execute(connection, _WRONG, (by.way, now - LOCK)).fetchone()
    if wrong >= MAX_WRONG:
        return Approval(is_locked=True)
    for row in execute(connection, _WAITING, (now,)).fetchall():
        found = Waiting(Person(*row[:3]), *row[3:7])
        is_there = at is None or at == (found.person.channel, found.person.account)
        if is_there and fits(Sealed(row[7], row[8]), code):
            new = GrantRow(
                found.person, found.name, "member", is_paired=True, granted_at=now, granted_by=by.actor
            )
            if not _give(connection, new):
                return Approval(is_full=True)
            record(connection, by, What.PAIRED, found.person, now, found.name)
            return Approval(found)
    record(connection, by, What.WRONG_CODE, None, now, "")
    return Approval(closes=wrong + 1 >= MAX_WRONG)


def grant(connection: sqlite3.Connection, row: GrantRow, by: By) -> bool:
    """Give somebody a role. False: the account has too many grants."""
    if not _give(connection, row):
        return False
    record(connection, by, What.GRANTED, row.person, row.granted_at, row.role)
    return True


def _give(connection: sqlite3.Connection, row: GrantRow) -> bool:
    """Keep a grant; whoever is let in waits no more."""
    person = row.person
    (count,) = execute(connection, _COUNT, (person.channel, person.account)).fetchone()
    if count >= MAX_GRANTS:
        return False
    values = (*_who(person), row.name, row.role, int(row.is_paired), row.granted_at, row.granted_by)
    execute(connection, _GIVE, values)
    execute(connection, "DELETE FROM pairing WHERE channel = ? AND account = ? AND sender = ?", _who(person))
    return True


def take(
    connection: sqlite3.Connection, person: Person, by: By, now: float, below: str = "owner"
) -> Sequence[GrantRow]:
    """Take back what a person was granted, and their code; what there was. `below`: "admin" leaves admins alone."""
    kept = ("admin",) if below == "admin" else ()
    rows = [row for row in grants_of(connection, person) if row.role not in kept]
    for row in rows:
        execute(connection, _TAKE, (*_who(person), int(row.is_paired)))
        record(connection, by, What.REVOKED, person, now, row.role)
    execute(connection, "DELETE FROM pairing WHERE channel = ? AND account = ? AND sender = ?", _who(person))
    return rows


def grants(connection: sqlite3.Connection) -> Sequence[GrantRow]:
    """Every grant, by account and age."""
    return _grant_rows(execute(connection, f"{_GRANTS} ORDER BY channel, account, granted_at, sender", ()))


def grants_of(connection: sqlite3.Connection, person: Person) -> Sequence[GrantRow]:
    """One person's."""
    where = "WHERE channel = ? AND account = ? AND sender = ?"
    return _grant_rows(execute(connection, f"{_GRANTS} {where}", _who(person)))


def activate(
    connection: sqlite3.Connection, where: tuple[str, str, str], value: str | None, by: By, now: float
) -> None:
    """Keep what is answered in a group: (channel, account, space)."""
    channel, account, space = where
    scope = f"{_ACTIVATION}{channel}:{account}"
    if value is None:
        execute(connection, sql.UNSET_CHOICE, (scope, space))
    else:
        execute(connection, sql.SET_CHOICE, (scope, space, value))
    record(connection, by, What.ACTIVATION, None, now, f"{channel}:{account}:{space} {value or 'default'}")


def activations(connection: sqlite3.Connection) -> Sequence[tuple[str, str, str, str]]:
    """What is answered in groups: (channel, account, space, value)."""
    rows = execute(connection, _ACTIVATIONS, (_ACTIVATION, _AFTER_ACTIVATION)).fetchall()
    return [(*scope.removeprefix(_ACTIVATION).split(":", 1), space, value) for scope, space, value in rows]


def record(
    connection: sqlite3.Connection, by: By, what: What, about: Person | None, now: float, detail: str
) -> None:
    """Note a change."""
    execute(connection, _RECORD, (now, by.actor, by.way, str(what), str(about or ""), detail))


def log(connection: sqlite3.Connection, limit: int = MAX_LISTED) -> Sequence[LogRow]:
    """The newest changes, newest first."""
    return [_log_row(row) for row in execute(connection, _LOG, (limit,))]


def drop_old(connection: sqlite3.Connection, before: float, now: float, rows: int) -> bool:
    """Forget changes that are older, and codes that hold no more; whether there may be more of them."""
    execute(connection, "DELETE FROM pairing WHERE expires_at <= ?", (now,))
    return execute(connection, _DROP_OLD, (before, rows)).rowcount == rows


def export(connection: sqlite3.Connection, person: Person) -> Mapping[str, Any]:
    """What is kept of a person here, as plain values."""
    held = execute(connection, _PENDING_OF, _who(person)).fetchall()
    return {
        "grants": [
            {"role": row.role, "paired": row.is_paired, "granted_at": row.granted_at, "name": row.name}
            for row in grants_of(connection, person)
        ],
        "pending": [{"name": row[0], "asked_at": row[1], "expires_at": row[2]} for row in held],
        "changes": [
            {"at": row.at, "actor": row.actor, "what": row.what, "about": row.about, "detail": row.detail}
            for row in map(_log_row, execute(connection, _LOG_OF, (str(person), str(person))))
        ],
    }


def forget(connection: sqlite3.Connection, person: Person) -> int:
    """Take a person out, of how many rows. That something was changed stays, without who or about whom."""
    count = 0
    for table in ("pairing", "access_grant"):
        where = "WHERE channel = ? AND account = ? AND sender = ?"
        drop = f"DELETE FROM {table} {where}"  # noqa: S608 - a name of ours
        count += execute(connection, drop, _who(person)).rowcount
    for bare in _BARE:
        count += execute(connection, bare, (str(person),)).rowcount
    return count


def _log_row(row: tuple[Any, ...]) -> LogRow:
    return LogRow(*row)


def _who(person: Person) -> tuple[str, str, str]:
    return person.channel, person.account, person.sender


def _grant_rows(rows: sqlite3.Cursor) -> Sequence[GrantRow]:
    return [GrantRow(Person(*row[:3]), row[3], row[4], bool(row[5]), row[6], row[7]) for row in rows]


_BARE = (
    "UPDATE access_log SET about = '', detail = '' WHERE about = ?",
    "UPDATE access_log SET actor = '' WHERE actor = ?",
    "UPDATE access_grant SET granted_by = '' WHERE granted_by = ?",
)
_ACTIVATION = "activation:"
_AFTER_ACTIVATION = "activation;"
_ACTIVATIONS = "SELECT scope, name, value FROM choice WHERE scope > ? AND scope < ? ORDER BY scope, name"
_OTHERS_WAITING = "SELECT count(*) FROM pairing WHERE channel = ? AND account = ? AND sender <> ?"
_WAIT = """INSERT INTO pairing (channel, account, sender, name, place, salt, digest, asked_at, expires_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (channel, account, sender) DO UPDATE SET name = excluded.name, place = excluded.place,
        salt = excluded.salt, digest = excluded.digest, expires_at = excluded.expires_at"""
_WAITING = """SELECT channel, account, sender, name, place, asked_at, expires_at, salt, digest FROM pairing
    WHERE expires_at > ? ORDER BY asked_at, sender"""
_WRONG = "SELECT count(*) FROM access_log WHERE way = ? AND at > ? AND what = 'wrong code'"
_COUNT = "SELECT count(*) FROM access_grant WHERE channel = ? AND account = ?"
_GIVE = """INSERT INTO access_grant (channel, account, sender, name, role, is_paired, granted_at, granted_by)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (channel, account, sender, is_paired) DO UPDATE SET name = excluded.name, role = excluded.role,
        granted_at = excluded.granted_at, granted_by = excluded.granted_by"""
_TAKE = "DELETE FROM access_grant WHERE channel = ? AND account = ? AND sender = ? AND is_paired = ?"
_GRANTS = "SELECT channel, account, sender, name, role, is_paired, granted_at, granted_by FROM access_grant"
_RECORD = "INSERT INTO access_log (at, actor, way, what, about, detail) VALUES (?, ?, ?, ?, ?, ?)"
_LOG = "SELECT at, actor, way, what, about, detail FROM access_log ORDER BY id DESC LIMIT ?"
_LOG_OF = (
    """SELECT at, actor, way, what, about, detail FROM access_log WHERE about = ? OR actor = ? ORDER BY id"""
)
_PENDING_OF = (
    "SELECT name, asked_at, expires_at FROM pairing WHERE channel = ? AND account = ? AND sender = ?"
)
_DROP_OLD = (
    """DELETE FROM access_log WHERE id IN (SELECT id FROM access_log WHERE at < ? ORDER BY id LIMIT ?)"""
)
