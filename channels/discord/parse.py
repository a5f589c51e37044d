"""One dispatch of the gateway, as plain JSON, -> events. Pure.

Payloads: Discord docs, Gateway Events and Message resource (2026-11). Every field is checked for its type before it is
used; what does not fit is dropped with a reason, never raised. Interactions stand in interactions.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from channels.capabilities import Surface
from channels.discord.content import attachments_of, is_forward, name_of, text_of
from channels.discord.handles import for_question
from channels.discord.places import Places
from channels.discord.snowflake import is_snowflake, time_of
from channels.discord.text import clean_name
from channels.events import (
    Address,
    ConversationKey,
    Event,
    Membership,
    MembershipChange,
    Message,
    MessageDeleted,
    MessageEdited,
    Reaction,
    Sender,
    TypingStarted,
)

Json = dict[str, Any]

# Message types that a person writes: default and reply (Discord docs, Message Types).
_WRITTEN = (0, 19)
_MAX_BULK = 100


@dataclass(frozen=True, slots=True)
class Me:
    """Who the bot is: what events are read against. `hears_all`: every message of a server is meant for it."""

    account: str
    id: str
    application: str
    hears_all: bool = False


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a dispatch holds. `dropped` says why there are no events; "" also where there is nothing to tell."""

    events: tuple[Event, ...] = ()
    dropped: str = ""


class Odd(Exception):
    """The payload has not the shape that is documented; the text names what is odd."""


def parse(name: str, data: Any, me: Me, places: Places, mark: str) -> Parsed:
    """The events of one dispatch. `mark` is the same when it is sent again: its session and number. Never raises."""
    reader = _READERS.get(name)
    if reader is None:
        return Parsed()
    if not isinstance(data, dict):
        return Parsed(dropped="not_an_object")
    try:
        return reader(data, me, places, mark)
    except Odd as odd:
        return Parsed(dropped=str(odd))


def unknown_channel(name: str, data: Any, places: Places) -> str | None:
    """The channel that has to be looked up before the dispatch can be read, or None."""
    if name not in _IN_CHANNELS or not isinstance(data, dict) or data.get("guild_id") is None:
        return None
    channel = data.get("channel_id")
    return str(channel) if is_snowflake(channel) and places.at(str(channel)) is None else None


def unknown_guild(name: str, data: Any, places: Places) -> str | None:
    """The server whose roles have to be looked up, as one of them is mentioned and may be the bot's; or None."""
    if name not in ("MESSAGE_CREATE", "MESSAGE_UPDATE") or not isinstance(data, dict):
        return None
    guild = data.get("guild_id")
    is_asked = bool(data.get("mention_roles")) and is_snowflake(guild)
    return str(guild) if is_asked and not places.is_guild_known(str(guild)) else None


# -- pieces


def snowflake(value: Any, name: str) -> str:
    """An id. Raises Odd."""
    if not is_snowflake(value):
        raise Odd(f"no_{name}")
    return str(value)


def user_of(value: Any, member: Any = None) -> Sender:
    """Who it was. Raises Odd."""
    if not isinstance(value, dict):
        raise Odd("no_user")
    number = snowflake(value.get("id"), "user")
    name = name_of(value, member if isinstance(member, dict) else {})
    return Sender(number, name, value.get("bot") is True)


def address_in(channel: str, guild: Any, me: Me, places: Places, **more: str) -> Address:
    """Where an answer to something in `channel` stands."""
    if guild is None:
        return Address(
            ConversationKey("discord", me.account, channel), Surface.DIRECT, None, more.get("handle", "")
        )
    place = places.at(channel)
    handle, reply_to = more.get("handle", ""), more.get("reply_to")
    if place is not None and place.parent is not None:
        key = ConversationKey("discord", me.account, place.parent, channel)
        return Address(key, Surface.THREAD, reply_to, handle)
    return Address(ConversationKey("discord", me.account, channel), Surface.GROUP, reply_to, handle)


