"""Opening the file: whose it is, how it is written, whether it is whole, and what its errors mean."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import TypeVar

from bot.errors import StoreError
from bot.store.sql import APPLICATION_ID, SCHEMA_VERSION, Rows

T = TypeVar("T")
Connection = sqlite3.Connection

MIN_SQLITE = (3, 38, 0)  # STRICT tables, JSON functions always built in; released 2022-02
CACHE_KIB = 4096
# Pages of 4 KiB. The write-ahead log is worked off beside the writer (bot.store.sqlite); this is the bound at
# which the writer does it itself, so the log never outgrows it by more than one batch. The log's file is not
# cut below that size: writing over old blocks is faster than growing a file.
WAL_PAGES = 8192
WAL_BYTES = WAL_PAGES * 4096
BUSY_MILLISECONDS = 2000


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode, ready for use. Raises StoreError.

    Blocks (disk). It may be used from any thread, by one at a time. The file is created with mode 0600, its
    folder, where there is none, with 0700.
    """
    if sqlite3.sqlite_version_info < MIN_SQLITE:
        needed = ".".join(map(str, MIN_SQLITE))
        raise StoreError(f"SQLite {needed} or newer is needed; this Python has {sqlite3.sqlite_version}")
    try:
        _prepare_file(path)
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=BUSY_MILLISECONDS / 1000,
            cached_statements=256,
        )
    except (OSError, sqlite3.Error) as error:
        raise store_error(error, path) from error
    try:
        _set_up(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise store_error(error, path) from error
    except StoreError:
        connection.close()
        raise
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing, beside a running daemon or without one. Raises StoreError.

    Blocks (disk). The file must be there, ours and at this version's schema.
    """
    if not path.is_file():
        raise StoreError(f"{path}: there is no such file")
    try:
        connection = open_to_read(path)
    except sqlite3.Error as error:
        raise store_error(error, path) from error
    try:
        owner = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        if owner != APPLICATION_ID:
            raise StoreError(f"{path} belongs to another program (application id {owner:#x})")
        if version != SCHEMA_VERSION:
            age, remedy = ("an older", "start the daemon once") if version < SCHEMA_VERSION else _NEWER
            raise StoreError(f"{path} was written by {age} Firstword (schema {version}); {remedy}")
    except sqlite3.Error as error:
        connection.close()
        raise store_error(error, path) from error
    except StoreError:
        connection.close()
        raise
    return connection


def read(path: Path, work: Callable[[sqlite3.Connection], T]) -> T:
    """What `work` returns on a connection that changes nothing. Blocks (disk). Raises StoreError."""
    with contextlib.closing(connect_to_read(path)) as connection:
        try:
            return work(connection)
        except sqlite3.Error as error:
            raise store_error(error, path) from error


def look_through(path: Path, limit_bytes: int) -> bool:
    """`check` of a file of any schema, which it leaves as it is. Blocks (disk). Raises StoreError."""
    try:
        with contextlib.closing(open_to_read(path)) as connection:
            (owner,) = connection.execute("PRAGMA application_id").fetchone()
            if owner != APPLICATION_ID:
                raise StoreError(f"{path} belongs to another program (application id {owner:#x})")
            return check(connection, path, limit_bytes)
    except sqlite3.Error as error:
        raise store_error(error, path) from error


def open_to_read(path: Path) -> sqlite3.Connection:
    """As `connect_to_read`, of any file and schema; raises sqlite3.Error."""
    # Where the folder may not be written to, SQLite cannot keep its books; without a log it needs none.
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_MILLISECONDS / 1000)
    try:
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        if path.with_name(f"{path.name}-wal").exists():
            raise
        connection = sqlite3.connect(f"{uri}&immutable=1", uri=True, isolation_level=None)
    return connection


def check(connection: sqlite3.Connection, path: Path, limit_bytes: int) -> bool:
    """Look the whole file through, unless it is larger than `limit_bytes`. False: it was too large.

    Raises StoreError when it is damaged. Reads about 600 MB a second out of the page cache (SQLite 3.40, 2026-11).
    """
    if path.stat().st_size > limit_bytes:
        return False
    try:
        findings = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
    except sqlite3.Error as error:
        raise store_error(error, path) from error
    if findings != ["ok"]:
        said = " ".join("; ".join(findings).split())
        raise StoreError(f"{path} is damaged ({said[:300]}). {_HELP_DAMAGED}", reason="damaged")
    return True


def store_error(error: Exception, path: Path) -> StoreError:
    """The owner's words for what SQLite or the system said."""
    if isinstance(error, StoreError):
        return error
    name = getattr(error, "sqlite_errorname", None) or ""
    for prefix, code, reason, advice in _REASONS:
        if name.startswith(prefix):
            return StoreError(f"{path}: {reason} ({error}). {advice}".rstrip(), reason=code)
    if isinstance(error, OSError):
        return StoreError(f"{path} cannot be used: {error.strerror or error}")
    return StoreError(f"{path}: {type(error).__name__}: {error}")


def concerns_everything(error: Exception) -> bool:
    """Whether any other write would fail in the same way now, so that trying them one by one is idle."""
    name = getattr(error, "sqlite_errorname", None) or ""
    return not name.startswith("SQLITE_FULL") and any(name.startswith(row[0]) for row in _REASONS)


_HELP_DAMAGED = (
    "Move it away with its -wal and -shm files, or put a backup in its place (firstword backup restore)"
)
_NEWER = ("a newer", "update Firstword")
_REASONS = (
    (
        "SQLITE_FULL",
        "full",
        "the disk is full",
        "Nothing is kept until there is room; nothing else is needed",
    ),
    (
        "SQLITE_READONLY",
        "readonly",
        "the disk or the file is read-only",
        "Make it writable; nothing else is needed",
    ),
    ("SQLITE_BUSY", "locked", "another program keeps it locked", "Close what has it open"),
    ("SQLITE_LOCKED", "locked", "another program keeps it locked", "Close what has it open"),
    ("SQLITE_IOERR", "disk", "the disk failed", "See the system's log"),
    ("SQLITE_CORRUPT", "damaged", "the file is damaged", _HELP_DAMAGED),
    ("SQLITE_NOTADB", "damaged", "the file is damaged or no database", _HELP_DAMAGED),
    ("SQLITE_CANTOPEN", "forbidden", "the file cannot be opened", "Look at the folder's owner and mode"),
    ("SQLITE_PERM", "forbidden", "the file may not be opened", "Look at its owner and mode"),
    ("SQLITE_AUTH", "forbidden", "the file may not be opened", "Look at its owner and mode"),
)


def _prepare_file(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # SQLite gives its -wal and -shm files the mode of this one, so it must be right before they exist.
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        # It is not opened here: closing it would take away every lock that this process has on it, and the next
        # program that looks in and leaves would take us for gone and delete our log (sqlite.org/howtocorrupt.html 2.2).
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)) from None
        if mode & 0o077:
            path.chmod(0o600)


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    run = connection.execute
    run(f"PRAGMA cache_size = -{CACHE_KIB}")
    run("PRAGMA temp_store = MEMORY")
    run("PRAGMA trusted_schema = OFF")
    owner = run("PRAGMA application_id").fetchone()[0]
    tables = run("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if owner != APPLICATION_ID and (owner or tables):
        raise StoreError(f"{path} belongs to another program (application id {owner:#x}); name another file")
    if not tables:  # in any other file it has no effect, but is written each time
        run("PRAGMA auto_vacuum = INCREMENTAL")
    mode = run("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StoreError(f"{path}: this file system cannot hold a write-ahead log; use a local disk")
    run("PRAGMA synchronous = FULL")
    run("PRAGMA secure_delete = FAST")
    run(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
    run(f"PRAGMA journal_size_limit = {WAL_BYTES}")


def execute(
    connection: sqlite3.Connection, statement: str, values: tuple[object, ...] = ()
) -> sqlite3.Cursor:
    """`connection.execute`, for any text: lone surrogates, which SQLite cannot hold, become U+FFFD.

    Halves of one character that lie side by side are put together. All statements with foreign text go
    through here, writing and asking alike, so a text is found as it was stored.
    """
    try:
        return connection.execute(statement, values)
    except UnicodeEncodeError:
        return connection.execute(statement, tuple(_storable(value) for value in values))


def execute_rows(connection: sqlite3.Connection, statement: Rows, rows: Sequence[tuple[object, ...]]) -> int:
    """Run `statement` over all `rows` in as few visits as its sizes allow; how many rows changed."""
    changed = 0
    start = 0
    for size in Rows.SIZES:
        while len(rows) - start >= size:
            values = tuple(chain.from_iterable(rows[start : start + size]))
            changed += execute(connection, statement.texts[size], values).rowcount
            start += size
    return changed


def _storable(value: object) -> object:
    if not isinstance(value, str):
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
