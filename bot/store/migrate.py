"""From what the file holds to what this version needs: create, migrate or refuse.

Alembic and SQLAlchemy are imported only when a migration is due. The number of the schema stands in
`PRAGMA user_version`. A new file is created at the current schema; tests hold that equal to what the
migrations lead to. Before a migration the file is copied beside itself.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

import structlog

from bot.errors import StoreError
from bot.store.connection import store_error
from bot.store.sql import APPLICATION_ID, SCHEMA, SCHEMA_VERSION

MIGRATIONS = Path(__file__).parent / "migrations"
KEPT_COPIES = 3

_log = structlog.get_logger(__name__)


def ensure_schema(
    connection: sqlite3.Connection,
    path: Path,
    *,
    migrations: Path = MIGRATIONS,
    target: int = SCHEMA_VERSION,
) -> int:
    """Bring the file to schema `target` and return the number that it had; 0: it was new.

    Blocks (disk). Raises StoreError when the file is newer than this program, or when a migration fails; then
    the file is as it was.
    """
    version = schema_version(connection)
    if version > target:
        raise StoreError(
            f"{path} was written by a newer Firstword (schema {version}, this one knows {target}): "
            "update Firstword, or put the copy that was made before the update in its place"
        )
    if version == 0:
        _create(connection, path)
        version = min(SCHEMA_VERSION, target)
        if version == target:
            return 0
    if version < target:
        from bot.store.migrations.run import upgrade

        copy = copy_aside(connection, path, version)
        _log.info("store migration started", schema=version, target=target, copy=str(copy))
        try:
            upgrade(connection, migrations, version, target)
        except Exception as error:
            raise StoreError(
                f"{path} could not be brought from schema {version} to {target} and is unchanged "
                f"({type(error).__name__}: {error}). A copy stands at {copy}"
            ) from error
        _log.info("store migration finished", schema=target)
    return version


def schema_version(connection: sqlite3.Connection) -> int:
    """The number of the schema in the file, 0 for a new one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def copy_aside(connection: sqlite3.Connection, path: Path, version: int) -> Path:
    """Copy the open file to NAME.schema-N.copy, mode 0600, and keep the newest copies only. Raises StoreError."""
    copy = path.with_name(f"{path.name}.schema-{version}.copy")
    unfinished = copy.with_suffix(".unfinished")
    try:
        unfinished.unlink(missing_ok=True)
        os.close(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with contextlib.closing(sqlite3.connect(unfinished)) as target:
            connection.backup(target)
        unfinished.replace(copy)
        for old in sorted(path.parent.glob(f"{path.name}.schema-*.copy"), key=_age)[:-KEPT_COPIES]:
            old.unlink()
    except (OSError, sqlite3.Error) as error:
        unfinished.unlink(missing_ok=True)
        raise store_error(error, copy) from error
    return copy


def _create(connection: sqlite3.Connection, path: Path) -> None:
    try:
        connection.execute("BEGIN IMMEDIATE")
        if schema_version(connection) == 0:  # else another process has just created it
            for statement in SCHEMA:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise store_error(error, path) from error


def _age(path: Path) -> float:
    return path.stat().st_mtime
