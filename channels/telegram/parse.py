"""One update of the Bot API, as it came over the wire, -> events. Pure.

It reads the JSON itself: an update that the library cannot build an object from would take the whole batch with it
(`Bot.get_updates` of python-telegram-bot 22.8 parses all or nothing), and building objects costs five times more.
Every field is checked for its type before it is used; what does not fit is dropped with a reason, never raised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from channels.capabilities import Surface
from channels.events import (
    Address,
    ConversationKey,
    Event,
    Membership,
    MembershipChange,
    Message,
    MessageEdited,
    Pressed,
    Reaction,
    Sender,
)
from channels.telegram.content import attachments_of, is_id, text_of, text_without_mention
from channels.telegram.text import clean_name, wash

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

# What the button under a preview does; the one under a message carries the same as its data.
STOP = "stop"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Me:
    """Who the bot is: what its updates are read against. `username` is in lower case, without "@"."""

    account: str
    id: int
    username: str


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


class _Odd(Exception):
    """The update has not the shape that the Bot API documents; the text names what is odd."""


def parse(update: Any, me: Me) -> Parsed:
    """The events of one update. Never raises."""
    if not isinstance(update, dict):
        return Parsed(dropped="not_an_object")
    for kind, reader in _READERS.items():
        if kind in update:
            try:
                return reader(update[kind], update.get("update_id"), me)
            except _Odd as odd:
                return Parsed(dropped=str(odd))
    return Parsed(dropped="unknown_kind")


def update_id(update: Any) -> int | None:
    """The id by which an update is confirmed, None when it has none."""
    found = update.get("update_id") if isinstance(update, dict) else None
    return found if type(found) is int else None


# -- pieces


def _object(value: Any, name: str) -> Json:
    if not isinstance(value, dict):
        raise _Odd(f"no_{name}")
    return value


def _whole(value: Any, name: str) -> int:
    if type(value) is not int:
        raise _Odd(f"no_{name}")
    return value


def _time(value: Any) -> datetime:
    if type(value) is int and 0 <= value < 2**33:
        return datetime.fromtimestamp(value, UTC)
    raise _Odd("no_date")


def _sender(message: Json) -> Sender:
    """Who wrote: an anonymous administrator or a channel is known by its chat, not by the stand-in bot."""
    chat = message.get("sender_chat")
    if isinstance(chat, dict) and type(chat.get("id")) is int:
        title = chat.get("title")
        return Sender(str(chat["id"]), clean_name(title) if isinstance(title, str) else "")
    return _user(message.get("from"))


def _user(value: Any) -> Sender:
    user = _object(value, "sender")
    names = [
        name for name in (user.get("first_name"), user.get("last_name")) if isinstance(name, str) and name
    ]
    number = _whole(user.get("id"), "sender")
    return Sender(str(number), clean_name(" ".join(names)), user.get("is_bot") is True)


def _address(message: Json, me: Me, *, reply_to: int | None = None) -> Address:
    chat = _object(message.get("chat"), "chat")
    space = _whole(chat.get("id"), "chat")
    if chat.get("is_direct_messages") is True:
        raise _Odd("direct_messages")  # letters to a channel: an answer would need a topic of another kind
    # message_thread_id also stands on plain replies in supergroups; only a topic is a place of its own.
    thread = message.get("message_thread_id") if message.get("is_topic_message") is True else None
    key = ConversationKey("telegram", me.account, str(space), str(thread) if type(thread) is int else None)
    if space > 0:
        return Address(key, Surface.DIRECT)
    surface = Surface.GROUP if key.thread is None else Surface.THREAD
    return Address(key, surface, None if reply_to is None else str(reply_to))


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
    message = _object(value, "message")
    message_id = _whole(message.get("message_id"), "message_id")
    address = _address(message, me, reply_to=message_id)
    moved = message.get("migrate_to_chat_id")
    if type(moved) is int:
        return Parsed(dropped="migrated", migrated=(int(address.key.space), moved))
    sender = _sender(message)
    if sender.id == str(me.id):
        return Parsed(dropped="own")
    text, entities = text_of(message)
    attachments = attachments_of(message)
    if not text and not attachments:
        return Parsed(dropped="no_content")
    addressed = _is_addressed(message, text, entities, me)
    event = Message(
        event_key=f"m:{address.key.space}:{message_id}",
        message_id=str(message_id),
        address=address,
        sender=sender,
        text=wash(text_without_mention(text, me.username)),
        sent_at=_time(message.get("date")),
        attachments=attachments,
        addressed=addressed,
    )
    return Parsed((event,), album=_album(message, address))


def _album(message: Json, address: Address) -> str:
    """Bot API docs, Message: media_group_id is the same for all parts of an album, and theirs alone."""
    group = message.get("media_group_id")
    if not is_id(group):
        return ""
    return f"{address.key.space}:{group}"


def _edited(value: Any, number: Any, me: Me) -> Parsed:
    message = _object(value, "message")
    message_id = _whole(message.get("message_id"), "message_id")
    address = _address(message, me, reply_to=message_id)
    sender = _sender(message)
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
        sent_at=_time(edited_at),
        addressed=_is_addressed(message, text, entities, me),
    )
    return Parsed((event,), album=_album(message, address))


def _pressed(value: Any, _number: Any, me: Me) -> Parsed:
    query = _object(value, "callback_query")
    press, action = query.get("id"), query.get("data")
    if not isinstance(press, str) or not is_id(press):
        raise _Odd("no_id")
    message = query.get("message")
    if not isinstance(action, str) or not isinstance(message, dict):
        return Parsed(dropped="no_content", press=press)  # a game, or a message that was sent inline
    message_id = _whole(message.get("message_id"), "message_id")
    event = Pressed(
        event_key=f"p:{press}",
        message_id=str(message_id),
        address=replace(_address(message, me), reply_to=str(message_id)),
        sender=_user(query.get("from")),
        action=wash(action),
    )
    return Parsed((event,), press=press)


def _stopped(value: Any, number: Any, me: Me) -> Parsed:
    """The button under a preview (Bot API docs, MessageGenerationStopped, 10.3): private chats only, so we know who."""
    stopped = _object(value, "message_generation")
    chat = _object(stopped.get("chat"), "chat")
    draft = _whole(stopped.get("draft_id"), "draft_id")
    topic = stopped.get("message_thread_id")
    address = _address({"chat": chat, "message_thread_id": topic, "is_topic_message": type(topic) is int}, me)
    if address.surface is not Surface.DIRECT:
        return Parsed(dropped="no_content")
    event = Pressed(
        event_key=f"s:{address.key.space}:{draft}:{number}",
        message_id=str(draft),
        address=address,
        sender=_user(chat),
        action=STOP,
    )
    return Parsed((event,))


_INSIDE = ("member", "administrator", "creator")


def _is_inside(member: Json) -> bool:
    status = member.get("status")
    return status in _INSIDE or (status == "restricted" and member.get("is_member") is True)


def _membership(value: Any, number: Any, me: Me) -> Parsed:
    change = _object(value, "my_chat_member")
    old, new = (
        _object(change.get("old_chat_member"), "member"),
        _object(change.get("new_chat_member"), "member"),
    )
    was, now = _is_inside(old), _is_inside(new)
    if was == now:
        return Parsed(dropped="same_membership")  # promoted, restricted and the like
    if now:
        what = MembershipChange.JOINED
    else:
        what = MembershipChange.KICKED if new.get("status") == "kicked" else MembershipChange.LEFT
    address = _address(change, me)
    event = Membership(
        event_key=f"c:{address.key.space}:{change.get('date')}:{number}",
        message_id="",
        address=address,
        sender=_user(change.get("from")),
        change=what,
    )
    return Parsed((event,))


def _reaction(value: Any, number: Any, me: Me) -> Parsed:
    change = _object(value, "message_reaction")
    message_id = _whole(change.get("message_id"), "message_id")
    address = _address(change, me)
    actor = change.get("actor_chat")
    sender = _sender({"sender_chat": actor}) if isinstance(actor, dict) else _user(change.get("user"))
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
