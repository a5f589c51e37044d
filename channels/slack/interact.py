"""Slash commands and presses of buttons -> events. Pure.

Payloads: Slack docs, "Slash commands" and "Interaction payloads", block_actions (2026-11).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from channels.capabilities import Surface
from channels.events import Address, ConversationKey, Message, Pressed, Sender
from channels.slack.blocks import action_of
from channels.slack.payload import (
    Json,
    Me,
    Odd,
    Parsed,
    a_ts,
    an_id,
    an_object,
    handle,
    string,
    thread_of,
)
from channels.slack.text import clean_name, plain, wash


def parse_command(payload: Any, me: Me, commands: Collection[str], now: datetime) -> Parsed:
    """The message that a slash command is: "/firstword model fast" -> "/model fast". Never raises.

    `commands`: the names that are commands; other words are said to the bot as they stand. `now`: when it was given,
    which the payload does not say.
    """
    if not isinstance(payload, dict):
        return Parsed(dropped="not_an_object")
    try:
        channel, user = an_id(payload.get("channel_id"), "channel"), an_id(payload.get("user_id"), "sender")
        trigger = an_id(payload.get("trigger_id"), "trigger", 200)
    except Odd as odd:
        return Parsed(dropped=str(odd))
    text, url = string(payload.get("text")).strip(), string(payload.get("response_url"))
    if not text:
        text = "/help"
    elif (
        text.lstrip("/!").split(maxsplit=1)[:1] and text.lstrip("/!").split(maxsplit=1)[0].lower() in commands
    ):
        text = "/" + text.lstrip("/!")
    key = ConversationKey("slack", me.account, channel)
    way = handle(user, string(payload.get("team_id")) or me.team, url)
    event = Message(
        event_key=f"s:{trigger}",
        message_id=f"s{trigger}",
        address=Address(key, Surface.COMMAND, handle=way, is_shared=not channel.startswith("D")),
        sender=Sender(user, clean_name(string(payload.get("user_name")))),
        text=plain(text, {}),
        sent_at=now,
    )
    return Parsed((event,), response_url=url)


def parse_press(payload: Any, me: Me) -> Parsed:
    """The button that a `block_actions` payload tells of. Never raises."""
    if not isinstance(payload, dict):
        return Parsed(dropped="not_an_object")
    if payload.get("type") != "block_actions":
        return Parsed(dropped="unknown_kind")
    try:
        return _pressed(payload, me)
    except Odd as odd:
        return Parsed(dropped=str(odd))


def _pressed(payload: Json, me: Me) -> Parsed:
    actions = payload.get("actions")
    first = an_object(actions[0] if isinstance(actions, list) and actions else None, "action")
    action = action_of(first)
    if action is None:
        return Parsed(dropped="somebody_else")
    container = payload.get("container")
    container = container if isinstance(container, dict) else {}
    message = payload.get("message")
    message = message if isinstance(message, dict) else {}
    place = payload.get("channel")
    channel = an_id(
        container.get("channel_id") or (place.get("id") if isinstance(place, dict) else None), "channel"
    )
    ts = a_ts(container.get("message_ts") or message.get("ts"))
    thread = thread_of(container) or thread_of(message)
    user = an_object(payload.get("user"), "sender")
    sender = an_id(user.get("id"), "sender")
    team = string(user.get("team_id")) or me.team
    surface = (
        Surface.DIRECT if channel.startswith("D") else Surface.GROUP if thread is None else Surface.THREAD
    )
    key = ConversationKey("slack", me.account, channel, thread)
    event = Pressed(
        event_key=f"p:{channel}:{ts}:{sender}:{an_id(first.get('action_ts'), 'action_ts')}",
        message_id=ts,
        address=Address(key, surface, ts, handle(sender, team)),
        sender=Sender(sender, clean_name(string(user.get("name")) or string(user.get("username")))),
        action=wash(action),
    )
    return Parsed((event,), response_url=string(payload.get("response_url")))
