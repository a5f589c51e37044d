"""Rows know whose they are, messages how often their showing failed, conversations when they were used."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

_STATEMENTS = (
    "ALTER TABLE inbox ADD COLUMN sender TEXT",
    "ALTER TABLE inbox ADD COLUMN errors INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE history ADD COLUMN sender TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE conversation ADD COLUMN used_at REAL NOT NULL DEFAULT 0",
    # Until now every start counted as an attempt, of messages too that had only waited.
    "UPDATE inbox SET attempts = 0",
    """UPDATE inbox SET sender = json_extract(CAST(payload AS TEXT), '$.sender.id')
        WHERE payload IS NOT NULL AND json_valid(CAST(payload AS TEXT))""",
    """UPDATE history SET sender = coalesce(
        (SELECT inbox.sender FROM inbox WHERE inbox.turn_id = history.turn_id), '')""",
    "CREATE INDEX inbox_dead ON inbox (id) WHERE state = 'dead'",
    "CREATE INDEX inbox_sender ON inbox (sender, channel, account) WHERE sender IS NOT NULL",
    "CREATE INDEX history_sender ON history (sender, conversation) WHERE sender <> ''",
)


def upgrade() -> None:
    """Four columns and what can still be known of them."""
    for statement in _STATEMENTS:
        op.execute(statement)
