"""Copies of the store: made while a daemon runs, looked through, put in its place again. All functions block (disk)."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bot.errors import StoreError
from bot.store.connection import connect, open_to_read, store_error
from bot.store.migrate import schema_version
from bot.store.sql import APPLICATION_ID, SCHEMA_VERSION

ABANDONED = 3600.0
RESTORED = "it came back with a backup and may have been answered since"
_NO_COPY = ": it cannot be put in place, take another copy"
_STAMP = "%Y%m%d-%H%M%S"
_TABLES = ("inbox", "turn", "history", "conversation")


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy that was looked through. `rows`: how many each table has. `waiting`: messages not answered then."""

    path: Path
    schema: int
    size: int
    rows: Mapping[str, int]
    waiting: int


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put in place, and where the file that it replaced stands now, None where there was none.

    `carried`: keys of events that only the old file knew, so that nothing is answered twice; None where it could not
    be read.
    """

    backup: Backup
    aside: Path | None
    carried: int | None


def default_name(folder: Path, now: float) -> Path:
    """Where a backup goes that is given no name: FOLDER/firstword-DATE-TIME.db, in UTC."""
    return folder / f"firstword-{datetime.fromtimestamp(now, UTC):{_STAMP}}.db"


def backups(folder: Path) -> Sequence[Path]:
    """The backups under their own names, oldest first."""
    return sorted(folder.glob("firstword-????????-??????.db"))


def create(database: Path, target: Path) -> Backup:
    """Copy the store as it is at one moment to the new file `target`, mode 0600, and look the copy through.

    Writers go on meanwhile. Raises StoreError; then there is no such file.
    """
    if target.exists():
        raise StoreError(f"{target} exists already; name another file")
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished.unlink(missing_ok=True)
        os.close(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with (
            contextlib.closing(open_to_read(database)) as source,
            contextlib.closing(sqlite3.connect(unfinished, isolation_level=None)) as copy,
        ):
            _must_be_ours(source, database)
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, which needs nothing beside it to be read
        found = verify(unfinished)
        _flush(unfinished)
        os.link(unfinished, target)  # fails where somebody made that file meanwhile
        unfinished.unlink()
        _flush(target.parent)
    except (OSError, sqlite3.Error, StoreError) as error:
        with contextlib.suppress(OSError):  # it may never have been made
            unfinished.unlink(missing_ok=True)
        if getattr(error, "sqlite_errorname", "").startswith("SQLITE_FULL"):
            raise StoreError(
                f"{target}: there is no room for the copy; name a file on another disk"
            ) from error
        found_so = store_error(error, target if isinstance(error, OSError) else database)
        if found_so.reason == "damaged":  # the copy is as the store is
            text = f"{database} is damaged, and so would be a copy of it"
            raise StoreError(f"{text}: put an earlier one in its place", reason="damaged") from error
        raise found_so from error
    return Backup(target, found.schema, found.size, found.rows, found.waiting)


def prune(folder: Path, keep: int, now: float) -> Sequence[Path]:
    """Delete the oldest backups under their own names but for the newest `keep`; those that went. Raises StoreError.

    What a killed process left unfinished an hour ago goes too.
    """
    old = list(backups(folder)[:-keep]) if keep else []
    try:
        for path in folder.glob(".*.unfinished*"):
            if path.stat().st_mtime < now - ABANDONED:
                path.unlink()
        for path in old:
            path.unlink()
    except OSError as error:
        raise store_error(error, folder) from error
    return old


def verify(path: Path) -> Backup:
    """Look a copy through: every page, every index, whose it is, what is in it. Raises StoreError."""
    if not path.is_file():
        raise StoreError(f"{path}: there is no such file")
    try:
        with contextlib.closing(open_to_read(path)) as connection:
            schema = _must_be_ours(connection, path)
            findings = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
            if findings != ["ok"]:
                said = " ".join("; ".join(findings).split())[:300]
                raise StoreError(f"{path} is damaged ({said}){_NO_COPY}", reason="damaged")
            rows = {
                table: int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - our own
                for table in _TABLES
            }
            (waiting,) = connection.execute("SELECT count(*) FROM inbox WHERE state = 'new'").fetchone()
    except sqlite3.Error as error:
        if store_error(error, path).reason != "damaged":
            raise store_error(error, path) from error
        raise StoreError(f"{path} is damaged ({error}){_NO_COPY}", reason="damaged") from error
    return Backup(path, schema, path.stat().st_size, rows, int(waiting))


def restore(backup: Path, database: Path, now: float) -> Restored:
    """Put a copy of `backup` in the store's place; the caller holds the home's lock. Raises StoreError.

    The old file is kept beside it. Messages that waited when the backup was made are dead letters now; keys of
    events and cursors that the old file knew are carried over where it can be read.
    """
    found = verify(backup)
    fresh = database.with_name(f"{database.name}.restoring")
    try:
        database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in (fresh, *_beside(fresh)):
            path.unlink(missing_ok=True)
        os.close(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with backup.open("rb") as source, fresh.open("r+b") as out:
            shutil.copyfileobj(source, out, 1024 * 1024)
        has_old = database.exists()
        if has_old:
            _empty_log(database)
        with contextlib.closing(_open_fresh(fresh)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("UPDATE inbox SET state = 'dead', error = ? WHERE state = 'new'", (RESTORED,))
            connection.execute("COMMIT")
            carried = _carry_over(connection, database) if has_old else 0
        _flush(fresh)
        aside = _set_aside(database, now) if has_old else None
        fresh.replace(database)
        _flush(database.parent)
    except (OSError, sqlite3.Error) as error:
        fresh.unlink(missing_ok=True)
        raise store_error(error, database) from error
    return Restored(found, aside, carried)


def _must_be_ours(connection: sqlite3.Connection, path: Path) -> int:
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    if owner != APPLICATION_ID:
        raise StoreError(f"{path} is no store of Firstword (application id {owner:#x})")
    version = schema_version(connection)
    if not 0 < version <= SCHEMA_VERSION:
        text = f"{path} was written by a newer Firstword (schema {version}, this one knows {SCHEMA_VERSION})"
        raise StoreError(f"{text}: update Firstword first")
    return version


def _open_fresh(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)


def _empty_log(database: Path) -> None:
    """Bring the old file's log into it, so that the file is whole alone; a damaged one stays as it is."""
    with contextlib.suppress(StoreError, sqlite3.Error), contextlib.closing(connect(database)) as old:
        old.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _carry_over(connection: sqlite3.Connection, old: Path) -> int | None:
    uri = f"{old.absolute().as_uri()}?mode=ro"
    try:
        connection.execute("ATTACH DATABASE ? AS old", (uri,))
        connection.execute("BEGIN IMMEDIATE")
        carried = connection.execute(_CARRY_KEYS).rowcount
        connection.execute(_CARRY_CURSORS)
        connection.execute("COMMIT")
        connection.execute("DETACH DATABASE old")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        return None
    return carried


