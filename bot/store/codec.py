"""Values to bytes and back. JSON, because a row must be readable by the next version and by a person.

Every text that Python can hold makes the round trip, lone surrogates and NUL too: where UTF-8 cannot hold a
text, the bytes are UTF-8 with surrogates kept as they are ("surrogatepass"), which only this module reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from enum import Enum
from typing import Any

import orjson

from channels.capabilities import Surface
from channels.events import Address, Attachment, AttachmentKind, ConversationKey, Message, Sender

_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS


def encode(value: Any) -> bytes:
    """`value` as JSON. What JSON has no word for becomes its text. Never raises for plain values."""
    try:
        return orjson.dumps(value, default=_plain, option=_OPTIONS)
    except TypeError:  # lone surrogates and whole numbers beyond 64 bits, neither of which orjson writes
        plain = _plain_tree(value)
        return json.dumps(plain, ensure_ascii=False).encode("utf-8", "surrogatepass")


def decode(data: bytes | str) -> Any:
    """What was encoded, as dicts, lists and plain values. Raises ValueError for anything else."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return json.loads(data if isinstance(data, str) else data.decode("utf-8", "surrogatepass"))


def encode_text(value: Any) -> str:
    """As `encode`, for columns that hold text."""
    try:
        return orjson.dumps(value, default=_plain, option=_OPTIONS).decode()
    except TypeError:
        return json.dumps(_plain_tree(value))


def encode_message(message: Message) -> bytes:
    """A message as JSON, every field of it but for what a program brought: that is never asked again."""
    return encode(message if message.asked is None else replace(message, asked=None))


def decode_message(data: bytes) -> Message:
    """The message that `encode_message` was given.

    Fields that a newer version added are passed over; those that an older one did not know take their
    defaults. Raises ValueError, KeyError or TypeError for what is no message.
    """
    raw = decode(data)
    attachments = tuple(_attachment(item) for item in raw.get("attachments", ()))
    return Message(
        event_key=raw["event_key"],
        message_id=raw["message_id"],
        address=_address(raw["address"]),
        sender=_sender(raw["sender"]),
        text=raw["text"],
        sent_at=datetime.fromisoformat(raw["sent_at"]),
        attachments=attachments,
        addressed=raw.get("addressed", True),
        quotes=raw.get("quotes", False),
        is_press=raw.get("is_press", False),
    )


def _address(raw: Mapping[str, Any]) -> Address:
    key = raw["key"]
    return Address(
        key=ConversationKey(key["channel"], key["account"], key["space"], key.get("thread")),
        surface=Surface(raw["surface"]),
        reply_to=raw.get("reply_to"),
        handle=raw.get("handle", ""),
        is_shared=raw.get("is_shared", False),
    )


def _sender(raw: Mapping[str, Any]) -> Sender:
    return Sender(id=raw["id"], name=raw.get("name", ""), is_bot=raw.get("is_bot", False))


def _attachment(raw: Mapping[str, Any]) -> Attachment:
    return Attachment(
        kind=AttachmentKind(raw["kind"]),
        ref=raw["ref"],
        mime=raw.get("mime", "application/octet-stream"),
        size=raw.get("size"),
        name=raw.get("name", ""),
    )


def _plain(value: Any) -> Any:
    """What orjson cannot write by itself. `isoformat` keeps seconds of an offset, which orjson's form does not."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    return str(value)


def _plain_tree(value: Any) -> Any:
    """The slow way to the same result, for what orjson refuses."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Enum):
        return _plain_tree(value.value)
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else str(key): _plain_tree(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain_tree(item) for item in value]
    names = getattr(type(value), "__dataclass_fields__", None)
    if names is not None:
        return {name: _plain_tree(getattr(value, name)) for name in names}
    return _plain(value)
