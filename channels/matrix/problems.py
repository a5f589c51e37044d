"""What a homeserver answers when it does not do what was asked, as what to do next. Pure.

Error codes: Matrix spec v1.16, Client-Server API, Standard error response. Texts: Synapse 1.163,
synapse/api/auth and synapse/event_auth.py (2026-11).
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

# Seconds, where a homeserver refuses for the pace and does not say how long to wait.
DEFAULT_WAIT = 5.0
_MAX_WAIT = 3600.0
_DEAD_LOGIN = frozenset({"M_UNKNOWN_TOKEN", "M_MISSING_TOKEN", "M_USER_DEACTIVATED", "M_USER_LOCKED"})
_OUTSIDE = (
    "not in room",
    "not joined",
    "not a member",
    "not been invited",
    "you are banned",
    "left the room",
)
_REFUSED = {
    "M_BAD_JSON": "bad_request",
    "M_NOT_JSON": "bad_request",
    "M_INVALID_PARAM": "bad_request",
    "M_MISSING_PARAM": "bad_request",
    "M_DUPLICATE_ANNOTATION": "duplicate_sign",
    "M_UNRECOGNIZED": "no_such_method",
    "M_UNSUPPORTED_ROOM_VERSION": "room_version",
    "M_INCOMPATIBLE_ROOM_VERSION": "room_version",
    "M_CONSENT_NOT_GIVEN": "consent_not_given",
    "M_USER_SUSPENDED": "account_suspended",
    "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM": "server_notices",
}


class LoggedOut(NotAuthorized):
    """The token is dead. `is_soft`: the device still exists, logging in again as it keeps its keys."""

    def __init__(self, detail: str, *, is_soft: bool = False) -> None:
        super().__init__(detail)
        self.is_soft = is_soft


def problem(
    status: int, body: Any, *, scope: str = "", is_write: bool = False, retry_after: str | None = None
) -> ChannelError:
    """The ChannelError for an answer that is no success.

    `scope`: the budget that the call drew on. `is_write`: the call shows something, so that a 5xx leaves it open
    whether it did. `retry_after`: the header of that name.
    """
    found: Mapping[str, Any] = body if isinstance(body, dict) else {}
    code, text = found.get("errcode"), str(found.get("error", "")).lower()[:300]
    if status == 429 or code == "M_LIMIT_EXCEEDED":
        return RateLimited(_wait(found, retry_after), scope)
    # A bare 401 is of something in front of the homeserver; taken for its word it would cost the login and the keys.
    if code in _DEAD_LOGIN or (status == 401 and isinstance(code, str)):
        return LoggedOut("the homeserver does not accept the login", is_soft=found.get("soft_logout") is True)
    if code == "M_TOO_LARGE" or status == 413:
        return TooLong("the homeserver finds the event too large")
    if code == "M_RESOURCE_LIMIT_EXCEEDED":
        return Unavailable("the homeserver has reached a limit of its own")
    if isinstance(code, str) and code in _REFUSED:
        return Refused(_REFUSED[code], _plain(text))
    if code == "M_FORBIDDEN":
        if any(part in text for part in _OUTSIDE):
            return Gone(GoneWhat.CONVERSATION, "the bot is not in the room")
        return Refused("forbidden", "the homeserver does not allow it: the bot lacks a right in the room")
    if code == "M_NOT_FOUND":
        return Gone(GoneWhat.CONVERSATION, "not found")
    if isinstance(code, str) and 400 <= status < 500 and status != 408:
        return Refused("bad_request", f"HTTP status {status}")
    # Without a code of Matrix it is no homeserver that answers, but something in front of it that will pass.
    return Unavailable(
        f"the homeserver answered with HTTP status {status}", maybe_sent=is_write and status >= 500
    )


def _wait(body: Mapping[str, Any], header: str | None) -> float:
    wait = body.get("retry_after_ms")
    if isinstance(wait, int | float) and not isinstance(wait, bool) and 0 <= wait <= 1000 * _MAX_WAIT:
        return max(0.05, wait / 1000)
    if header is not None and header.isascii() and header.isdigit() and len(header) < 5:
        return min(float(header), _MAX_WAIT)
    return DEFAULT_WAIT


def _plain(text: str) -> str:
    """A homeserver's words for a log: they may quote ids, never what was said."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
