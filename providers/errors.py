"""What can go wrong on the models' side: one exception with a closed kind.

ProviderError(kind, retry_after, detail)
    The kind says what to do next (routing.retry holds the one table): it is set by status and body,
    never by the name of a library's exception.
"""

from __future__ import annotations

from enum import StrEnum


class ErrorKind(StrEnum):
    """Why there is no answer, or no whole one."""

    RATE_LIMIT = "rate_limit"  # 429
    QUOTA = "quota"  # 402, or 429 with insufficient_quota
    OVERLOADED = "overloaded"  # 503, 529, overloaded_error in a stream
    SERVER = "server"  # other 5xx, 408, 409, api_error in a stream
    CONNECT = "connect"  # the request was never sent: refused, DNS, TLS
    FIRST_TOKEN = "first_token"  # a deadline of ours; nothing came in time
    STALL = "stall"  # text stopped coming
    TOTAL = "total"  # the whole answer took too long
    INCOMPLETE = "incomplete"  # sent, then dropped; or a body that ended without a finish event
    MALFORMED = "malformed"  # bytes that are not the dialect
    AUTH = "auth"  # 401
    PERMISSION = "permission"  # 403
    BAD_REQUEST = "bad_request"  # 400, 422
    CONTEXT_LENGTH = "context_length"
    TOO_LARGE = "too_large"  # 413
    MODEL_GONE = "model_gone"  # 404 for a model
    CONTENT_FILTER = "content_filter"
    CANCELLED = "cancelled"
    BUDGET = "budget"  # ours, and nothing was sent: what it costs is more than may be spent now


class ProviderError(Exception):
    """A request to a model failed. `detail` is for logs and owners: no secret, no message text, <= 300 chars.

    `retry_after`: seconds the provider asked us to wait, None when it did not say.
    `status`: the HTTP status, None when there was none.
    """

    def __init__(
        self,
        kind: ErrorKind,
        detail: str = "",
        *,
        retry_after: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(f"{kind}: {detail}" if detail else str(kind))
        self.kind = kind
        self.detail = detail[:300]
        self.retry_after = retry_after
        self.status = status
