"""What Slack tells us, as it came over the wire, -> events. Pure.

Payloads: Slack docs, "Events API", "Slash commands", "Interaction payloads" and the page of each event (2026-11).
Every field is checked for its type before it is used; what does not fit is dropped with a reason, never raised.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from channels.capabilities import Surface
from channels.events import (
    Address,
    ConversationKey,
    Membership,
    MembershipChange,
    Message,
    MessageDeleted,
    MessageEdited,
    Pressed,
    Reaction,
    Sender,
)
from channels.slack.content import attachments_of, is_forward, text_of
from channels.slack.payload import (
    MAX_ID,
    Json,
    Known,
    Me,
    Odd,
    Opened,
    Parsed,
    a_ts,
    an_id,
    an_object,
    first_id,
    handle,
    string,
    thread_of,
    time_of,
)
from channels.slack.text import emoji, mentions, plain, without_mention

STOP = "stop"
_SLACKBOT = "USLACKBOT"
_COMMAND = re.compile(r"\s*[/!]([A-Za-z0-9_]{1,32})(?:\s|:|\Z)")
# Subtypes that a person says something with (docs, "message" event, subtypes).
_SAID = (None, "file_share", "thread_broadcast", "me_message")


def parse_event(payload: Any, me: Me, known: Known) -> Parsed:
    """The events of one `event_callback`. Never raises."""
    event = payload.get("event") if isinstance(payload, dict) else None
    if not isinstance(event, dict):
        return Parsed(dropped="not_an_object")
    kind = event.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        return Parsed(dropped="unknown_kind")
    try:
        return reader(event, payload, me, known)
    except Odd as odd:
        return Parsed(dropped=str(odd))


def space_kind(channel: str) -> str:
    """The channel_type that an id tells of, for messages that come without one."""
    return "im" if channel.startswith("D") else "channel"


def _is_direct(event: Json, channel: str) -> bool:
    return event.get("channel_type") == "im" or channel.startswith("D")


def _place(
    event: Json, me: Me, spot: tuple[str, str | None, str], way: str, *, is_addressed: bool
) -> Address:
    """Where the answer to it stands. `spot`: its channel, thread and id."""
    channel, thread, ts = spot
    is_direct = _is_direct(event, channel)
    opens = me.threads_direct if is_direct else (me.threads_channel and is_addressed)
    if thread is None and opens and not (is_direct and _is_command(event, me)):
        thread = ts
    surface = Surface.DIRECT if is_direct else Surface.GROUP if thread is None else Surface.THREAD
    return Address(ConversationKey("slack", me.account, channel, thread), surface, handle=way)


def _is_command(event: Json, me: Me) -> bool:
    """Something like "!model fast": answered at once, beside whatever is going on."""
    inner = {"message_changed": "message", "message_deleted": "previous_message"}
    message = event.get(inner[kind]) if (kind := string(event.get("subtype"))) in inner else event
    match = _COMMAND.match(string(message.get("text")) if isinstance(message, dict) else "")
    return match is not None and match.group(1).lower() in me.commands


def _strangers(names: Mapping[str, str], *ids: str) -> tuple[str, ...]:
    return tuple(one for one in dict.fromkeys(ids) if one and one not in names)[:10]


def _is_own(message: Json, me: Me) -> bool:
    return message.get("user") == me.user or (bool(me.bot) and message.get("bot_id") == me.bot)


def _author(message: Json, me: Me) -> str:
    """Who wrote it. Raises Odd for the bot itself, other bots and Slack."""
    if _is_own(message, me):
        raise Odd("own")
    if message.get("bot_id") is not None or message.get("subtype") == "bot_message":
        raise Odd("bot")
    user = an_id(message.get("user"), "sender")
    if user == _SLACKBOT:
        raise Odd("bot")
    return user


# -- readers, one for each kind


def _message(event: Json, payload: Json, me: Me, known: Known) -> Parsed:
    subtype = event.get("subtype")
    if subtype == "message_changed":
        return _changed(event, payload, me, known)
    if subtype == "message_deleted":
        return _deleted(event, payload, me)
    if subtype not in _SAID:
        return Parsed(dropped="own" if _is_own(event, me) else "subtype")
    user = _author(event, me)
    channel, ts, thread = an_id(event.get("channel"), "channel"), a_ts(event.get("ts")), thread_of(event)
    raw, attachments = text_of(event), attachments_of(event)
    if not raw.strip() and not attachments:
        return Parsed(dropped="no_content")
    said = mentions(raw)
    is_direct = _is_direct(event, channel)
    addressed = is_direct or me.user in said
    team = string(event.get("user_team")) or string(event.get("team")) or string(payload.get("team_id"))
    found = Message(
        event_key=f"m:{channel}:{ts}",
        message_id=ts,
        address=_place(
            event, me, (channel, thread, ts), handle(user, team or me.team), is_addressed=addressed
        ),
        sender=Sender(user, known.names.get(user, "")),
        text=plain(without_mention(raw, me.user), known.names).strip(),
        sent_at=time_of(ts),
        attachments=attachments,
        addressed=addressed,
        quotes=is_forward(event),
    )
    # In a thread somebody who turns to another person by name does not mean the bot.
    follows = thread is not None and not addressed and not said
    return Parsed((found,), is_follow_up=follows, strangers=_strangers(known.names, user, *said))


def _changed(event: Json, payload: Json, me: Me, known: Known) -> Parsed:
    message, before = an_object(event.get("message"), "message"), event.get("previous_message")
    old = before if isinstance(before, dict) else {}
    channel, ts = an_id(event.get("channel"), "channel"), a_ts(message.get("ts"))
    if message.get("subtype") == "tombstone":  # the root of a thread was deleted, its answers stay
        return _gone(event, {**message, **old}, ts, payload, me)
    user = _author(message, me)
    if message.get("subtype") not in _SAID:
        return Parsed(dropped="subtype")
    raw = text_of(message)
    if before is not None and raw == text_of(old):
        return Parsed(dropped="same_text")  # a preview was added, a thread has grown
    if not raw.strip():
        return Parsed(dropped="no_content")
    edited = message.get("edited")
    at = edited.get("ts") if isinstance(edited, dict) else event.get("event_ts") or event.get("ts")
    changed_at = a_ts(at, "edited")
    is_direct = _is_direct(event, channel)
    addressed = is_direct or me.user in mentions(raw)
    was = addressed or me.user in mentions(text_of(old))
    spot = (channel, thread_of(message), ts)
    address = _place(event, me, spot, handle(user, _team_of(payload, me)), is_addressed=was)
    found = MessageEdited(
        event_key=f"e:{channel}:{ts}:{changed_at}",
        message_id=ts,
        address=address,
        sender=Sender(user, known.names.get(user, "")),
        text=plain(without_mention(raw, me.user), known.names).strip(),
        sent_at=time_of(changed_at),
        addressed=addressed,
    )
    follows = thread_of(message) is not None and not addressed and not mentions(raw)
    return Parsed((found,), is_follow_up=follows)


def _team_of(payload: Json, me: Me) -> str:
    return string(payload.get("team_id")) or me.team


def _deleted(event: Json, payload: Json, me: Me) -> Parsed:
    before = event.get("previous_message")
    old = before if isinstance(before, dict) else {}
    return _gone(event, old, a_ts(event.get("deleted_ts") or old.get("ts"), "deleted_ts"), payload, me)


def _gone(event: Json, old: Json, ts: str, payload: Json, me: Me) -> Parsed:
    if _is_own(old, me):
        return Parsed(dropped="own")
    if old.get("bot_id") is not None:
        return Parsed(dropped="bot")
    channel = an_id(event.get("channel"), "channel")
    addressed = me.user in mentions(text_of(old))
    user = string(old.get("user"))[:MAX_ID]
    spot = (channel, thread_of(old), ts)
    address = _place(event, me, spot, handle(user, _team_of(payload, me)), is_addressed=addressed)
    # Slack does not say who deleted it: its author or an administrator.
    return Parsed((MessageDeleted(f"d:{channel}:{ts}", ts, address, Sender(user) if user else None),))


def _reaction(event: Json, payload: Json, me: Me, known: Known) -> Parsed:
    item = an_object(event.get("item"), "item")
    if item.get("type") != "message":
        return Parsed(dropped="no_content")
    user = an_id(event.get("user"), "sender")
    if user == me.user:
        return Parsed(dropped="own")
    channel, ts = an_id(item.get("channel"), "channel"), a_ts(item.get("ts"))
    name = an_id(event.get("reaction"), "reaction", 200)
    added = event.get("type") == "reaction_added"
    thread = known.threads.get(f"{channel}:{ts}")
    is_direct = channel.startswith("D")
    surface = Surface.DIRECT if is_direct else Surface.GROUP if thread is None else Surface.THREAD
    key = ConversationKey("slack", me.account, channel, thread)
    found = Reaction(
        event_key=f"r:{channel}:{ts}:{user}:{name}:{first_id(event.get('event_ts'))}:{int(added)}",
        message_id=ts,
        address=Address(key, surface, handle=handle(user, _team_of(payload, me))),
        sender=Sender(user, known.names.get(user, "")),
        emoji=emoji(name),
        added=added,
    )
    return Parsed((found,))


def _membership(event: Json, payload: Json, me: Me, _known: Known) -> Parsed:
    kind = string(event.get("type"))
    channel = event.get("channel")
    channel = an_id(channel.get("id") if isinstance(channel, dict) else channel, "channel")
    if kind in ("member_joined_channel", "member_left_channel") and event.get("user") != me.user:
        return Parsed(dropped="somebody_else")
    actor = first_id(event.get("inviter"), event.get("actor_id"), event.get("user"))
    if kind == "member_joined_channel":
        change = MembershipChange.JOINED
    elif kind in ("channel_left", "group_left") and actor and actor != me.user:
        change = MembershipChange.KICKED
    else:
        change = MembershipChange.LEFT
    when = first_id(event.get("event_ts"), payload.get("event_id"))
    surface = Surface.DIRECT if channel.startswith("D") else Surface.GROUP
    found = Membership(
        event_key=f"c:{channel}:{kind}:{when}",
        message_id="",
        address=Address(ConversationKey("slack", me.account, channel), surface),
        sender=Sender(actor or me.user),
        change=change,
    )
    return Parsed((found,))


def _stopped(event: Json, payload: Json, me: Me, known: Known) -> Parsed:
    """Slack's own stop button over an answer that is being streamed (docs, agent_session_stopped)."""
    channel, user = an_id(event.get("channel"), "channel"), an_id(event.get("user"), "sender")
    thread = thread_of(event)
    streams = event.get("streaming_message_ts")
    first = streams[0] if isinstance(streams, list) and streams else None
    message_id = a_ts(first) if first is not None else ""
    surface = Surface.DIRECT if channel.startswith("D") else Surface.THREAD if thread else Surface.GROUP
    key = ConversationKey("slack", me.account, channel, thread)
    when = first_id(event.get("event_ts"))
    found = Pressed(
        event_key=f"p:{when}:{user}:{message_id or thread}",
        message_id=message_id,
        address=Address(key, surface, message_id or None, handle(user, _team_of(payload, me))),
        sender=Sender(user, known.names.get(user, "")),
        action=STOP,
    )
    return Parsed((found,), stopped=(channel, thread))


