"""Messages as Slack takes them: Markdown, and buttons under it. Pure.

Slack docs, Block Kit reference and chat.postMessage (2026-11): `markdown_text` cannot be combined with `blocks`, so a
message with buttons holds a `markdown` block; action_id up to 255 characters, a label up to 75, 25 buttons in a block.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from channels.errors import Refused
from channels.events import Action
from channels.slack.mrkdwn import summary

PREFIX = "firstword:"
MAX_ID = 255 - len(PREFIX)
_MAX_LABEL = 75
_MAX_BUTTONS = 25


def buttons(actions: Sequence[Action]) -> list[dict[str, Any]]:
    """The block that holds them; none for no actions. Raises Refused for an id that is too long."""
    if not actions:
        return []
    elements = []
    for action in actions[:_MAX_BUTTONS]:
        if not 1 <= len(action.id) <= MAX_ID:
            raise Refused("action_id_too_long", f"an action's id has 1 to {MAX_ID} characters")
        label = (action.label or action.id)[:_MAX_LABEL]
        elements.append(
            {
                "type": "button",
                "text": {"type": "plain_text", "text": label, "emoji": True},
                "action_id": PREFIX + action.id,
                "value": action.id,
            }
        )
    return [{"type": "actions", "elements": elements}]


def content(markdown: str, actions: Sequence[Action], *, replaces: bool) -> dict[str, Any]:
    """The arguments that make a message read `markdown`, rendered already.

    `replaces`: of a message that may have blocks. Those stay unless new ones are named (docs, chat.update), so they
    always are then; `text` is what a notification reads.
    """
    if not actions and not replaces:
        return {"markdown_text": markdown}
    return {"blocks": [{"type": "markdown", "text": markdown}, *buttons(actions)], "text": summary(markdown)}


def action_of(element: dict[str, Any]) -> str | None:
    """The action that a pressed element stands for; None when it is none of ours."""
    found = element.get("action_id")
    if isinstance(found, str) and found.startswith(PREFIX) and len(found) > len(PREFIX):
        return found.removeprefix(PREFIX)
    return None
