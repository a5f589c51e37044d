"""Runs the migrations between two schema numbers in one transaction. Imports Alembic and SQLAlchemy."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import sqlalchemy
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory


def upgrade(connection: sqlite3.Connection, folder: Path, version: int, target: int) -> None:
    """Bring the open file from schema `version` to `target`, wholly or not at all.

    `folder` holds `versions/NNNN_name.py` with `revision = "NNNN"`, each the successor of the one before.
    Raises what the migration raised; then everything is rolled back.
    """
    scripts = ScriptDirectory(str(folder))
    wanted = list(scripts.iterate_revisions(_name(target), _name(version) if version else "base"))
    engine = sqlalchemy.create_engine(
        "sqlite://", creator=lambda: connection, poolclass=sqlalchemy.pool.StaticPool
    )
    with engine.connect() as wrapped:
        context = MigrationContext.configure(wrapped)
        connection.execute("BEGIN IMMEDIATE")
        try:
            with Operations.context(context):
                for revision in reversed(wanted):
                    revision.module.upgrade()
            connection.execute(f"PRAGMA user_version = {target:d}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _name(version: int) -> str:
    return f"{version:04d}"
