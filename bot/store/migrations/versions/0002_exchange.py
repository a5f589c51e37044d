"""Answers keep what went between a model and its tools."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """One more column, empty for what was said before."""
    op.execute("ALTER TABLE history ADD COLUMN exchange TEXT")
