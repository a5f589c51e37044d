"""What happens in a workspace, as events for the app: which it gets at all, and under which id.

Sources (2026-11): Slack docs, "Events API": an app sees messages of conversations it is in, its own included;
app_mention comes in addition to the message event, and never in direct messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import shapes
from .deliveries import Delivery
from .state import Channel, Message

if TYPE_CHECKING:
    from .app import App


def emit(app: App, event: dict[str, Any], *, event_id: str = "", copies: int = 1) -> Delivery | None:
    """Hand one event over, if the app is subscribed to its kind ("message.im" or "message" name messages)."""
    wanted = app.workspace.settings.events
    kind = str(event["type"])
    full = f"{kind}.{event.get('channel_type')}"
    full = {"message.channel": "message.channels", "message.group": "message.groups"}.get(full, full)
    if wanted and kind not in wanted and full not in wanted:
        return None
    event_id = event_id or app.workspace.new_id("Ev0PEER")
    return app.dispatcher.send(
        "events_api", shapes.wrapped(app.workspace, event, event_id), event_id, copies=copies
    )


def emit_message(app: App, channel: Channel, message: Message) -> Delivery | None:
    """A message of the bot; it comes back to the app that sent it."""
    if not app.workspace.settings.echo or not channel.is_member or message.to:
        return None
    return emit(app, shapes.message_event(app.workspace, channel, message))


def emit_changed(app: App, channel: Channel, message: Message, before: dict[str, Any]) -> Delivery | None:
    is_own = message.bot_id == app.workspace.identity.bot
    if (is_own and not app.workspace.settings.echo) or not channel.is_member:
        return None
    return emit(app, shapes.changed_event(app.workspace, channel, message, before))


def emit_deleted(app: App, channel: Channel, message: Message) -> Delivery | None:
    is_own = message.bot_id == app.workspace.identity.bot
    if (is_own and not app.workspace.settings.echo) or not channel.is_member:
        return None
    return emit(app, shapes.deleted_event(app.workspace, channel, message))
