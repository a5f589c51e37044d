"""Actions as an inline keyboard. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from channels.errors import Refused
from channels.events import Action

# Bot API docs, InlineKeyboardButton (2026-11): callback_data is 1-64 bytes.
MAX_DATA_BYTES = 64
_MAX_LABEL = 64
_ROW_LABELS = 30
_ROW_BUTTONS = 4


def keyboard(actions: Sequence[Action]) -> dict[str, Any]:
    """The reply_markup: as many buttons in a row as are easy to read. Raises Refused for an id that is too long."""
    rows: list[list[dict[str, str]]] = []
    used = 0
    for action in actions:
        if not 1 <= len(action.id.encode()) <= MAX_DATA_BYTES:
            raise Refused("action_id_too_long", f"an action's id has 1 to {MAX_DATA_BYTES} bytes")
        label = (action.label or action.id)[:_MAX_LABEL]
        if not rows or used + len(label) > _ROW_LABELS or len(rows[-1]) >= _ROW_BUTTONS:
            rows.append([])
            used = 0
        rows[-1].append({"text": label, "callback_data": action.id})
        used += len(label)
    return {"inline_keyboard": rows}
