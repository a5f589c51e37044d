"""From what the file holds to what this version needs: create, migrate or refuse.

Alembic and SQLAlchemy are imported only when a migration is due. The number of the schema stands in
`PRAGMA user_version`. A new file is created at the current schema; tests hold that equal to what the
migrations lead to. Before a migration the file is copied beside itself.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from bot.errors import StoreError
from bot.store.connection import store_error
from bot.store.sql import APPLICATION_ID, SCHEMA, SCHEMA_VERSION

KEPT_COPIES = 3

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema: its number, the statements that create it, the folder whose `versions` lead to it."""

    version: int
    statements: Sequence[str]
    migrations: Path


CURRENT = Schema(SCHEMA_VERSION, SCHEMA, Path(__file__).parent / "migrations")


def ensure_schema(connection: sqlite3.Connection, path: Path, schema: Schema = CURRENT) -> int:
    """Bring the file to `schema` and return the number of the schema that it had; 0: it was new.

    Blocks (disk). Raises StoreError when the file is newer than this program, or when a migration fails; then
    the file is as it was.
    """
    try:
        version = schema_version(connection)
        if version == 0:
            _create(connection, schema)
    except sqlite3.Error as error:
        raise store_error(error, path) from error
    if version > schema.version:
        raise StoreError(
            f"{path} was written by a newer Firstword (schema {version}, this one knows {schema.version}): "
            "update Firstword, or put the copy that was made before the update in its place"
        )
    if 0 < version < schema.version:
        _migrate(connection, path, version, schema)
    return version


def schema_version(connection: sqlite3.Connection) -> int:
    """The number of the schema in the file, 0 for a new one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def copy_aside(connection: sqlite3.Connection, path: Path, version: int) -> Path:
    """Copy the open file to NAME.schema-N.copy, mode 0600; of such copies the newest three stay.

    Raises StoreError.
    """
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


def _create(connection: sqlite3.Connection, schema: Schema) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if schema_version(connection) == 0:  # else another process has created it meanwhile
            for statement in schema.statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {schema.version}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _migrate(connection: sqlite3.Connection, path: Path, version: int, schema: Schema) -> None:
    from bot.store.migrations.run import upgrade

    copy = copy_aside(connection, path, version)
    _log.info("store migration started", schema=version, target=schema.version, copy=str(copy))
    try:
        upgrade(connection, schema.migrations, version, schema.version)
    except Exception as error:
        reason = str(error).partition("\n")[0]  # what follows is about SQLAlchemy
        raise StoreError(
            f"{path} could not be brought from schema {version} to {schema.version} and is unchanged "
            f"({type(error).__name__}: {reason}). A copy of it stands at {copy}"
        ) from error
    _log.info("store migration finished", schema=schema.version)


def _age(path: Path) -> float:
    return path.stat().st_mtime
