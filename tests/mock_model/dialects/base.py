"""What the server needs to know of a dialect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from tests.mock_model.behaviour import Behaviour
from tests.mock_model.config import Config
from tests.mock_model.connection import Http
from tests.mock_model.wire import Ask, Lines


class Problem(StrEnum):
    """An error that every vendor has, each with a status and words of its own; see Behaviour.problem."""

    NO_QUOTA = "no_quota"
    TOO_LONG = "too_long"
    NO_MODEL = "no_model"
    WRONG_KEY = "wrong_key"
    FILTERED = "filtered"
    OVERLOADED = "overloaded"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is an error: the status, the fields of its error object, headers."""

    status: int
    error: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] | None = None


class Dialect(Protocol):
    """One vendor's way to ask for an answer."""

    def key(self, http: Http) -> tuple[str, str]:
        """The header that carried a key and the key; "" and "" where there was none."""

    def user_text(self, body: Any) -> str:
        """The text of the last message of a person."""

    def refuse(self, http: Http, body: Any, config: Config) -> Refusal | None:
        """Why the request is not valid, or None."""

    def ask(self, http: Http, body: Mapping[str, Any], number: int, marker: str) -> Ask:
        """What of a valid request shapes the answer."""

    def lines(self, behaviour: Behaviour, ask: Ask) -> Lines:
        """The writer of a streamed answer."""

    def whole(self, behaviour: Behaviour, ask: Ask) -> bytes:
        """The body of an answer that is not streamed."""

    def error(self, status: int, given: Mapping[str, Any]) -> bytes:
        """The body of an error; `given` fields replace the usual ones."""

    def problem(self, problem: Problem) -> Refusal:
        """How this vendor says it."""


def bearer(http: Http) -> tuple[str, str]:
    """The key of an Authorization header."""
    value = http.headers.get("authorization", "")
    return ("authorization", value.removeprefix("Bearer ")) if value else ("", "")


def tokens_of(raw: bytes) -> int:
    """A guess at the tokens of a request, from its bytes as they came."""
    return max(1, len(raw) // 4)
