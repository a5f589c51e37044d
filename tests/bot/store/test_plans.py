"""Every statement finds its rows by an index, however large the tables grow."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from bot.store import sql
from bot.store.connection import connect
from bot.store.migrate import ensure_schema


def _statements() -> dict[str, str]:
    found = {}
    for name, value in vars(sql).items():
        text = value.texts[2] if isinstance(value, sql.Rows) else value
        if isinstance(text, str) and text.startswith(("SELECT", "INSERT", "UPDATE", "DELETE")):
            found[name] = text
    return found


def test_the_statements_are_found() -> None:
    assert len(_statements()) > 30


@pytest.mark.parametrize("name", _statements())
def test_no_statement_walks_through_a_table(name: str, path: Path) -> None:
    text = _statements()[name]
    with closing(connect(path)) as connection:
        ensure_schema(connection, path)
        plan = connection.execute(f"EXPLAIN QUERY PLAN {text}", (1,) * text.count("?")).fetchall()
    walked = [step[3] for step in plan if step[3].startswith("SCAN")]
    allowed: tuple[str, ...] = (
        "CONSTANT ROW",
        "SCAN latest",
        "SCAN slice",
        "USING INDEX inbox_new",
        "INDEX inbox_dead",
    )
    if name == "TURNS":  # newest first and few of them, so it stops early
        allowed = ("SCAN turn",)
    assert [step for step in walked if not any(word in step for word in allowed)] == []
