"""What arrives from people, and what a channel says of a message that it has sent. Plain values, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from urllib.parse import quote, unquote

from channels.capabilities import Surface
from channels.programs import Asked

MAX_HANDLE_BYTES = 2048


@dataclass(frozen=True, slots=True)
class ConversationKey:
    """The place where an answer will stand: channel, account, space and, where there is one, thread.

    `str(key)` joins the percent-encoded parts by ":" ("telegram:main:4711:9"); `parse(str(key)) == key`.
    """

    channel: str
    account: str
    space: str
    thread: str | None = None

    def __str__(self) -> str:
        return _joined(self)

    @classmethod
    def parse(cls, text: str) -> ConversationKey:
        """The key that `str` gave. Raises ValueError when `text` has not three or four parts."""
        parts = [unquote(part) for part in text.split(":")]
        if len(parts) == 3:
            return cls(parts[0], parts[1], parts[2])
        if len(parts) == 4:
            return cls(parts[0], parts[1], parts[2], parts[3])
        raise ValueError(f"a conversation key has three or four parts joined by ':', not {len(parts)}")


@lru_cache(maxsize=2_048)
def _joined(key: ConversationKey) -> str:
    """Kept for the busiest ones: a message has its key written some twenty times."""
    parts = (key.channel, key.account, key.space, *(() if key.thread is None else (key.thread,)))
    return ":".join(quote(part, safe="") for part in parts)


@dataclass(frozen=True, slots=True)
class Address:
    """Where an answer goes. `reply_to`: the message id to answer under, if the channel shows that.

    `handle`: up to 2 KB that only the adapter reads (an interaction token, a service URL); it is stored with
    the message, so that an answer after a restart still finds its way. `is_shared`: a command was given where others
    read along; groups and threads always are.
    """

    key: ConversationKey
    surface: Surface
    reply_to: str | None = None
    handle: str = ""
    is_shared: bool = False

    def __post_init__(self) -> None:
        if (
            len(self.handle) > MAX_HANDLE_BYTES
            or len(self.handle.encode(errors="replace")) > MAX_HANDLE_BYTES
        ):
            raise ValueError(f"Address.handle holds at most {MAX_HANDLE_BYTES} bytes")


@dataclass(frozen=True, slots=True)
class Sender:
    """A person or bot by the channel's immutable id; `name` is for display only, never for permission."""

    id: str
    name: str = ""
    is_bot: bool = False


class AttachmentKind(StrEnum):
    """What a file is for a reader."""

    IMAGE = "image"
    AUDIO = "audio"
    VOICE = "voice"
    VIDEO = "video"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a message. `ref` is opaque: only the adapter's `open_attachment` reads it."""

    kind: AttachmentKind
    ref: str
    mime: str = "application/octet-stream"
    size: int | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """Text said by somebody. `addressed`: meant for the bot (a direct chat, a mention, a reply, a command).

    `asked`: a program's whole request, of which `text` is the last thing said; its text is never a command, and what
    it brings is not kept. None for people. `quotes`: the text holds words of somebody else, forwarded or quoted.
    `is_press`: nobody wrote it, it is the command of a button; `message_id` is where that button stands.
    """

    event_key: str
    message_id: str
    address: Address
    sender: Sender
    text: str
    sent_at: datetime
    attachments: tuple[Attachment, ...] = ()
    addressed: bool = True
    asked: Asked | None = None
    quotes: bool = False
    is_press: bool = False


@dataclass(frozen=True, slots=True)
class MessageEdited:
    """The message `message_id` now reads `text`. `event_key` is the edit's own."""

    event_key: str
    message_id: str
    address: Address
    sender: Sender
    text: str
    sent_at: datetime
    addressed: bool = True


@dataclass(frozen=True, slots=True)
class MessageDeleted:
    """The message `message_id` is gone; `sender` is None where the channel does not say who deleted it."""

    event_key: str
    message_id: str
    address: Address
    sender: Sender | None = None


@dataclass(frozen=True, slots=True)
class Reaction:
    """`emoji` was put on (or, `added` False, taken off) the message `message_id`."""

    event_key: str
    message_id: str
    address: Address
    sender: Sender
    emoji: str
    added: bool = True


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button `action` under the message `message_id` was pressed."""

    event_key: str
    message_id: str
    address: Address
    sender: Sender
    action: str


class MembershipChange(StrEnum):
    """What happened to the bot's place in a conversation."""

    JOINED = "joined"
    LEFT = "left"
    INVITED = "invited"
    KICKED = "kicked"


@dataclass(frozen=True, slots=True)
class Membership:
    """The bot joined, left, was invited to or kicked from the conversation."""

    event_key: str
    message_id: str
    address: Address
    sender: Sender
    change: MembershipChange


@dataclass(frozen=True, slots=True)
class TypingStarted:
    """Somebody began to type: a good moment to warm connections. Never stored."""

    event_key: str
    message_id: str
    address: Address
    sender: Sender


class UnreadableReason(StrEnum):
    """Why a message could not be read."""

    ENCRYPTED = "encrypted"  # we have no key for it


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Somebody said something that the channel cannot read; they are told so, seldom, and can say it again."""

    event_key: str
    message_id: str
    address: Address
    sender: Sender
    reason: UnreadableReason
    addressed: bool = True


Event = (
    Message | MessageEdited | MessageDeleted | Reaction | Pressed | Membership | TypingStarted | Unreadable
)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that the channel took. `shown`: the plain text that it echoed back, None where it echoes none."""

    id: str
    shown: str | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """A button: `id` comes back in `Pressed.action`; `label` is what a person reads."""

    id: str
    label: str


@dataclass(frozen=True, slots=True)
class AnswerNote:
    """How an answer came about, for the small line under it. Durations in seconds; cost None = unknown."""

    model: str
    reason: str
    first_visible: float | None = None
    tokens_per_s: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
