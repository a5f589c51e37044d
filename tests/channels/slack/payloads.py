"""Payloads as Slack documents them ("Events API", "Slash commands", "block_actions"; 2026-11), for tests of parsing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from channels.slack.payload import Known, Me

BOT = "U0BOT00001"
BOT_ID = "B0BOT00001"
TEAM = "T0TEAM0001"
PERSON = "U0PERSON01"
OTHER = "U0OTHER001"
DIRECT = "D0DIRECT01"
CHANNEL = "C0GENERAL1"
TS = "1700000000.000100"
LATER = "1700000060.000200"

ME = Me("main", BOT, BOT_ID, TEAM)
INLINE = Me("main", BOT, BOT_ID, TEAM, threads_direct=False, threads_channel=False)
NOBODY = Known()
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def envelope(event: dict[str, Any]) -> dict[str, Any]:
    """What the Events API wraps an event in."""
    return {
        "token": "verification",
        "team_id": TEAM,
        "api_app_id": "A0APP00001",
        "event": event,
        "type": "event_callback",
        "event_id": "Ev0EVENT01",
        "event_time": 1700000000,
    }


def message(text: str = "hello", **more: Any) -> dict[str, Any]:
    """A message event; in a direct chat unless `channel` says otherwise."""
    found = {
        "type": "message",
        "user": PERSON,
        "text": text,
        "ts": TS,
        "channel": DIRECT,
        "event_ts": TS,
        "team": TEAM,
        "client_msg_id": "c0ffee",
        **more,
    }
    kind = "im" if str(found["channel"]).startswith("D") else "channel"
    return {"channel_type": kind, **found}


def changed(text: str, before: str = "hello", **more: Any) -> dict[str, Any]:
    """A message_changed event."""
    old = message(before, **more)
    new = {**message(text, **more), "edited": {"user": PERSON, "ts": LATER}}
    return {
        "type": "message",
        "subtype": "message_changed",
        "hidden": True,
        "channel": old["channel"],
        "channel_type": old["channel_type"],
        "message": new,
        "previous_message": old,
        "ts": LATER,
        "event_ts": LATER,
    }


def deleted(**more: Any) -> dict[str, Any]:
    """A message_deleted event."""
    old = message(**more)
    return {
        "type": "message",
        "subtype": "message_deleted",
        "hidden": True,
        "channel": old["channel"],
        "channel_type": old["channel_type"],
        "deleted_ts": old["ts"],
        "previous_message": old,
        "ts": LATER,
        "event_ts": LATER,
    }


def reaction(name: str = "+1", kind: str = "reaction_added", **more: Any) -> dict[str, Any]:
    """A reaction to a message of the bot."""
    return {
        "type": kind,
        "user": PERSON,
        "reaction": name,
        "item": {"type": "message", "channel": CHANNEL, "ts": TS},
        "item_user": BOT,
        "event_ts": LATER,
        **more,
    }


def command(text: str, **more: Any) -> dict[str, Any]:
    """A slash command."""
    return {
        "command": "/firstword",
        "text": text,
        "user_id": PERSON,
        "user_name": "person",
        "channel_id": CHANNEL,
        "channel_name": "general",
        "team_id": TEAM,
        "trigger_id": "13345224609.738474920.8088930838d88f008e0",
        "response_url": "https://hooks.slack.com/commands/T/1/x",
        **more,
    }


def press(action_id: str = "firstword:stop", **more: Any) -> dict[str, Any]:
    """A press of a button under a message in a thread."""
    return {
        "type": "block_actions",
        "user": {"id": PERSON, "username": "person", "team_id": TEAM},
        "container": {"type": "message", "message_ts": LATER, "channel_id": CHANNEL, "thread_ts": TS},
        "channel": {"id": CHANNEL, "name": "general"},
        "message": {"ts": LATER, "thread_ts": TS, "bot_id": BOT_ID},
        "actions": [
            {"action_id": action_id, "block_id": "b", "value": "stop", "type": "button", "action_ts": LATER}
        ],
        "trigger_id": "1.2.3",
        "response_url": "https://hooks.slack.com/actions/T/1/x",
        **more,
    }