def _address(data: Json, me: Me, places: Places, *, answers: str = "") -> Address:
    channel, guild = snowflake(data.get("channel_id"), "channel"), data.get("guild_id")
    if guild is not None:
        snowflake(guild, "guild")
    if not answers:
        return address_in(channel, guild, me, places)
    return address_in(channel, guild, me, places, reply_to=answers, handle=for_question(answers))


def _when(value: Any) -> datetime | None:
    """An ISO 8601 time, None for anything else."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    try:
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        return None


def _own_names(data: Json, me: Me, places: Places) -> frozenset[str]:
    guild = data.get("guild_id")
    roles = places.roles(guild) if isinstance(guild, str) else frozenset()
    return frozenset({f"@{me.id}", *(f"@&{role}" for role in roles)})


def _is_addressed(data: Json, me: Me, places: Places) -> bool:
    """In a server: a mention of the bot or its role, a reply to it, a thread that it takes part in."""
    if data.get("guild_id") is None or me.hears_all:
        return True
    mentions, roles = data.get("mentions"), data.get("mention_roles")
    if isinstance(mentions, list) and any(
        isinstance(one, dict) and one.get("id") == me.id for one in mentions
    ):
        return True
    own = places.roles(str(data.get("guild_id")))
    if isinstance(roles, list) and any(isinstance(role, str) and role in own for role in roles):
        return True
    answered = data.get("referenced_message")
    if isinstance(answered, dict) and data.get("type") == 19:
        author = answered.get("author")
        if isinstance(author, dict) and author.get("id") == me.id:
            return True
    place = places.at(str(data.get("channel_id")))
    return place is not None and place.is_joined


def _author(data: Json, me: Me) -> Sender | str:
    """Who wrote it, or why that does not matter."""
    sender = user_of(data.get("author"), data.get("member"))
    if sender.id == me.id:
        return "own"
    # What a webhook posts has an author that is no account; its `bot` is not always set.
    if sender.is_bot or data.get("webhook_id") is not None:
        return "bot"
    return sender


# -- readers, one for each kind


def _message(data: Json, me: Me, places: Places, _mark: str) -> Parsed:
    number = snowflake(data.get("id"), "message")
    if data.get("type", 0) not in _WRITTEN:
        return Parsed(dropped="system")
    sender = _author(data, me)
    if isinstance(sender, str):
        return Parsed(dropped=sender)
    address = _address(data, me, places, answers=number)
    text, attachments = text_of(data, _own_names(data, me, places)), attachments_of(data)
    addressed = _is_addressed(data, me, places)
    if not text and not attachments:
        return Parsed(dropped="no_content")
    event = Message(
        event_key=f"m:{number}",
        message_id=number,
        address=address,
        sender=sender,
        text=text,
        sent_at=time_of(number),
        attachments=attachments,
        addressed=addressed,
        quotes=is_forward(data),
    )
    return Parsed((event,))


def _edited(data: Json, me: Me, places: Places, _mark: str) -> Parsed:
    number = snowflake(data.get("id"), "message")
    edited_at = _when(data.get("edited_timestamp"))
    if edited_at is None:
        return Parsed()  # a preview of a link was added, a poll ended: nobody wrote anything
    if data.get("type", 0) not in _WRITTEN:
        return Parsed(dropped="system")
    sender = _author(data, me)
    if isinstance(sender, str):
        return Parsed(dropped="" if sender == "own" else sender)  # our own edits come back all the time
    text = text_of(data, _own_names(data, me, places))
    if not text:
        return Parsed(dropped="no_content")
    event = MessageEdited(
        event_key=f"e:{number}:{int(edited_at.timestamp() * 1e6)}",
        message_id=number,
        address=_address(data, me, places, answers=number),
        sender=sender,
        text=text,
        sent_at=edited_at,
        addressed=_is_addressed(data, me, places),
    )
    return Parsed((event,))


def _deleted(data: Json, me: Me, places: Places, _mark: str) -> Parsed:
    number = snowflake(data.get("id"), "message")
    return Parsed((MessageDeleted(f"d:{number}", number, _address(data, me, places)),))


def _deleted_many(data: Json, me: Me, places: Places, _mark: str) -> Parsed:
    numbers = data.get("ids")
    address = _address(data, me, places)
    known = [one for one in numbers if is_snowflake(one)] if isinstance(numbers, list) else []
    return Parsed(tuple(MessageDeleted(f"d:{one}", one, address) for one in known[:_MAX_BULK]))


def _reaction(data: Json, me: Me, places: Places, mark: str, *, added: bool) -> Parsed:
    number = snowflake(data.get("message_id"), "message")
    member = data.get("member")
    user = member.get("user") if isinstance(member, dict) else None
    number_of_user = snowflake(data.get("user_id"), "user")
    if number_of_user == me.id:
        return Parsed()
    sender = user_of(user, member) if isinstance(user, dict) and user.get("id") == number_of_user else None
    emoji = data.get("emoji")
    name = emoji.get("name") if isinstance(emoji, dict) else None
    if not isinstance(name, str) or not name:
        return Parsed(dropped="no_content")
    event = Reaction(
        event_key=f"r:{mark}",
        message_id=number,
        address=_address(data, me, places),
        sender=sender or Sender(number_of_user),
        emoji=clean_name(name) or name[:64],
        added=added,
    )
    return Parsed((event,))


def _reacted(data: Json, me: Me, places: Places, mark: str) -> Parsed:
    return _reaction(data, me, places, mark, added=True)


def _unreacted(data: Json, me: Me, places: Places, mark: str) -> Parsed:
    return _reaction(data, me, places, mark, added=False)


def _typing(data: Json, me: Me, places: Places, mark: str) -> Parsed:
    user = snowflake(data.get("user_id"), "user")
    if user == me.id:
        return Parsed()
    address = _address(data, me, places)
    return Parsed((TypingStarted(f"t:{mark}", "", address, Sender(user)),))


def _membership(space: str, me: Me, mark: str, change: MembershipChange) -> Parsed:
    """Who invited or removed the bot is not told."""
    address = Address(ConversationKey("discord", me.account, space), Surface.GROUP)
    return Parsed((Membership(f"c:{mark}", "", address, Sender(""), change),))


def _guild_joined(data: Json, me: Me, places: Places, mark: str) -> Parsed:
    guild = snowflake(data.get("id"), "guild")
    if places.is_guild_known(guild) or data.get("unavailable") is True:
        return Parsed()
    return _membership(guild, me, mark, MembershipChange.JOINED)


def _guild_left(data: Json, me: Me, _places: Places, mark: str) -> Parsed:
    guild = snowflake(data.get("id"), "guild")
    if data.get("unavailable") is True:
        return Parsed()  # an outage
    return _membership(guild, me, mark, MembershipChange.KICKED)


def _thread_members(data: Json, me: Me, places: Places, mark: str) -> Parsed:
    thread, removed = snowflake(data.get("id"), "thread"), data.get("removed_member_ids")
    if not isinstance(removed, list) or me.id not in removed:
        return Parsed()
    address = address_in(thread, snowflake(data.get("guild_id"), "guild"), me, places)
    return Parsed((Membership(f"c:{mark}", "", address, Sender(""), MembershipChange.LEFT),))


_READERS: dict[str, Callable[[Json, Me, Places, str], Parsed]] = {
    "MESSAGE_CREATE": _message,
    "MESSAGE_UPDATE": _edited,
    "MESSAGE_DELETE": _deleted,
    "MESSAGE_DELETE_BULK": _deleted_many,
    "MESSAGE_REACTION_ADD": _reacted,
    "MESSAGE_REACTION_REMOVE": _unreacted,
    "TYPING_START": _typing,
    "GUILD_CREATE": _guild_joined,
    "GUILD_DELETE": _guild_left,
    "THREAD_MEMBERS_UPDATE": _thread_members,
}
_IN_CHANNELS = frozenset(
    {
        "MESSAGE_CREATE",
        "MESSAGE_UPDATE",
        "MESSAGE_DELETE",
        "MESSAGE_DELETE_BULK",
        "MESSAGE_REACTION_ADD",
        "MESSAGE_REACTION_REMOVE",
    }
)
