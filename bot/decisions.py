"""Recorded decisions as the command line is told them. Pure."""

from __future__ import annotations

from typing import Any

from bot.store.base import TurnRecord


def is_decided(row: TurnRecord) -> bool:
    """Whether a turn's decision was recorded."""
    return bool(row.detail.get("decision"))


def plain(row: TurnRecord) -> dict[str, Any]:
    """A turn with its decision, as values."""
    return {
        "turn_id": row.turn_id,
        "conversation": row.key,
        "outcome": str(row.outcome),
        "model": row.model,
        "ended_at": row.ended_at,
        **row.detail,
    }
