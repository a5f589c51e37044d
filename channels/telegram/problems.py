"""What the library raises, as what to do next. The one place where its exceptions are read.

Texts of refusals: tdlib/telegram-bot-api, Client.cpp, and answers of the server as users report them (2026-11).
The library drops "Bad Request: " and writes the first letter large, so all comparing is done in lower case.
"""

from __future__ import annotations

from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    EndPointNotFound,
    Forbidden,
    InvalidToken,
    TelegramError,
)

from channels.errors import (
    ChannelError,
    Gone,
    GoneWhat,
    NotAuthorized,
    RateLimited,
    Refused,
    TooLong,
    Unavailable,
)
from channels.telegram.request import Flooded, MaybeSent, NeverSent

NOT_MODIFIED = "message is not modified"

# (what the text contains, what it means), most specific first.
_CONVERSATION_GONE = (
    "chat not found",
    "message thread not found",
    "topic_closed",
    "topic_deleted",
    "topic_id_invalid",
    "user not found",
    "peer_id_invalid",
    "group chat was deactivated",
    "group is deactivated",
    "not enough rights to send text messages",
    "have no rights to send a message",
    "chat_write_forbidden",
    "need administrator rights in the channel chat",
)
_MESSAGE_GONE = (
    "message to edit not found",
    "message to delete not found",
    "message to react not found",
    "message_id_invalid",
    "message identifier is not specified",
)
_TOO_LONG = (
    "message is too long",
    "message_too_long",
    "text is too long",
    "entities_too_long",
    "entities too long",
)
_REFUSED = (
    ("message text is empty", "empty_text"),
    ("must be non-empty", "empty_text"),
    ("message can't be edited", "not_editable"),
    ("message can't be deleted", "not_deletable"),
    ("textdraft_peer_invalid", "no_drafts"),
    ("query is too old", "press_too_old"),
    ("bot_commands_too_much", "commands_too_many"),
    ("file is too big", "file_too_big"),
    ("can't parse entities", "bad_entities"),
    ("entity ", "bad_entities"),
    ("entities", "bad_entities"),
)


def problem(error: TelegramError, *, scope: str = "", is_write: bool = True) -> ChannelError:
    """The ChannelError for an exception of the library. `scope`: the budget that the call drew on.

    `is_write`: the call shows something, so that a lost answer leaves it open whether it did.
    """
    if isinstance(error, Flooded):
        return RateLimited(error.retry_after, scope)
    if isinstance(error, InvalidToken):
        return NotAuthorized("Telegram does not accept the token")
    if isinstance(error, Forbidden):
        return Gone(GoneWhat.CONVERSATION, _plain(error))
    if isinstance(error, BadRequest):
        return _bad_request(_plain(error))
    if isinstance(error, NeverSent):
        return Unavailable(error.message)
    if isinstance(error, MaybeSent):
        return Unavailable(error.message, maybe_sent=is_write)
    if isinstance(error, ChatMigrated):
        return Gone(GoneWhat.CONVERSATION, "the group became a supergroup")
    if isinstance(error, Conflict):
        return Unavailable(_plain(error))
    if isinstance(error, EndPointNotFound):
        return Refused("no_such_method")
    # What is left: 5xx, or an answer that is no JSON. The server may have carried the call out.
    return Unavailable("the server answered with an error", maybe_sent=is_write)


def _plain(error: TelegramError) -> str:
    return error.message.lower()


def _bad_request(text: str) -> ChannelError:
    if any(part in text for part in _TOO_LONG):
        return TooLong(text)
    if any(part in text for part in _CONVERSATION_GONE):
        return Gone(GoneWhat.CONVERSATION, text)
    if any(part in text for part in _MESSAGE_GONE):
        return Gone(GoneWhat.MESSAGE, text)
    for part, code in _REFUSED:
        if part in text:
            return Refused(code, text)
    return Refused("bad_request", text[:200])
