"""What was spent stands in sums by day, and what runs is held: no start adds up turns any more."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

_STATEMENTS = (
    """CREATE TABLE spend (
        day INTEGER NOT NULL,
        model TEXT NOT NULL,
        sender TEXT NOT NULL,
        conversation TEXT NOT NULL,
        usd REAL NOT NULL,
        requests INTEGER NOT NULL,
        PRIMARY KEY (day, model, sender, conversation)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE held (
        hold INTEGER PRIMARY KEY,
        turn_id TEXT NOT NULL,
        day INTEGER NOT NULL,
        model TEXT NOT NULL,
        sender TEXT NOT NULL,
        conversation TEXT NOT NULL,
        prompt_usd REAL NOT NULL,
        token_usd REAL NOT NULL
    ) STRICT""",
    """INSERT INTO spend (day, model, sender, conversation, usd, requests)
        SELECT CAST(turn.ended_at / 86400 AS INTEGER), turn.model,
            coalesce(inbox.channel || ':' || inbox.account || ':' || inbox.sender, ''), turn.conversation,
            sum(turn.cost_usd), count(*)
        FROM turn LEFT JOIN inbox ON inbox.turn_id = turn.turn_id
        WHERE turn.state = 'done' AND turn.cost_usd > 0 AND turn.ended_at IS NOT NULL
        GROUP BY 1, 2, 3, 4""",
)


def upgrade() -> None:
    """Two tables, one of them filled with what is known of ended turns."""
    for statement in _STATEMENTS:
        op.execute(statement)
