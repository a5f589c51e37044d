"""What a call of the Web API failed with, as what to do next. The one place where errors of Slack are read.

Error names: the tables "Errors" of chat.postMessage, chat.update, chat.startStream, chat.appendStream, chat.stopStream,
assistant.threads.setStatus and auth.test (Slack docs, 2026-11).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

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

TOO_MANY = 429
DEFAULT_WAIT = 10.0  # where Slack names no seconds

_NOT_AUTHORIZED = {
    "invalid_auth",
    "not_authed",
    "token_revoked",
    "token_expired",
    "account_inactive",
    "app_uninstalled",
    "not_allowed_token_type",
    "two_factor_setup_required",
}
_CONVERSATION_GONE = {
    "channel_not_found",
    "not_in_channel",
    "is_archived",
    "thread_not_found",
    "user_not_found",
    "user_not_in_channel",
    "user_disabled",
    "user_not_visible",
    "cannot_dm_bot",
    "is_inactive",
    "team_not_found",
    "messages_tab_disabled",
}
_TOO_LONG = {"msg_too_long", "msg_blocks_too_long", "markdown_text_too_long"}
_LIMITED = {"ratelimited", "rate_limited"}
_STREAM_ENDED = {"message_not_in_streaming_state", "stopped_by_user", "message_not_streaming"}
_NOT_NOW = {
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "team_added_to_org",
    "org_login_required",
    "messaging_processing_failed",
    "upgrade_required",
}
# Before the request was carried out; the others may have been.
_NEVER_DONE = {"service_unavailable", "team_added_to_org", "org_login_required", "upgrade_required"}
_REFUSED = {
    "streaming_state_conflict": "still_streaming",
    "cant_update_message": "not_editable",
    "edit_window_closed": "not_editable",
    "cant_delete_message": "not_deletable",
    "invalid_blocks": "bad_blocks",
    "invalid_blocks_format": "bad_blocks",
    "invalid_attachments": "bad_blocks",
    "invalid_chunks": "bad_blocks",
    "only_one_table_allowed": "bad_blocks",
    "no_text": "empty_text",
    "invalid_thread_ts": "no_stream_here",
    "channel_type_not_supported": "no_stream_here",
    "method_not_supported_for_channel_type": "no_stream_here",
    "missing_recipient_user_id": "no_stream_here",
    "missing_recipient_team_id": "no_stream_here",
    "unknown_method": "no_such_method",
}


def problem(error: Exception, *, scope: str = "", is_write: bool = True) -> ChannelError:
    """The ChannelError for what a call raised. `scope`: the budget that it drew on.

    `is_write`: the call shows something, so that a lost answer leaves it open whether it did.
    """
    if isinstance(error, SlackApiError):
        return _answered(error, scope, is_write=is_write)
    if isinstance(
        error,
        aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | aiohttp.InvalidURL | SlackClientError,
    ):
        return Unavailable(type(error).__name__)
    return Unavailable(type(error).__name__, maybe_sent=is_write)


def _answered(error: SlackApiError, scope: str, *, is_write: bool) -> ChannelError:
    response: Any = error.response
    status = getattr(response, "status_code", None) or getattr(response, "status", None)
    data = getattr(response, "data", None)
    headers = getattr(response, "headers", None) or {}
    if not isinstance(data, Mapping):
        data = {}
    code = data.get("error")
    if status == TOO_MANY or code in _LIMITED:
        return RateLimited(_retry_after(headers), scope)
    if not isinstance(code, str):
        return Unavailable(f"the server answered with HTTP status {status}", maybe_sent=is_write)
    return refused(code, data, is_write=is_write)


def refused(code: str, data: Mapping[str, Any], *, is_write: bool) -> ChannelError:
    """The ChannelError for an answer whose `error` is `code`."""
    if code in _NOT_AUTHORIZED:
        return NotAuthorized(f"Slack does not accept the token ({code})")
    if code in _CONVERSATION_GONE:
        return Gone(GoneWhat.CONVERSATION, code)
    if code == "message_not_found":
        return Gone(GoneWhat.MESSAGE, code)
    if code in _TOO_LONG:
        return TooLong(code)
    if code in _STREAM_ENDED:
        return Refused("stream_ended", code)
    if code in _NOT_NOW:
        return Unavailable(code, maybe_sent=is_write and code not in _NEVER_DONE)
    if code == "missing_scope":
        needed = data.get("needed")
        named = needed if isinstance(needed, str) and len(needed) <= 200 else "?"
        return Refused("missing_scope", f"the app lacks the scope {named}; add it and reinstall the app")
    return Refused(_REFUSED.get(code, code[:64]), code[:64])


def _retry_after(headers: Any) -> float:
    try:
        return max(0.0, min(3600.0, float(headers.get("Retry-After", DEFAULT_WAIT))))
    except (TypeError, ValueError):
        return DEFAULT_WAIT
