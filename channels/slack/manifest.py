"""The app's manifest, made of the command table: paste it at api.slack.com/apps, "From a manifest". Pure.

Slack docs, "App manifest reference" and the pages of scopes and events (2026-11). New apps have `agent_view`; its
predecessor `assistant_view` can only be kept ("Migrating to the Agent messaging experience").
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from channels.commands import CommandSpec

# What each scope is for; without one of them only that is missing.
SCOPES: dict[str, str] = {
    "app_mentions:read": "hear a mention",
    "assistant:write": "suggestions and titles in a chat with the bot",
    "channels:history": "hear messages in public channels",
    "channels:read": "know when it is invited or removed",
    "chat:write": "answer",
    "commands": "the slash command",
    "files:read": "open files",
    "groups:history": "hear messages in private channels",
    "groups:read": "know when it is invited to or removed from private channels",
    "im:history": "hear direct messages",
    "mpim:history": "hear messages in group chats",
    "reactions:read": "see reactions",
    "reactions:write": "a sign on a message that is not answered",
    "users:read": "names of people",
}
EVENTS = (
    "agent_session_stopped",
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "channel_archive",
    "channel_deleted",
    "channel_left",
    "group_archive",
    "group_deleted",
    "group_left",
    "member_joined_channel",
    "member_left_channel",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "reaction_added",
    "reaction_removed",
    "tokens_revoked",
)
COMMAND = "/firstword"
_MAX_HINT = 150


def manifest(commands: Sequence[CommandSpec], *, command: str = COMMAND, name: str = "Firstword") -> str:
    """The manifest as JSON, for Socket Mode. The same commands give the same text."""
    return json.dumps(_manifest(commands, command, name), indent=2, ensure_ascii=False) + "\n"


def _manifest(commands: Sequence[CommandSpec], command: str, name: str) -> dict[str, Any]:
    return {
        "_metadata": {"major_version": 2, "minor_version": 1},
        "display_information": {
            "name": name,
            "description": "Answers with a language model, from its first word on.",
            "background_color": "#2c2d30",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": False,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": name.lower(), "always_online": True},
            "agent_view": {"agent_description": "Ask anything; every message begins a conversation."},
            "slash_commands": [
                {
                    "command": command,
                    "description": "Ask, or give a command",
                    "usage_hint": hint(commands),
                    "should_escape": False,
                }
            ],
        },
        "oauth_config": {"scopes": {"bot": list(SCOPES)}},
        "settings": {
            "event_subscriptions": {"bot_events": list(EVENTS)},
            "interactivity": {"is_enabled": True},
            "org_deploy_enabled": False,
            "socket_mode_enabled": True,
            "token_rotation_enabled": False,
        },
    }


def hint(commands: Sequence[CommandSpec]) -> str:
    """The commands that everybody may use, as far as they fit one line."""
    found = ""
    for spec in commands:
        if not spec.is_for_everybody:
            continue
        word = spec.channel_names.get("slack", spec.name)
        longer = f"{found} | {word}" if found else word
        if len(longer) > _MAX_HINT:
            break
        found = longer
    return found or "help"