def _thread_started(event: Json, payload: Json, me: Me, _known: Known) -> Parsed:
    thread = an_object(event.get("assistant_thread"), "assistant_thread")
    channel, user = an_id(thread.get("channel_id"), "channel"), an_id(thread.get("user_id"), "sender")
    return Parsed(
        opened=Opened(channel, a_ts(thread.get("thread_ts"), "thread_ts"), user, _team_of(payload, me))
    )


def _home_opened(event: Json, payload: Json, me: Me, _known: Known) -> Parsed:
    if event.get("tab") != "messages":
        return Parsed(dropped="no_content")
    channel, user = an_id(event.get("channel"), "channel"), an_id(event.get("user"), "sender")
    return Parsed(opened=Opened(channel, None, user, _team_of(payload, me)))


def _revoked(event: Json, _payload: Json, me: Me, _known: Known) -> Parsed:
    if event.get("type") == "app_uninstalled":
        return Parsed(revoked="the app was removed from the workspace")
    tokens = event.get("tokens")
    bots = tokens.get("bot") if isinstance(tokens, dict) else None
    if isinstance(bots, list) and me.user in bots:
        return Parsed(revoked="the bot token was revoked")
    return Parsed(dropped="somebody_else")


_Reader = Callable[[Json, Json, Me, Known], Parsed]
_READERS: dict[str, _Reader] = {
    "message": _message,
    "app_mention": _message,
    "reaction_added": _reaction,
    "reaction_removed": _reaction,
    "agent_session_stopped": _stopped,
    "assistant_thread_started": _thread_started,
    "app_home_opened": _home_opened,
    "app_uninstalled": _revoked,
    "tokens_revoked": _revoked,
    **dict.fromkeys(
        (
            "member_joined_channel",
            "member_left_channel",
            "channel_left",
            "group_left",
            "channel_archive",
            "group_archive",
            "channel_deleted",
            "group_deleted",
        ),
        _membership,
    ),
}
# What the app subscribes to without our reading it: no event of ours, and nothing odd.
QUIET = ("assistant_thread_context_changed", "app_context_changed")
