"""New, current, older and newer files."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bot.errors import StoreError
from bot.store.connection import connect
from bot.store.migrate import CURRENT, KEPT_COPIES, Schema, copy_aside, ensure_schema, schema_version
from bot.store.migrations.run import upgrade
from bot.store.money import Cost, Spent
from bot.store.sqlite import SqliteStore, open_store
from tests.bot.store.examples import SOME_TIME, message

_NOW = CURRENT.version
_LATER = f"""
from alembic import op
import sqlalchemy as sa

revision = "{_NOW + 1:04d}"
down_revision = "{_NOW:04d}"

def upgrade():
    op.add_column("turn", sa.Column("flavour", sa.Text))
    op.create_index("turn_flavour", "turn", ["flavour"])
"""
_BROKEN = _LATER + "    op.execute('INSERT INTO nowhere VALUES (1)')\n"


def _next_schema(folder: Path, migration: str) -> Schema:
    """The schema after today's, as a later version would bring it."""
    shutil.copytree(CURRENT.migrations / "versions", folder / "versions")
    (folder / "versions" / f"{_NOW + 1:04d}_flavour.py").write_text(migration)
    more = ("ALTER TABLE turn ADD COLUMN flavour TEXT", "CREATE INDEX turn_flavour ON turn (flavour)")
    return Schema(_NOW + 1, (*CURRENT.statements, *more), folder)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _shape(connection: sqlite3.Connection) -> dict[str, Any]:
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    shape: dict[str, Any] = {
        "pragmas": [
            connection.execute(f"PRAGMA {name}").fetchone()
            for name in ("user_version", "application_id", "auto_vacuum")
        ],
        "sql": sorted(
            " ".join(row[0].split()).replace(" ,", ",").replace(" )", ")")  # ALTER TABLE sets them otherwise
            for row in connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")
        ),
    }
    for name in names:
        shape[name] = [
            connection.execute(f"PRAGMA table_xinfo({name})").fetchall(),
            sorted(row[1:] for row in connection.execute(f"PRAGMA index_list({name})")),
        ]
    return shape


def test_a_new_file_is_what_the_migrations_lead_to(tmp_path: Path) -> None:
    fresh, migrated = tmp_path / "fresh.db", tmp_path / "migrated.db"
    with closing(connect(fresh)) as one, closing(connect(migrated)) as other:
        assert ensure_schema(one, fresh) == 0
        upgrade(other, CURRENT.migrations, 0, CURRENT.version)
        assert _shape(one) == _shape(other)


async def test_an_older_file_is_migrated_with_its_rows_and_a_copy_kept(path: Path, tmp_path: Path) -> None:
    async with open_store(path) as store:
        await store.add_message(message("e1"), "t1", SOME_TIME)
    schema = _next_schema(tmp_path / "later", _LATER)
    fresh = tmp_path / "fresh.db"
    with closing(connect(path)) as old, closing(connect(fresh)) as new:
        assert ensure_schema(old, path, schema) == _NOW
        assert ensure_schema(new, fresh, schema) == 0
        assert schema_version(old) == _NOW + 1
        assert old.execute("SELECT turn_id, flavour FROM turn").fetchall() == [("t1", None)]
        assert _shape(old)["turn"] == _shape(new)["turn"]
        assert ensure_schema(old, path, schema) == _NOW + 1
    copy = path.with_name(f"store.db.schema-{_NOW}.copy")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    async with open_store(copy) as store:
        assert [turn.turn_id for turn in await store.pending()] == ["t1"]


async def test_a_migration_that_fails_leaves_the_file_as_it_was(path: Path, tmp_path: Path) -> None:
    async with open_store(path) as store:
        await store.add_message(message("e1"), "t1", SOME_TIME)
    with closing(connect(path)) as connection:
        before = _shape(connection)
        broken = _next_schema(tmp_path / "broken", _BROKEN)
        with pytest.raises(
            StoreError, match=rf"from schema {_NOW} to {_NOW + 1} and is unchanged.*nowhere.*copy"
        ):
            ensure_schema(connection, path, broken)
        assert _shape(connection) == before
        assert ensure_schema(connection, path, _next_schema(tmp_path / "mended", _LATER)) == _NOW
    with closing(connect(path)) as connection:
        assert connection.execute("SELECT turn_id FROM turn").fetchall() == [("t1",)]


async def test_a_newer_file_is_refused_and_left_alone(path: Path) -> None:
    async with open_store(path):
        pass
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 7")
    with pytest.raises(StoreError, match=rf"newer Firstword \(schema 7, this one knows {_NOW}\): update"):
        await SqliteStore.open(path)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (7,)


def test_old_copies_do_not_pile_up(path: Path) -> None:
    with closing(connect(path)) as connection:
        ensure_schema(connection, path)
        for version in range(1, 8):
            copy_aside(connection, path, version)
    names = sorted(one.name for one in path.parent.glob("*.copy"))
    assert names == [f"store.db.schema-{version}.copy" for version in (5, 6, 7)]
    assert len(names) == KEPT_COPIES
    assert list(path.parent.glob("*.unfinished")) == []


_OPEN_TWICE = """
import asyncio, sys
from pathlib import Path
from bot.store.sqlite import open_store
async def main():
    for _ in range(2):
        async with open_store(Path(sys.argv[1])) as store:
            await store.pending()
asyncio.run(main())
print(sorted(name for name in sys.modules if name.split(".")[0] in ("alembic", "sqlalchemy", "mako")))
"""


def test_opening_a_new_or_current_file_imports_no_migration_library(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _OPEN_TWICE, str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip().splitlines()[-1] == "[]"


async def test_what_ended_turns_cost_stands_in_the_sums_after_the_migrations(path: Path) -> None:
    with closing(connect(path)) as old:
        upgrade(old, CURRENT.migrations, 0, 4)
        for number, (day, usd) in enumerate([(20_000, 0.5), (20_000, 0.25), (20_001, 1.0), (20_001, None)]):
            old.execute(
                "INSERT INTO turn (turn_id, conversation, state, model, cost_usd, added_at, ended_at)"
                " VALUES (?, 'fake:main:room', 'done', 'a/m', ?, 0, ?)",
                (f"t{number}", usd, day * 86_400 + 60.0),
            )
        old.execute(
            "INSERT INTO inbox (channel, account, event_key, state, received_at, turn_id, sender)"
            " VALUES ('fake', 'main', 'e2', 'done', 0, 't2', 'u-1')"
        )
    async with open_store(path) as store:
        spent = await store.take_up_spending(20_001, 20_000)
        assert spent == Spent(1.0, 1.75, {"fake:main:u-1": 1.0}, {"fake:main:room": 1.0})
        assert await store.costs(20_000) == [Cost(20_001, "a/m", 1.0, 1), Cost(20_000, "a/m", 0.75, 2)]


async def test_what_the_first_release_wrote_is_read_after_the_migrations(path: Path) -> None:
    with closing(connect(path)) as old:
        upgrade(old, CURRENT.migrations, 0, 1)
        old.execute(
            "INSERT INTO history (conversation, session, role, text, message_id, at, speaker, outcome, turn_id,"
            " note, added_at) VALUES ('fake:main:1', 1, 'assistant', 'Noon.', '9', 1.5, '', 'done', 't1', NULL, 2)"
        )
    async with open_store(path) as store:
        (row,) = await store.history("fake:main:1", 1, 10)
    assert (row.text, row.at, row.exchange) == ("Noon.", 1.5, None)
