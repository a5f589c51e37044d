"""The JSON objects of Slack: message, channel, user, bot, file, event wrapper. Pure but for the workspace read.

Sources (2026-11): Slack docs, "message event" and its subtypes, "Event type: assistant_thread_started",
conversations.history, "Events API > callback field overview"; node-slack-sdk#2371 for `streaming_state`.
"""

from __future__ import annotations

from typing import Any

from . import text
from .state import Channel, Message, Workspace

CHANNEL_TYPES = {"channel": "channel", "group": "group", "im": "im", "mpim": "mpim"}


def message_json(
    workspace: Workspace, channel: Channel, message: Message, *, metadata: bool = False, counts: bool = False
) -> dict[str, Any]:
    """A message as history, an event or an answer carries it."""
    found: dict[str, Any] = {
        "type": "message",
        "user": message.user,
        "text": message.text,
        "ts": message.ts,
        "team": workspace.identity.team,
        "blocks": _blocks(message),
    }
    if message.subtype:
        found["subtype"] = message.subtype
    if message.bot_id:
        found["bot_id"] = message.bot_id
        found["app_id"] = workspace.identity.app
        found["bot_profile"] = bot_json(workspace)
    if message.thread_ts is not None:
        found["thread_ts"] = message.thread_ts
        parent = channel.messages.get(message.thread_ts)
        if parent is not None and parent.ts != message.ts:
            found["parent_user_id"] = parent.user
    if message.edited is not None:
        found["edited"] = message.edited
    if message.files:
        found["files"] = message.files
    if message.state:
        # The documented values; how a stream that was cut off is called there is not documented.
        found["streaming_state"] = "completed" if message.state == "stopped" else message.state
    if message.reactions:
        found["reactions"] = [
            {"name": name, "users": users, "count": len(users)} for name, users in message.reactions.items()
        ]
    if metadata and message.metadata:
        found["metadata"] = message.metadata
    if counts and (replies := channel.thread(message.ts)):
        found["thread_ts"] = message.ts
        found["reply_count"] = len(replies)
        found["reply_users"] = sorted({reply.user for reply in replies})
        found["reply_users_count"] = len(found["reply_users"])
        found["latest_reply"] = replies[-1].ts
    return {**found, **message.extra}


def _blocks(message: Message) -> list[dict[str, Any]]:
    """Text and Markdown come back as a rich_text block; whose inner form is only roughly Slack's here."""
    if message.markdown is None and message.blocks:
        return message.blocks
    if message.markdown is not None:
        inner = [{"type": "text", "text": message.markdown}] if message.markdown else []
    else:
        inner = text.rich_elements(message.text)
    rich = {
        "type": "rich_text",
        "block_id": f"b{message.ts.replace('.', '')}",
        "elements": [{"type": "rich_text_section", "elements": inner}],
    }
    return [rich, *message.blocks] if inner else list(message.blocks)


def message_event(workspace: Workspace, channel: Channel, message: Message) -> dict[str, Any]:
    """The `message` event of a new message."""
    return {
        **message_json(workspace, channel, message),
        "channel": channel.id,
        "channel_type": CHANNEL_TYPES[channel.kind],
        "event_ts": message.ts,
    }


def changed_event(
    workspace: Workspace, channel: Channel, message: Message, before: dict[str, Any]
) -> dict[str, Any]:
    """`message_changed`: has no user of its own; the new and the old message are inside."""
    ts = workspace.new_ts()
    return {
        "type": "message",
        "subtype": "message_changed",
        "message": {**message_json(workspace, channel, message), "source_team": workspace.identity.team},
        "previous_message": before,
        "channel": channel.id,
        "channel_type": CHANNEL_TYPES[channel.kind],
        "hidden": True,
        "ts": ts,
        "event_ts": ts,
    }


def deleted_event(workspace: Workspace, channel: Channel, message: Message) -> dict[str, Any]:
    ts = workspace.new_ts()
    return {
        "type": "message",
        "subtype": "message_deleted",
        "deleted_ts": message.ts,
        "previous_message": message_json(workspace, channel, message),
        "channel": channel.id,
        "channel_type": CHANNEL_TYPES[channel.kind],
        "hidden": True,
        "ts": ts,
        "event_ts": ts,
    }


def wrapped(workspace: Workspace, event: dict[str, Any], event_id: str) -> dict[str, Any]:
    """The outer body of an event."""
    identity = workspace.identity
    return {
        "token": "verification-token-of-the-fake-slack",
        "team_id": identity.team,
        "context_team_id": identity.team,
        "context_enterprise_id": None,
        "api_app_id": identity.app,
        "event": event,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": int(workspace.now()),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": identity.team,
                "user_id": identity.bot_user,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
        "event_context": f"4-{event_id}",
    }


def bot_json(workspace: Workspace) -> dict[str, Any]:
    identity = workspace.identity
    return {
        "id": identity.bot,
        "deleted": False,
        "name": "Firstword",
        "updated": 1,
        "app_id": identity.app,
        "user_id": identity.bot_user,
        "icons": {},
        "team_id": identity.team,
    }


def user_json(workspace: Workspace, user: str) -> dict[str, Any]:
    is_bot = user == workspace.identity.bot_user
    name = "firstword" if is_bot else workspace.people[user]
    return {
        "id": user,
        "team_id": workspace.identity.team,
        "name": name,
        "deleted": False,
        "real_name": name.title(),
        "tz": "Europe/Berlin",
        "profile": {"real_name": name.title(), "display_name": name, "team": workspace.identity.team},
        "is_bot": is_bot,
        "is_app_user": False,
        "updated": 1,
    }


def channel_json(workspace: Workspace, channel: Channel) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": channel.id,
        "created": 1_700_000_000,
        "is_archived": channel.is_archived,
        "is_channel": channel.kind == "channel",
        "is_group": channel.kind == "group",
        "is_im": channel.kind == "im",
        "is_mpim": channel.kind == "mpim",
        "is_private": channel.kind != "channel",
        "context_team_id": workspace.identity.team,
    }
    if channel.kind == "im":
        return {**found, "user": channel.user, "is_user_deleted": False, "is_org_shared": False}
    return {
        **found,
        "name": channel.name,
        "is_member": channel.is_member,
        "num_members": len(channel.members),
    }
