"""A typed line turned into a message. Pure."""

from __future__ import annotations

from datetime import datetime

from channels.capabilities import Surface
from channels.events import Address, ConversationKey, Message, Sender

OWNER = "owner"
SPACE = "terminal"
STOP = "/stop"


def address_of(account: str, reply_to: str | None = None) -> Address:
    """The one place where a terminal's answers stand."""
    return Address(ConversationKey("console", account, SPACE), Surface.DIRECT, reply_to)


def to_message(text: str, message_id: str, account: str, now: datetime) -> Message | None:
    """What was typed, as a message; None when nothing was."""
    cleaned = clean(text)
    if not cleaned.strip():
        return None
    # reply_to tells which message an answer belongs to; nothing of it is shown.
    return Message(message_id, message_id, address_of(account, message_id), Sender(OWNER), cleaned, now)


def clean(text: str) -> str:
    """Without NULs and line ends of other systems; bytes that are no UTF-8 become U+FFFD."""
    flat = text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    return flat.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
