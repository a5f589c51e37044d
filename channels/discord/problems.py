"""What an answer of the REST API means, as what to do next. The one place where its codes are read. Pure.

Discord docs, Opcodes and Status Codes, HTTP and JSON error codes (2026-11).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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

NO_TOKEN = "Discord does not accept the token"
EXPIRED = "interaction_over"
NO_REPLY = "no_reply"

_OVER = frozenset({10015, 10062, 50027})  # unknown webhook, unknown interaction, invalid webhook token
_CONVERSATION_GONE = frozenset(
    {
        10003,  # unknown channel
        10004,  # unknown guild
        50001,  # missing access
        50007,  # cannot send messages to this user
        50008,  # a channel without text
        50024,  # not for this type of channel
        50083,  # thread is archived
        50278,  # cannot send messages to this user: no server in common
        160005,  # thread is locked
        340015,  # a channel that takes no messages at the moment
    }
)
_MESSAGE_GONE = frozenset({10008, 50005})  # unknown message; somebody else's
_REFUSED = {
    50006: "empty_text",
    50013: "missing_permission",
    160002: NO_REPLY,
    200000: "blocked_by_moderation",
    200001: "blocked_by_moderation",
    240000: "blocked_link",
    40060: "acknowledged",
    30034: "too_many_commands",
}
# Without figures: a ban at the edge, whose length nobody tells.
_BAN = 60.0
_LONGEST = 86_400.0


def problem(
    status: int, body: Any, headers: Mapping[str, str], *, scope: str = "", is_write: bool = True
) -> ChannelError:
    """The ChannelError for an answer that is no success. `is_write`: it may have had its effect all the same."""
    answer = body if isinstance(body, dict) else {}
    code = answer.get("code") if type(answer.get("code")) is int else 0
    if status == 429:
        is_global = answer.get("global") is True or not answer
        return RateLimited(retry_after(answer, headers), "token" if is_global else scope, f"code {code}")
    detail = f"HTTP {status}, code {code}: {_words(answer)}"
    if code in _OVER:
        return Refused(EXPIRED, detail)
    if code in _CONVERSATION_GONE:
        return Gone(GoneWhat.CONVERSATION, detail)
    if code in _MESSAGE_GONE:
        return Gone(GoneWhat.MESSAGE, detail)
    if code in _REFUSED:
        return Refused(_REFUSED[code], detail)
    if status == 413 or _is_too_long(answer):
        return TooLong(detail)
    if status == 401:
        return NotAuthorized(NO_TOKEN)
    if status >= 500 or not answer:
        # No JSON: the edge answered, not the API. Below 500 it let nothing through.
        return Unavailable(detail, maybe_sent=is_write and status >= 500)
    return Refused("bad_request", detail)


def retry_after(answer: Mapping[str, Any], headers: Mapping[str, str]) -> float:
    """The seconds that 429 asks to wait."""
    for value in (
        answer.get("retry_after"),
        headers.get("Retry-After"),
        headers.get("X-RateLimit-Reset-After"),
    ):
        try:
            seconds = float(value) if value is not None and not isinstance(value, bool) else -1.0
        except (TypeError, ValueError):
            continue
        if 0 <= seconds <= _LONGEST:
            return seconds
    return _BAN


def is_global(answer: Any, headers: Mapping[str, str]) -> bool:
    """Whether 429 is meant for the bot as a whole."""
    if isinstance(answer, dict) and answer:
        return answer.get("global") is True or headers.get("X-RateLimit-Scope") == "global"
    return True


def _words(answer: Mapping[str, Any]) -> str:
    """Discord's own sentence; the fields that it quotes stay out, as they may hold what was written."""
    message = answer.get("message")
    return message[:120] if isinstance(message, str) else "no words"


def _is_too_long(answer: Mapping[str, Any]) -> bool:
    """Invalid form body (50035) whose complaint is the length of the content."""
    errors = answer.get("errors")
    content = errors.get("content") if isinstance(errors, dict) else None
    found = content.get("_errors") if isinstance(content, dict) else None
    return isinstance(found, list) and any(
        isinstance(one, dict) and one.get("code") in ("BASE_TYPE_MAX_LENGTH", "BASE_TYPE_BAD_LENGTH")
        for one in found
    )
