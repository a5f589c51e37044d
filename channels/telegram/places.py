"""Our addresses and ids as the Bot API's arguments. Pure."""

from __future__ import annotations

from typing import Any

from channels.errors import Gone, GoneWhat
from channels.events import Address


def number(text: str, what: GoneWhat) -> int:
    """A message id of ours. Raises Gone: an id that is none was never Telegram's."""
    if text.isascii() and text.isdigit() and len(text) < 20:
        return int(text)
    raise Gone(what, "not an id of Telegram")


def topic(address: Address) -> dict[str, Any]:
    """The topic, of a forum or of a private chat that has topics."""
    thread = address.key.thread
    return {} if thread is None else {"message_thread_id": number(thread, GoneWhat.CONVERSATION)}


def where(address: Address) -> dict[str, Any]:
    """Topic, and the message to answer under; one that was deleted meanwhile does not stop the answer."""
    found = topic(address)
    if address.reply_to is not None and address.reply_to.isdecimal():
        found["reply_parameters"] = {
            "message_id": int(address.reply_to),
            "allow_sending_without_reply": True,
        }
    return found
