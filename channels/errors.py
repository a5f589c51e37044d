"""What can go wrong on the people's side. A class says what to do next, not what happened on the wire.

ChannelError
 |-- NotAuthorized    the account's credentials are not accepted: stop this account, tell the owner
 |-- RateLimited      wait `retry_after` seconds in `scope`; nothing was shown
 |-- TooLong          the text does not fit one message: split it smaller
 |-- Gone             the conversation or the message is not there any more
 |-- Unavailable      the channel could not be reached; `maybe_sent` tells whether the write may have happened
 +-- Refused          the channel will not do this, ever: do not try again
"""

from __future__ import annotations

from enum import StrEnum


class ChannelError(Exception):
    """Base of all errors that an adapter raises. `detail` holds no secret and no message text."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail


class NotAuthorized(ChannelError):
    """The token or login is refused."""


class RateLimited(ChannelError):
    """Too many writes. `scope` names the WriteBudget that ran dry, "" when the channel does not say."""

    def __init__(self, retry_after: float, scope: str = "", detail: str = "") -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        self.scope = scope


class TooLong(ChannelError):
    """The rendered text is longer than the channel takes."""


class GoneWhat(StrEnum):
    """What is gone."""

    CONVERSATION = "conversation"
    MESSAGE = "message"


class Gone(ChannelError):
    """The conversation (blocked, kicked, closed) or only the message is gone."""

    def __init__(self, what: GoneWhat, detail: str = "") -> None:
        super().__init__(detail)
        self.what = what


class Unavailable(ChannelError):
    """A network error, a deadline or a 5xx. `maybe_sent`: the write may have taken effect all the same."""

    def __init__(self, detail: str = "", *, maybe_sent: bool = False) -> None:
        super().__init__(detail)
        self.maybe_sent = maybe_sent


class Refused(ChannelError):
    """A bad request or a missing right. `code`: a short stable word for logs and metrics."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(detail or code)
        self.code = code
