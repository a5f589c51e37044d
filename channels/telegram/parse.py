"""One update of the Bot API, as it came over the wire, -> events. Pure.

It reads the JSON itself: an update that the library cannot build an object from would take the whole batch with it
(`Bot.get_updates` of python-telegram-bot 22.8 parses all or nothing), and building objects costs five times more.
Every field is checked for its type before it is used; what does not fit is dropped with a reason, never raised.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from channels.capabilities import Surface
from channels.events import (
    Address,
    Event,
    Membership,
    MembershipChange,
    Message,
    MessageEdited,
    Pressed,
    Reaction,
)
from channels.telegram.content import attachments_of, is_id, text_of, text_without_mention
from channels.telegram.fields import (
    Json,
    Me,
    Odd,
    a_time,
    a_user,
    a_whole,
    an_object,
    the_address,
    the_sender,
)
from channels.telegram.text import wash

# What the channel asks Telegram for (Bot API docs, Update; reactions come only when named).
# A server that does not know one of them passes over it (tdlib/telegram-bot-api, Client.cpp, 2026-11; assumed).
WANTED = (
    "message",
    "edited_message",
    "callback_query",
    "my_chat_member",
    "message_reaction",
    "stopped_message_generation",
)

_NAMED_COMMAND = re.compile(r"/\w{1,32}@(\w{1,64})", re.ASCII)

# What the button under a preview does; the one under a message carries the same as its data.
STOP = "stop"


@dataclass(frozen=True, slots=True)
class Parsed:
    """What an update holds. `dropped` says why there are no events; `press` is a callback query to answer.

    `migrated`: (old, new) chat id when a group became a supergroup. `album`: what the parts of one album share.
    """

    events: tuple[Event, ...] = ()
    dropped: str = ""
    press: str = ""
    migrated: tuple[int, int] | None = None
    album: str = ""


def parse(update: Any, me: Me) -> Parsed:
    """The events of one update. Never raises."""
    if not isinstance(update, dict):
        return Parsed(dropped="not_an_object")
    for kind, reader in _READERS.items():
        if kind in update:
            try:
                return reader(update[kind], update.get("update_id"), me)
            except Odd as odd:
                return Parsed(dropped=str(odd))
    return Parsed(dropped="unknown_kind")


def update_id(update: Any) -> int | None:
    """The id by which an update is confirmed, None when it has none."""
    found = update.get("update_id") if isinstance(update, dict) else None
    return found if type(found) is int else None


def _is_addressed(message: Json, text: str, entities: list[Any], me: Me) -> bool:
    """A mention of the bot, a command for it by name, or a reply to it. In private everything is."""
    if message["chat"]["id"] > 0:
        return True
    name = f"@{me.username}"
    units: bytes | None = None
    for entity in entities:
        if not isinstance(entity, dict):
            continue
        kind, offset, length = entity.get("type"), entity.get("offset"), entity.get("length")
        if kind == "text_mention":
            user = entity.get("user")
            if isinstance(user, dict) and user.get("id") == me.id:
                return True
        elif kind in ("mention", "bot_command") and type(offset) is int and type(length) is int:
            if units is None:
                units = text.encode("utf-16-le", "surrogatepass")
            said = units[2 * offset : 2 * (offset + length)].decode("utf-16-le", "replace").lower()
            if said == name or (kind == "bot_command" and said.endswith(name)):
                return True
    return _is_reply_to(message, me)


def _is_for_another(text: str, me: Me) -> bool:
    """A command that names another bot ("/stop@other_bot"): Bot API docs, Commands (2026-11)."""
    named = _NAMED_COMMAND.match(text)
    return named is not None and bool(me.username) and named[1].lower() != me.username


def _is_reply_to(message: Json, me: Me) -> bool:
    parent = message.get("reply_to_message")
    if not isinstance(parent, dict):
        return False
    if message.get("is_topic_message") is True and parent.get("message_id") == message.get(
        "message_thread_id"
    ):
        return False  # the message that opened a topic is named as the parent of all that answer nobody
    author = parent.get("from")
    return isinstance(author, dict) and author.get("id") == me.id


# -- readers, one for each kind


def _message(value: Any, _number: Any, me: Me) -> Parsed:
    message = an_object(value, "message")
    message_id = a_whole(message.get("message_id"), "message_id")
    address = the_address(message, me, reply_to=message_id)
    moved = message.get("migrate_to_chat_id")
    if type(moved) is int:
        return Parsed(dropped="migrated", migrated=(int(address.key.space), moved))
    sender = the_sender(message)
    if sender.id == str(me.id):
        return Parsed(dropped="own")
    text, entities = text_of(message)
    attachments = attachments_of(message)
    if not text and not attachments:
        return Parsed(dropped="no_content")
    if _is_for_another(text, me):
        return Parsed(dropped="for_another")
    addressed = _is_addressed(message, text, entities, me)
    event = Message(
        event_key=f"m:{address.key.space}:{message_id}",
        message_id=str(message_id),
        address=address,
        sender=sender,
        text=wash(text_without_mention(text, me.username)),
        sent_at=a_time(message.get("date")),
        attachments=attachments,
        addressed=addressed,
        # Bot API docs, Message: forward_origin stands in every forwarded message, via_bot in one that an inline bot
        # wrote, of which its sender has seen no more than the title (2026-11).
        quotes="forward_origin" in message or "via_bot" in message,
    )
    return Parsed((event,), album=_album(message, address))


def _album(message: Json, address: Address) -> str:
    """Bot API docs, Message: media_group_id is the same for all parts of an album, and theirs alone."""
    group = message.get("media_group_id")
    if not is_id(group):
        return ""
    return f"{address.key.space}:{group}"


def _edited(value: Any, number: Any, me: Me) -> Parsed:
    message = an_object(value, "message")
    message_id = a_whole(message.get("message_id"), "message_id")
    address = the_address(message, me, reply_to=message_id)
    sender = the_sender(message)
    if sender.id == str(me.id):
        return Parsed(dropped="own")
    text, entities = text_of(message)
    if not text:
        return Parsed(dropped="no_content")
    edited_at = message.get("edit_date", message.get("date"))
    event = MessageEdited(
        event_key=f"e:{address.key.space}:{message_id}:{edited_at}:{number}",
        message_id=str(message_id),
        address=address,
        sender=sender,
        text=wash(text_without_mention(text, me.username)),
        sent_at=a_time(edited_at),
        addressed=_is_addressed(message, text, entities, me),
    )
    return Parsed((event,), album=_album(message, address))


def _pressed(value: Any, _number: Any, me: Me) -> Parsed:
    query = an_object(value, "callback_query")
    press, action = query.get("id"), query.get("data")
    if not isinstance(press, str) or not is_id(press):
        raise Odd("no_id")
    message = query.get("message")
    if not isinstance(action, str) or not isinstance(message, dict):
        return Parsed(dropped="no_content", press=press)  # a game, or a message that was sent inline
    message_id = a_whole(message.get("message_id"), "message_id")
    event = Pressed(
        event_key=f"p:{press}",
        message_id=str(message_id),
        address=the_address(message, me, reply_to=message_id),
        sender=a_user(query.get("from")),
        action=wash(action),
    )
    return Parsed((event,), press=press)


def _stopped(value: Any, number: Any, me: Me) -> Parsed:
    """The button under a preview (Bot API docs, MessageGenerationStopped, 10.3): private chats only, so we know who."""
    stopped = an_object(value, "message_generation")
    chat = an_object(stopped.get("chat"), "chat")
    draft = a_whole(stopped.get("draft_id"), "draft_id")
    topic = stopped.get("message_thread_id")
    address = the_address(
        {"chat": chat, "message_thread_id": topic, "is_topic_message": type(topic) is int}, me
    )
    if address.surface is not Surface.DIRECT:
        return Parsed(dropped="no_content")
    event = Pressed(
        event_key=f"s:{address.key.space}:{draft}:{number}",
        message_id=str(draft),
        address=address,
        sender=a_user(chat),
        action=STOP,
    )
    return Parsed((event,))


_INSIDE = ("member", "administrator", "creator")


def _is_inside(member: Json) -> bool:
    status = member.get("status")
    return status in _INSIDE or (status == "restricted" and member.get("is_member") is True)


def _membership(value: Any, number: Any, me: Me) -> Parsed:
    change = an_object(value, "my_chat_member")
    old, new = (
        an_object(change.get("old_chat_member"), "member"),
        an_object(change.get("new_chat_member"), "member"),
    )
    was, now = _is_inside(old), _is_inside(new)
    if was == now:
        return Parsed(dropped="same_membership")  # promoted, restricted and the like
    if now:
        what = MembershipChange.JOINED
    else:
        what = MembershipChange.KICKED if new.get("status") == "kicked" else MembershipChange.LEFT
    address = the_address(change, me)
    event = Membership(
        event_key=f"c:{address.key.space}:{change.get('date')}:{number}",
        message_id="",
        address=address,
        sender=a_user(change.get("from")),
        change=what,
    )
    return Parsed((event,))


def _reaction(value: Any, number: Any, me: Me) -> Parsed:
    change = an_object(value, "message_reaction")
    message_id = a_whole(change.get("message_id"), "message_id")
    address = the_address(change, me)
    actor = change.get("actor_chat")
    sender = the_sender({"sender_chat": actor}) if isinstance(actor, dict) else a_user(change.get("user"))
    old, new = _emoji(change.get("old_reaction")), _emoji(change.get("new_reaction"))
    changes = [(emoji, False) for emoji in old if emoji not in new]
    changes += [(emoji, True) for emoji in new if emoji not in old]
    events = tuple(
        Reaction(
            event_key=f"r:{address.key.space}:{message_id}:{number}:{place}",
            message_id=str(message_id),
            address=address,
            sender=sender,
            emoji=emoji,
            added=added,
        )
        for place, (emoji, added) in enumerate(changes)
    )
    return Parsed(events, dropped="" if events else "no_content")


_MAX_EMOJI = 64


def _emoji(value: Any) -> list[str]:
    found = []
    for one in value if isinstance(value, list) else ():
        if isinstance(one, dict):
            name = one.get("emoji") or one.get("custom_emoji_id") or one.get("type")
            if isinstance(name, str) and (name := wash(name).strip()):
                found.append(name[:_MAX_EMOJI])
    return found[:20]


_READERS: dict[str, Callable[[Any, Any, Me], Parsed]] = {
    "message": _message,
    "edited_message": _edited,
    "callback_query": _pressed,
    "my_chat_member": _membership,
    "message_reaction": _reaction,
    "stopped_message_generation": _stopped,
}
