"""The fields that updates are made of, each checked for its type before it is used. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from channels.capabilities import Surface
from channels.events import Address, ConversationKey, Sender
from channels.telegram.text import clean_name

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Me:
    """Who the bot is: what its updates are read against. `username` is in lower case, without "@"."""

    account: str
    id: int
    username: str


class Odd(Exception):
    """The update has not the shape that the Bot API documents; the text names what is odd."""


def an_object(value: Any, name: str) -> Json:
    """Raises Odd."""
    if not isinstance(value, dict):
        raise Odd(f"no_{name}")
    return value


def a_whole(value: Any, name: str) -> int:
    """A whole number. Raises Odd."""
    if type(value) is not int:
        raise Odd(f"no_{name}")
    return value


def a_time(value: Any) -> datetime:
    """From Unix seconds. Raises Odd."""
    if type(value) is int and 0 <= value < 2**33:
        return datetime.fromtimestamp(value, UTC)
    raise Odd("no_date")


def the_sender(message: Json) -> Sender:
    """Who wrote: an anonymous administrator or a channel is known by its chat, not by the stand-in bot."""
    chat = message.get("sender_chat")
    if isinstance(chat, dict) and type(chat.get("id")) is int:
        title = chat.get("title")
        return Sender(str(chat["id"]), clean_name(title) if isinstance(title, str) else "")
    return a_user(message.get("from"))


def a_user(value: Any) -> Sender:
    """A person or bot. Raises Odd."""
    user = an_object(value, "sender")
    names = [
        name for name in (user.get("first_name"), user.get("last_name")) if isinstance(name, str) and name
    ]
    number = a_whole(user.get("id"), "sender")
    return Sender(str(number), clean_name(" ".join(names)), user.get("is_bot") is True)


def the_address(message: Json, me: Me, *, reply_to: int | None = None) -> Address:
    """The chat, and its topic if it is said in one. Raises Odd."""
    chat = an_object(message.get("chat"), "chat")
    space = a_whole(chat.get("id"), "chat")
    if chat.get("is_direct_messages") is True:
        raise Odd("direct_messages")  # letters to a channel: an answer would need a topic of another kind
    # message_thread_id also stands on plain replies in supergroups; only a topic is a place of its own.
    thread = message.get("message_thread_id") if message.get("is_topic_message") is True else None
    key = ConversationKey("telegram", me.account, str(space), str(thread) if type(thread) is int else None)
    if space > 0:
        return Address(key, Surface.DIRECT)
    surface = Surface.GROUP if key.thread is None else Surface.THREAD
    return Address(key, surface, None if reply_to is None else str(reply_to))
