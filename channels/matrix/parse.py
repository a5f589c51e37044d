"""One event of a room, decrypted and as JSON, -> events of the contract. Pure.

Source: Matrix spec v1.16, Client-Server API. Anybody on any homeserver can send anything: every field is checked for
its type before it is used; what does not fit is dropped with a reason, never raised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from channels.capabilities import Surface
from channels.events import (
    Address,
    Attachment,
    AttachmentKind,
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
from channels.matrix.content import (
    MAX_ID,
    Json,
    Relation,
    attachments_of,
    holds_name,
    names_us,
    relation_of,
    text_of,
    without_name,
)
from channels.matrix.memory import Author, Memory, Reacted
from channels.matrix.rooms import BANNED, INVITED, JOINED, LEFT, Room
from channels.matrix.text import clean_name, wash

NAME = "matrix"
_MAX_MS = 253_402_300_799_000  # the end of the year 9999, where datetime ends
_MAX_EMOJI = 64


@dataclass(frozen=True, slots=True)
class Me:
    """Who the bot is: what events are read against. `starts_threads`: a room's message is answered in a thread."""

    account: str
    user_id: str
    name: str = ""
    device_id: str = ""
    starts_threads: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """What people call it, longest first."""
        local = self.user_id[1:].partition(":")[0]
        found = {name for name in (self.user_id, self.user_id[1:], self.name, local) if name}
        return tuple(sorted(found, key=len, reverse=True))


@dataclass(frozen=True, slots=True)
class Parsed:
    """What an event holds. `dropped` says why there are no events."""

    events: tuple[Event, ...] = ()
    dropped: str = ""


class _Odd(Exception):
    """The event has not the shape that the specification says; the text names what is odd."""


def parse(event: Any, room: Room, me: Me, memory: Memory) -> Parsed:
    """The contract's events for one event of a room's timeline. Never raises; notes in `memory` what was said."""
    if not isinstance(event, dict):
        return Parsed(dropped="not_an_object")
    kind = event.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        return Parsed(dropped="state" if isinstance(event.get("state_key"), str) else "unknown_kind")
    try:
        return reader(event, room, me, memory)
    except _Odd as odd:
        return Parsed(dropped=str(odd))
    except (TypeError, ValueError, AttributeError, LookupError):
        # A check that was forgotten. Raised, it would come again with every sync and end the account for good.
        return Parsed(dropped="odd_shape")


def invitation(room: Room, events: list[Any], me: Me) -> Membership | None:
    """The event of an invitation from its stripped state; None where it does not say who invites whom."""
    for event in reversed(events):
        if (
            isinstance(event, dict)
            and event.get("type") == "m.room.member"
            and event.get("state_key") == me.user_id
            and isinstance(event.get("sender"), str)
            and isinstance(event.get("content"), dict)
            and event["content"].get("membership") == INVITED
        ):
            is_direct = event["content"].get("is_direct") is True
            found = event.get("event_id")
            key = found if isinstance(found, str) else f"invite:{room.id}"
            surface = Surface.DIRECT if is_direct else Surface.GROUP
            address = Address(ConversationKey(NAME, me.account, room.id), surface)
            return Membership(key, "", address, _sender(event["sender"], room), MembershipChange.INVITED)
    return None


def typing(room: Room, user_id: str, me: Me, mark: str) -> TypingStarted:
    """Somebody began to type; `mark` tells this time from others."""
    key = f"typing:{room.id}:{user_id}:{mark}"
    return TypingStarted(key, "", address_of(room, me, None), _sender(user_id, room))


def address_of(room: Room, me: Me, thread: str | None, reply_to: str | None = None) -> Address:
    """Where an answer goes. With one other person no message is quoted, there is only one to mean."""
    key = ConversationKey(NAME, me.account, room.id, thread)
    if room.is_direct:
        return Address(key, Surface.DIRECT, reply_to if thread is not None else None)
    return Address(key, Surface.GROUP if thread is None else Surface.THREAD, reply_to)


# -- pieces


