"""Which model a conversation stays with: the one whose prompt cache holds it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.store.base import HistoryRow
from providers.base import Role
from routing.policy import Decision, Reason

IDLE = 600.0
"""Seconds after which a conversation is with nobody: providers keep a prompt for five minutes, some longer, and what
was a makeshift for a failure should not become a habit."""

REF = "ref"
_STAYING = frozenset({Reason.DEFAULT, Reason.PINNED, Reason.FELL_BACK, Reason.TOO_SLOW})


def pin_of(ref: str, decision: Decision) -> Mapping[str, Any]:
    """What to keep with an answer. What a person chose, or one question needed, pins nothing."""
    return {REF: ref} if decision.wanted is None and decision.reason in _STAYING else {}


def pinned(lines: Sequence[HistoryRow], now: float) -> str | None:
    """The ref of the model that the conversation is with. `now`: seconds since the epoch."""
    for row in reversed(lines):
        if now - row.at > IDLE:
            return None
        if row.role != Role.USER and row.note is not None and row.note.get(REF):
            return str(row.note[REF])
    return None
