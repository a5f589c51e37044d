"""Who was let in beside the settings, who waits to be, and who changed it."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

_STATEMENTS = (
    """CREATE TABLE pairing (
        channel TEXT NOT NULL,
        account TEXT NOT NULL,
        sender TEXT NOT NULL,
        name TEXT NOT NULL,
        place TEXT NOT NULL,
        salt BLOB NOT NULL,
        digest BLOB NOT NULL,
        asked_at REAL NOT NULL,
        expires_at REAL NOT NULL,
        PRIMARY KEY (channel, account, sender)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE access_grant (
        channel TEXT NOT NULL,
        account TEXT NOT NULL,
        sender TEXT NOT NULL,
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        is_paired INTEGER NOT NULL,
        granted_at REAL NOT NULL,
        granted_by TEXT NOT NULL,
        PRIMARY KEY (channel, account, sender, is_paired)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE access_log (
        id INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        actor TEXT NOT NULL,
        way TEXT NOT NULL,
        what TEXT NOT NULL,
        about TEXT NOT NULL,
        detail TEXT NOT NULL
    ) STRICT""",
)


def upgrade() -> None:
    """Three tables, empty."""
    for statement in _STATEMENTS:
        op.execute(statement)
