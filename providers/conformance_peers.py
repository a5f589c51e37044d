"""What a provider's kits share: what a peer can do, what each must be called, and asking in a test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from providers.base import (
    CompletionRequest,
    Credential,
    ModelSpec,
    PromptMessage,
    Provider,
    Role,
    StreamEvent,
    TextDelta,
)
from providers.errors import ErrorKind

PATIENCE = 10.0
"""Seconds after which a rule counts as broken; far above what a busy machine needs."""

SAID = "Hello **you**, this is an answer."
"""What a peer says in every scene that has an answer, whole or in part."""

THOUGHT = "The person greets me."
CONFIDENTIAL = "my neighbour keeps an alligator in the bath"


class Scene(StrEnum):
    """What the peer does with every request until it is told otherwise."""

    ANSWER = "answer"  # says SAID and ends properly
    THOUGHTS = "thoughts"  # thinks THOUGHT, then says SAID
    ONLY_THOUGHTS = "only_thoughts"  # thinks THOUGHT and ends properly
    NOTHING = "nothing"  # ends properly without a word
    TOO_MUCH = "too_much"  # says SAID, then the limit of the output is reached
    FILTERED = "filtered"  # says SAID, then its filter ends the answer
    TOOL_CALL = "tool_call"  # calls the tool "weather" with {"city": "Oslo"}
    TWO_CALLS = "two_calls"  # calls it twice at once: for Oslo and for Rome
    SLOW = "slow"  # says SAID after a moment
    NEGATIVE = "negative"  # says SAID and counts fewer than no tokens
    ENDLESS = "endless"  # never stops talking
    SILENT = "silent"  # takes the request and says nothing
    STALLED = "stalled"  # says half of SAID, then nothing more
    ENDS_EARLY = "ends_early"  # says half of SAID; its body ends without a finish event
    BREAKS_OFF = "breaks_off"  # says half of SAID; the connection breaks
    RESETS = "resets"  # says half of SAID; the connection is reset
    GARBAGE = "garbage"  # says half of SAID; then bytes that mean nothing
    HALF_CHARACTER = "half_character"  # says half of SAID; its body ends inside a character
    MALFORMED = "malformed"  # says half of SAID; then an event that cannot be read; then a proper end
    FLOOD = "flood"  # says half of SAID; then a line of 10 MB
    OVERLOADED_MIDWAY = "overloaded_midway"  # says half of SAID; then an error object: overloaded
    LIMITED_MIDWAY = "limited_midway"  # says half of SAID; then an error object: too many requests
    DROPS = "drops"  # breaks the connection instead of answering
    CLOSES = "closes"  # ends the connection properly instead of answering
    PAGE = "page"  # answers 200 with a page of HTML
    REDIRECTED = "redirected"  # answers 302 with another address
    NOT_THERE = "not_there"  # answers 404 to the path, in plain text
    FIREWALL = "firewall"  # answers 403 with a page of HTML
    ABSENT = "absent"  # nobody listens any more
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    RATE_LIMITED = "rate_limited"  # asks to come back after 7 seconds
    LIMITED_IN_MS = "limited_in_ms"  # the same in milliseconds
    LIMITED_BY_DATE = "limited_by_date"  # the same as a date
    LIMITED = "limited"  # does not say when to come back
    NO_QUOTA = "no_quota"
    NOT_PAID = "not_paid"  # 402
    OVERLOADED = "overloaded"
    BUSY = "busy"  # 529
    BROKEN = "broken"
    BAD_GATEWAY = "bad_gateway"  # 502, a proxy's page of HTML
    GATEWAY_TIMEOUT = "gateway_timeout"  # 504
    TIMED_OUT = "timed_out"  # 408
    HUGE_ERROR = "huge_error"  # 500 with 10 MB of text
    ODD_ERROR = "odd_error"  # 500 with bytes that are no text
    TOO_LARGE = "too_large"  # 413
    UNPROCESSABLE = "unprocessable"  # 422; its message repeats the prompt and the key
    BAD_REQUEST = "bad_request"  # its message repeats the prompt and the key
    TOO_LONG = "too_long"
    NO_MODEL = "no_model"


KINDS: Mapping[Scene, ErrorKind] = {
    Scene.ENDS_EARLY: ErrorKind.INCOMPLETE,
    Scene.BREAKS_OFF: ErrorKind.INCOMPLETE,
    Scene.RESETS: ErrorKind.INCOMPLETE,
    Scene.GARBAGE: ErrorKind.MALFORMED,
    Scene.HALF_CHARACTER: ErrorKind.INCOMPLETE,
    Scene.MALFORMED: ErrorKind.MALFORMED,
    Scene.FLOOD: ErrorKind.MALFORMED,
    Scene.OVERLOADED_MIDWAY: ErrorKind.OVERLOADED,
    Scene.LIMITED_MIDWAY: ErrorKind.RATE_LIMIT,
    Scene.DROPS: ErrorKind.INCOMPLETE,
    Scene.CLOSES: ErrorKind.INCOMPLETE,
    Scene.PAGE: ErrorKind.MALFORMED,
    Scene.REDIRECTED: ErrorKind.MALFORMED,
    Scene.NOT_THERE: ErrorKind.MALFORMED,
    Scene.FIREWALL: ErrorKind.MALFORMED,
    Scene.ABSENT: ErrorKind.CONNECT,
    Scene.UNAUTHORIZED: ErrorKind.AUTH,
    Scene.FORBIDDEN: ErrorKind.PERMISSION,
    Scene.RATE_LIMITED: ErrorKind.RATE_LIMIT,
    Scene.LIMITED_IN_MS: ErrorKind.RATE_LIMIT,
    Scene.LIMITED_BY_DATE: ErrorKind.RATE_LIMIT,
    Scene.LIMITED: ErrorKind.RATE_LIMIT,
    Scene.NO_QUOTA: ErrorKind.QUOTA,
    Scene.NOT_PAID: ErrorKind.QUOTA,
    Scene.OVERLOADED: ErrorKind.OVERLOADED,
    Scene.BUSY: ErrorKind.OVERLOADED,
    Scene.BROKEN: ErrorKind.SERVER,
    Scene.BAD_GATEWAY: ErrorKind.SERVER,
    Scene.GATEWAY_TIMEOUT: ErrorKind.SERVER,
    Scene.TIMED_OUT: ErrorKind.SERVER,
    Scene.HUGE_ERROR: ErrorKind.SERVER,
    Scene.ODD_ERROR: ErrorKind.SERVER,
    Scene.TOO_LARGE: ErrorKind.TOO_LARGE,
    Scene.UNPROCESSABLE: ErrorKind.BAD_REQUEST,
    Scene.BAD_REQUEST: ErrorKind.BAD_REQUEST,
    Scene.TOO_LONG: ErrorKind.CONTEXT_LENGTH,
    Scene.NO_MODEL: ErrorKind.MODEL_GONE,
}
"""What each scene that fails must be called."""

MIDWAY = frozenset(
    {
        Scene.ENDS_EARLY,
        Scene.BREAKS_OFF,
        Scene.RESETS,
        Scene.GARBAGE,
        Scene.HALF_CHARACTER,
        Scene.MALFORMED,
        Scene.FLOOD,
        Scene.OVERLOADED_MIDWAY,
        Scene.LIMITED_MIDWAY,
    }
)
"""Scenes in which something was said before it went wrong."""

WAITS: Mapping[Scene, float | None] = {
    Scene.RATE_LIMITED: 7.0,
    Scene.LIMITED_IN_MS: 7.0,
    Scene.LIMITED_BY_DATE: 7.0,
    Scene.LIMITED: None,
}
"""Seconds that the error must say to wait."""


class ServesScenes(Protocol):
    """The other end. `play` is called before a request; the rest tells what the peer has seen."""

    def play(self, scene: Scene) -> None:
        """Treat every request from now on like this."""

    async def until_asked(self, count: int) -> None:
        """Wait until so many requests have come."""

    async def until_closed(self) -> None:
        """Wait until a request was closed by the client before it was answered."""

    def connections(self) -> int | None:
        """How many connections have carried requests; None where there are none."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request for an answer as it stood on the wire, in no dialect.

    `texts`: what was said in the conversation, in order, the system's words left out. `results`: of tools.
    `reasoning`: whatever says how much to reason, as JSON. `marks`: cache marks. `prefix`: all that a prompt
    cache goes by, in its order, marks left out: one text is the beginning of another where the cache is hit.
    `key_in`: the header that carried the key; "query" where it stood in the address.
    """

    system: str = ""
    texts: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    images: tuple[bytes, ...] = ()
    schema: Mapping[str, Any] | None = None
    reasoning: str = ""
    prediction: str = ""
    marks: int = 0
    prefix: str = ""
    key_in: str = ""


class SeesRequests(ServesScenes, Protocol):
    """A peer that also tells what it was asked."""

    def seen(self) -> Sequence[Seen]:
        """Every request for an answer so far."""


Rule = TypeVar("Rule", bound=Callable[..., Any])


def needs(*scenes: Scene) -> Callable[[Rule], Rule]:
    """Mark a rule with the scenes that its peer must be able to play."""

    def mark(rule: Rule) -> Rule:
        rule.scenes = frozenset(scenes)  # type: ignore[attr-defined]
        return rule

    return mark


def question(text: str = "hi") -> CompletionRequest:
    """A prompt of one message."""
    return CompletionRequest((PromptMessage(Role.USER, text),))


async def read(
    provider: Provider,
    model: ModelSpec,
    credential: Credential,
    request: CompletionRequest,
    events: list[StreamEvent],
) -> None:
    """Ask, and put what comes into `events`; what came before an error stays there."""
    async with asyncio.timeout(PATIENCE), provider.stream(model, request, credential) as stream:
        async for event in stream:
            events.append(event)  # noqa: PERF401 - what came before an error counts


async def read_all(
    provider: Provider, model: ModelSpec, credential: Credential, request: CompletionRequest | None = None
) -> list[StreamEvent]:
    """The events of a whole answer."""
    events: list[StreamEvent] = []
    await read(provider, model, credential, request or question(), events)
    return events


def text_of(events: Sequence[StreamEvent]) -> str:
    """What a person would have read."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))