def _set_aside(database: Path, now: float) -> Path:
    """Keep the old file under a name of its own. It stays in its place too, until the new one takes it at a stroke."""
    stamp = datetime.fromtimestamp(now, UTC).strftime(_STAMP)
    aside = database.with_name(f"{database.name}.before-restore-{stamp}")
    for number in itertools.count(2):  # of two within one second both are kept
        try:
            os.link(database, aside)
            break
        except FileExistsError:
            aside = database.with_name(f"{database.name}.before-restore-{stamp}-{number}")
    log = _beside(database)[0]
    is_worked_off = not log.exists() or not log.stat().st_size
    for path, kept in zip(_beside(database), _beside(aside), strict=True):
        if not path.exists():
            continue
        if is_worked_off:
            path.unlink()
        else:  # the file is damaged, and what it lacks may stand there; beside the new one it would do harm
            path.rename(kept)
    return aside


def _beside(path: Path) -> tuple[Path, Path]:
    return path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_CARRY_KEYS = """INSERT INTO inbox (channel, account, event_key, state, received_at)
    SELECT channel, account, event_key, 'key', received_at FROM old.inbox WHERE true
    ON CONFLICT (channel, account, event_key) DO NOTHING"""
_CARRY_CURSORS = """INSERT INTO cursor (channel, account, name, value)
    SELECT channel, account, name, value FROM old.cursor WHERE true
    ON CONFLICT (channel, account, name) DO UPDATE SET value = excluded.value"""
