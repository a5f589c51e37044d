"""What the page says, turned into values and events. Pure.

A frame is one JSON object. `t` names its kind: open, say, models, typing, ping. Everything else in it is
checked here; what does not fit raises BadFrame, which becomes a `refused` frame and never ends the connection.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from channels.capabilities import Surface
from channels.events import Address, ConversationKey, Message, Sender, TypingStarted

_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
OWNER = "owner"
KINDS = ("open", "say", "models", "typing", "ping")


class BadFrame(Exception):
    """A frame that cannot be taken. `code` is a stable word, `data` says what was wrong and what is allowed."""

    def __init__(self, code: str, about: str | None = None, **data: Any) -> None:
        super().__init__(code)
        self.code = code
        self.about = about
        self.data = data


@dataclass(frozen=True, slots=True)
class Open:
    """Show the conversation and keep showing it."""

    conversation: str


@dataclass(frozen=True, slots=True)
class Say:
    """A message. `id` was made by the page and stays the same however often the message is sent.

    `is_quiet`: a button was pressed (Stop, Retry), so other pages show no line for it.
    """

    conversation: str
    id: str
    text: str
    is_quiet: bool = False


@dataclass(frozen=True, slots=True)
class Models:
    """Which models are there?"""

    conversation: str


@dataclass(frozen=True, slots=True)
class Typing:
    """The person has begun to type."""

    conversation: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there?"""


Frame = Open | Say | Models | Typing | Ping


def parse_frame(raw: str | bytes, max_message_bytes: int) -> Frame:
    """The frame in `raw`. Raises BadFrame."""
    body = _load(raw)
    kind = body.get("t")
    if kind == "ping":
        return Ping()
    if kind not in KINDS:
        raise BadFrame("bad_frame", field="t", got=_short(kind), allowed=list(KINDS))
    conversation = _identifier(body, "c")
    if kind == "open":
        return Open(conversation)
    if kind == "models":
        return Models(conversation)
    if kind == "typing":
        return Typing(conversation)
    return _say(body, conversation, max_message_bytes)


def key_of(account: str, conversation: str) -> ConversationKey:
    """Where the answers of this conversation stand."""
    return ConversationKey("web", account, conversation)


def to_event(frame: Say | Typing, account: str, now: datetime) -> Message | TypingStarted:
    """The event that a frame stands for; whoever passed the guard is the owner."""
    key = key_of(account, frame.conversation)
    sender = Sender(OWNER)
    if isinstance(frame, Typing):
        about = f"typing-{frame.conversation}"
        return TypingStarted(about, about, Address(key, Surface.DIRECT), sender)
    # reply_to is shown nowhere; it tells which question an answer belongs to.
    address = Address(key, Surface.DIRECT, reply_to=frame.id)
    return Message(frame.id, frame.id, address, sender, frame.text, now)


def clean(text: str) -> str:
    """Text that every later step can encode: no NUL, no lone surrogates, one kind of line end."""
    if "\0" in text:
        text = text.replace("\0", "")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return well_formed(text)


def well_formed(text: str) -> str:
    """`text` with U+FFFD for every lone surrogate; as long in UTF-16 as before."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _load(raw: str | bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(raw)
    except ValueError:
        body = _load_leniently(raw)
    if not isinstance(body, dict):
        raise BadFrame("bad_frame", field="frame", got=type(body).__name__, allowed="one JSON object")
    return body


def _load_leniently(raw: str | bytes) -> Any:
    # orjson refuses lone surrogates, which a browser does send; the message is still worth reading.
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadFrame("bad_frame", field="frame", got="no JSON", allowed="one JSON object") from error


def _say(body: dict[str, Any], conversation: str, max_message_bytes: int) -> Say:
    about = _identifier(body, "id")
    text = body.get("text")
    if not isinstance(text, str):
        raise BadFrame("bad_frame", about, field="text", got=type(text).__name__, allowed="a string")
    text = clean(text)
    if not text.strip():
        raise BadFrame("empty", about)
    size = len(text.encode())
    if size > max_message_bytes:
        raise BadFrame("too_long", about, got=size, allowed=max_message_bytes)
    return Say(conversation, about, text, body.get("quiet") is True)


def _identifier(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise BadFrame(
            "bad_frame", field=name, got=_short(value), allowed="8 to 64 letters, digits, '_' or '-'"
        )
    return value


def _short(value: Any) -> str:
    return clean(str(value))[:80]