def _id(value: Any, name: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_ID or not value.isprintable():
        raise _Odd(f"no_{name}")
    return value


def _content(event: Json) -> Json:
    content = event.get("content")
    if not isinstance(content, dict):
        raise _Odd("no_content")
    return content


def _time(event: Json) -> datetime:
    stamp = event.get("origin_server_ts")
    if type(stamp) is int and 0 <= stamp <= _MAX_MS:
        return datetime.fromtimestamp(stamp / 1000, UTC)
    raise _Odd("no_date")


def _sender(user_id: str, room: Room) -> Sender:
    return Sender(user_id, room.name_of(user_id))


def _who(event: Json) -> str:
    sender = _id(event.get("sender"), "sender")
    if not sender.startswith("@") or ":" not in sender:
        raise _Odd("no_sender")
    return sender


def _read_text(
    text: str, content: Json, related: Relation, room: Room, me: Me, memory: Memory
) -> tuple[str, bool]:
    """The text without our name in front, and whether it is meant for us."""
    bare = without_name(text, me.names)
    is_named = names_us(content, me.user_id)
    said = bare[0] if bare is not None and (bare[1] or is_named) else text
    if room.is_direct or is_named or said is not text:
        return said, True
    if "m.mentions" not in content and holds_name(text, me.names):
        return said, True  # a client from before spec v1.7, whose writer meant us by our name alone
    for parent in (related.answers, related.thread):
        author = memory.authors.get(parent) if parent is not None else None
        if author is not None and author.sender == me.user_id:
            return said, True
    return said, False


def _is_for_clients(msgtype: Any) -> bool:
    """Notices, which bots must not answer (spec, m.notice), and what clients and servers say for themselves."""
    return isinstance(msgtype, str) and (
        msgtype in ("m.notice", "m.server_notice") or msgtype.startswith("m.key.verification.")
    )


# -- readers, one for each kind


def _message(event: Json, room: Room, me: Me, memory: Memory) -> Parsed:
    event_id, sender, content = _id(event.get("event_id"), "event_id"), _who(event), _content(event)
    related = relation_of(content)
    if related.replaces is not None:
        return _edited(event, room, me, memory)
    memory.authors.put(event_id, Author(sender, related.thread))
    if sender == me.user_id:
        return Parsed(dropped="own")
    if _is_for_clients(content.get("msgtype")):
        return Parsed(dropped="notice")
    text = text_of(content, is_reply=related.has_reply)
    attachments = attachments_of(content)
    if event["type"] == "m.sticker":
        attachments = _sticker(content)
    return _said(event, room, me, memory, (text, attachments, related))


def _said(
    event: Json,
    room: Room,
    me: Me,
    memory: Memory,
    found: tuple[str, tuple[Attachment, ...], Relation],
) -> Parsed:
    text, attachments, related = found
    if not text and not attachments:
        return Parsed(dropped="no_content")
    event_id, content = event["event_id"], event["content"]
    thread = related.thread
    if thread is None and me.starts_threads and not room.is_direct:
        thread = event_id
    text, addressed = _read_text(text, content, related, room, me, memory)
    message = Message(
        event_key=event_id,
        message_id=event_id,
        address=address_of(room, me, thread, event_id),
        sender=_sender(event["sender"], room),
        text=text,
        sent_at=_time(event),
        attachments=attachments,
        addressed=addressed,
    )
    return Parsed((message,))


def _sticker(content: Json) -> tuple[Attachment, ...]:
    found = attachments_of({**content, "msgtype": "m.image"})
    return tuple(Attachment(AttachmentKind.IMAGE, one.ref, one.mime, one.size, one.name) for one in found)


def _poll(event: Json, room: Room, me: Me, memory: Memory) -> Parsed:
    """A poll reads as its question and answers (MSC3381: the text fallback, else the parts)."""
    event_id, sender, content = _id(event.get("event_id"), "event_id"), _who(event), _content(event)
    related = relation_of(content)
    memory.authors.put(event_id, Author(sender, related.thread))
    if sender == me.user_id:
        return Parsed(dropped="own")
    for key in ("org.matrix.msc1767.text", "body"):
        text = content.get(key)
        if isinstance(text, str) and text:
            return _said(event, room, me, memory, (wash(text), (), related))
    return Parsed(dropped="no_content")


def _edited(event: Json, room: Room, me: Me, memory: Memory) -> Parsed:
    event_id, sender, content = event["event_id"], event["sender"], event["content"]
    related = relation_of(content)
    if sender == me.user_id:
        return Parsed(dropped="own")
    target = _id(related.replaces, "event_id")
    author = memory.authors.get(target)
    # Servers do not check it: an edit counts only from who wrote the original (spec, Validity of replacement events).
    if author is None or author.sender != sender:
        return Parsed(dropped="foreign_edit")
    new = content.get("m.new_content")
    if not isinstance(new, dict) or new.get("msgtype") == "m.notice":
        return Parsed(dropped="no_content")
    text = text_of(new, is_reply=True)
    if not text:
        return Parsed(dropped="no_content")
    text, addressed = _read_text(text, new, Relation(thread=author.thread), room, me, memory)
    edited = MessageEdited(
        event_key=event_id,
        message_id=target,
        address=address_of(room, me, _thread(target, author, room, me), target),
        sender=_sender(sender, room),
        text=text,
        sent_at=_time(event),
        addressed=addressed,
    )
    return Parsed((edited,))


def _thread(event_id: str, author: Author | None, room: Room, me: Me) -> str | None:
    """The thread in which the conversation about that message stands."""
    if author is not None and author.thread is not None:
        return author.thread
    return event_id if me.starts_threads and not room.is_direct else None


def _redaction(event: Json, room: Room, me: Me, memory: Memory) -> Parsed:
    event_id, sender = _id(event.get("event_id"), "event_id"), _who(event)
    content = event.get("content")
    inside = content.get("redacts") if isinstance(content, dict) else None  # from room version 11 on
    target = _id(event.get("redacts") or inside, "redacts")
    memory.deleted.put(target, sender)
    reaction = memory.reactions.pop(target)
    author = memory.authors.get(target)
    if reaction is not None:
        if sender == me.user_id:
            return Parsed(dropped="own")
        thread = _thread(reaction.message_id, memory.authors.get(reaction.message_id), room, me)
        where = address_of(room, me, thread)
        who = _sender(sender, room)
        return Parsed((Reaction(event_id, reaction.message_id, where, who, reaction.emoji, added=False),))
    if sender == me.user_id or (author is not None and author.sender == me.user_id):
        return Parsed(dropped="own")
    where = address_of(room, me, _thread(target, author, room, me))
    # Who may delete is checked by the server; the sender here is who did it, not who wrote.
    return Parsed((MessageDeleted(event_id, target, where, _sender(sender, room)),))


def _reaction(event: Json, room: Room, me: Me, memory: Memory) -> Parsed:
    event_id, sender, content = _id(event.get("event_id"), "event_id"), _who(event), _content(event)
    if sender == me.user_id:
        return Parsed(dropped="own")
    related = content.get("m.relates_to")
    if not isinstance(related, dict) or related.get("rel_type") != "m.annotation":
        return Parsed(dropped="no_content")
    target, emoji = _id(related.get("event_id"), "event_id"), related.get("key")
    emoji = clean_name(emoji)[:_MAX_EMOJI] if isinstance(emoji, str) else ""
    if not emoji:
        return Parsed(dropped="no_content")
    memory.reactions.put(event_id, Reacted(target, emoji))
    where = address_of(room, me, _thread(target, memory.authors.get(target), room, me))
    return Parsed((Reaction(event_id, target, where, _sender(sender, room), emoji),))


def _member(event: Json, room: Room, me: Me, _memory: Memory) -> Parsed:
    event_id, sender, content = _id(event.get("event_id"), "event_id"), _who(event), _content(event)
    if event.get("state_key") != me.user_id:
        return Parsed(dropped="state")
    unsigned = event.get("unsigned")
    before = unsigned.get("prev_content") if isinstance(unsigned, dict) else None
    was = before.get("membership") if isinstance(before, dict) else None
    now = content.get("membership")
    if now == was or now not in (JOINED, LEFT, BANNED):
        return Parsed(dropped="state")  # a new name or picture, or the invitation, which is handled by itself
    if now == JOINED:
        what = MembershipChange.JOINED
    else:
        is_put_out = now == BANNED or (sender != me.user_id and was != INVITED)
        what = MembershipChange.KICKED if is_put_out else MembershipChange.LEFT
    where = address_of(room, me, None)
    return Parsed((Membership(event_id, "", where, _sender(sender, room), what),))


_READERS: dict[str, Callable[[Json, Room, Me, Memory], Parsed]] = {
    "m.room.message": _message,
    "m.sticker": _message,
    "m.poll.start": _poll,
    "org.matrix.msc3381.poll.start": _poll,
    "m.room.redaction": _redaction,
    "m.reaction": _reaction,
    "m.room.member": _member,
}
