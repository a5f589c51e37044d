"""The first schema. Frozen: what it creates is what the first release wrote."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

_STATEMENTS = (
    """CREATE TABLE inbox (
        id INTEGER PRIMARY KEY,
        channel TEXT NOT NULL,
        account TEXT NOT NULL,
        event_key TEXT NOT NULL,
        state TEXT NOT NULL,
        received_at REAL NOT NULL,
        turn_id TEXT,
        conversation TEXT,
        payload BLOB,
        edited TEXT,
        attempts INTEGER NOT NULL DEFAULT 0,
        error TEXT,
        UNIQUE (channel, account, event_key)
    ) STRICT""",
    "CREATE UNIQUE INDEX inbox_turn ON inbox (turn_id) WHERE turn_id IS NOT NULL",
    "CREATE INDEX inbox_new ON inbox (id) WHERE state = 'new'",
    """CREATE TABLE turn (
        id INTEGER PRIMARY KEY,
        turn_id TEXT NOT NULL UNIQUE,
        conversation TEXT NOT NULL,
        state TEXT NOT NULL,
        session INTEGER NOT NULL DEFAULT 1,
        text TEXT NOT NULL DEFAULT '',
        outcome TEXT,
        model TEXT NOT NULL DEFAULT '',
        cost_usd REAL,
        added_at REAL NOT NULL,
        started_at REAL,
        ended_at REAL,
        inbox_ids TEXT,
        parts TEXT,
        detail TEXT
    ) STRICT""",
    "CREATE INDEX turn_done ON turn (conversation, id) WHERE state = 'done'",
    """CREATE TABLE part (
        turn_id TEXT NOT NULL,
        part INTEGER NOT NULL,
        send_key TEXT NOT NULL,
        message_id TEXT NOT NULL,
        text TEXT,
        PRIMARY KEY (turn_id, part)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE history (
        id INTEGER PRIMARY KEY,
        conversation TEXT NOT NULL,
        session INTEGER NOT NULL,
        role TEXT NOT NULL,
        text TEXT NOT NULL,
        message_id TEXT NOT NULL,
        at REAL NOT NULL,
        speaker TEXT NOT NULL,
        outcome TEXT NOT NULL,
        turn_id TEXT NOT NULL,
        note TEXT,
        added_at REAL NOT NULL
    ) STRICT""",
    "CREATE INDEX history_session ON history (conversation, session, id)",
    """CREATE TABLE conversation (
        conversation TEXT PRIMARY KEY,
        session INTEGER NOT NULL,
        choices TEXT NOT NULL,
        handle TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE cursor (
        channel TEXT NOT NULL,
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (channel, account, name)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE choice (
        scope TEXT NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (scope, name)
    ) STRICT, WITHOUT ROWID""",
)


def upgrade() -> None:
    """Create every table and mark the file as ours."""
    for statement in _STATEMENTS:
        op.execute(statement)
    op.execute("PRAGMA application_id = 1180136308")
