"""What can be wrong with a request, in OpenAI's words and statuses. Pure.

Source: OpenAI API reference, "Error codes", 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from channels.errors import ChannelError, RateLimited, Refused, TooLong
from channels.programs import Conclusion, Failure

INVALID = "invalid_request_error"
SERVER = "server_error"
LIMIT = "rate_limit_error"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a request is not answered. `param`: the field of the request. `retry_after`: seconds."""

    status: int
    message: str
    kind: str = INVALID
    code: str | None = None
    param: str | None = None
    retry_after: int | None = None

    def body(self) -> dict[str, Any]:
        """As OpenAI's clients read it."""
        return {
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.code,
            }
        }


class BadRequest(Exception):
    """A request that cannot be answered as it is. `problem` names the field."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def wrong(param: str, message: str, code: str | None = None) -> BadRequest:
    """A 400 that names a field."""
    return BadRequest(Problem(400, f"{param}: {message}", param=param, code=code))


def unsupported(param: str, message: str) -> BadRequest:
    """A 400 for what this server does not do."""
    return wrong(param, message, "unsupported_parameter")


NOT_AUTHORIZED = Problem(
    401,
    "The token is missing or wrong; send it as `Authorization: Bearer TOKEN` (in most clients: the API key).",
    code="invalid_api_key",
)
TOO_LARGE = Problem(413, "The request is larger than this server takes (maxBodyBytes).", code="too_large")
TOO_SLOW = Problem(408, "The request did not arrive in time.", code="timeout")
PACKED = Problem(415, "A request comes unpacked, without Content-Encoding.", code="unsupported_encoding")
NOT_JSON = Problem(400, "The body is not JSON.", code="invalid_json")
NO_SUCH_PATH = Problem(
    404, "There is chat/completions, models and embeddings here, and nothing else.", code="unknown_url"
)
CROWDED = Problem(
    429, "Too many requests at once (maxRequests).", LIMIT, code="rate_limit_exceeded", retry_after=1
)
CLOSED = Problem(
    503,
    "The server is stopping, or its disk takes nothing; try again.",
    SERVER,
    code="unavailable",
    retry_after=2,
)
BAD_BODY: Mapping[int, Problem] = MappingProxyType({408: TOO_SLOW, 413: TOO_LARGE, 415: PACKED})
"""For a body that cannot be read: the status, and what is told."""

_FAILURES: Mapping[Failure, Problem] = MappingProxyType(
    {
        Failure.UNKNOWN_MODEL: Problem(404, "", INVALID, "model_not_found", "model"),
        Failure.TOO_LONG: Problem(
            400, "No model here holds so much.", INVALID, "context_length_exceeded", "messages"
        ),
        Failure.UNFIT: Problem(
            400, "No model here takes what was asked (pictures, tools).", INVALID, "unsupported_request"
        ),
        Failure.REFUSED: Problem(400, "The models do not take this request.", INVALID, "refused"),
        Failure.FILTERED: Problem(400, "The models' filters refused it.", INVALID, "content_filter"),
        Failure.LIMITED: Problem(429, "Every model is limited.", LIMIT, "rate_limit_exceeded", retry_after=5),
        Failure.SLOW: Problem(504, "No model answered in time.", SERVER, "timeout"),
        Failure.UNAVAILABLE: Problem(503, "No model could be reached.", SERVER, "no_model", retry_after=2),
        Failure.STOPPED: Problem(503, "The answer was stopped.", SERVER, "stopped"),
        Failure.BROKEN: Problem(500, "Something went wrong here.", SERVER, "internal_error"),
    }
)


def of_conclusion(conclusion: Conclusion) -> Problem | None:
    """The problem of an answer that failed; None for every other."""
    if conclusion.failure is None:
        return None
    problem = _FAILURES[conclusion.failure]
    return replace(problem, message=conclusion.words or problem.message)


def of_vectors(error: ChannelError) -> Problem:
    """Why there are no vectors."""
    match error:
        case Refused(code="unknown_model"):
            return Problem(404, error.detail, INVALID, "model_not_found", "model")
        case Refused():
            return Problem(400, error.detail, INVALID, "refused", "input")
        case TooLong():
            return Problem(
                400, error.detail or "A text is too long.", INVALID, "context_length_exceeded", "input"
            )
        case RateLimited():
            wait = max(1, min(3600, round(error.retry_after)))
            return Problem(429, "The model is limited.", LIMIT, "rate_limit_exceeded", retry_after=wait)
        case _:
            return replace(_FAILURES[Failure.UNAVAILABLE], message="The model could not be reached.")
