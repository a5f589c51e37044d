"""What a program brings with a message and is told of the answer. Plain values; people bring and see none of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that is part of what was said."""

    mime: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of one of the program's tools. `arguments` is JSON as the model wrote it, perhaps not valid."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Said:
    """One message of the program's conversation.

    `calls`: those that an assistant message made. `call_id`: of a tool's result, the call that it answers.
    """

    role: Literal["system", "user", "assistant", "tool"]
    text: str = ""
    pictures: tuple[Picture, ...] = ()
    calls: tuple[Call, ...] = ()
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class ToolOffer:
    """A tool of the program's, which it runs itself. `parameters` is a JSON schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Form:
    """The JSON schema that the answer has to follow."""

    name: str
    schema: Mapping[str, Any]
    is_strict: bool = True


@dataclass(frozen=True, slots=True)
class Wishes:
    """How to answer; None and empty leave it to the model and the settings.

    `effort`: "off", "low", "medium" or "high". `tool_choice`: "auto", "none", "required" or a tool's name.
    `params`: what else of sampling was asked for, under OpenAI's names. `prediction`: a text that much of the answer
    will repeat.
    """

    temperature: float | None = None
    max_output: int | None = None
    effort: str | None = None
    tool_choice: str | None = None
    parallel_calls: bool | None = None
    form: Form | None = None
    prediction: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """A program's request: its own history in place of ours, and how it wants to be answered.

    `model`: an alias, "auto" or a reference. `lineage`: equal for requests whose prompts begin alike.
    `uses_our_tools`: where it brings no tools, those of the daemon may be called on the way. `task`: the kind of work.
    """

    said: tuple[Said, ...]
    model: str = ""
    tools: tuple[ToolOffer, ...] = ()
    wishes: Wishes = Wishes()
    lineage: str = ""
    uses_our_tools: bool = False
    task: str = ""


class Finish(StrEnum):
    """How an answer ended."""

    STOP = "stop"
    LENGTH = "length"
    CALLS = "calls"  # the program has to run its tools
    FILTERED = "filtered"


class Failure(StrEnum):
    """Why there is no answer, or no whole one."""

    UNKNOWN_MODEL = "unknown_model"
    TOO_LONG = "too_long"  # no model holds so much
    UNFIT = "unfit"  # no model takes what was asked: pictures, tools
    REFUSED = "refused"  # the models do not take the request as it is
    FILTERED = "filtered"  # the models' filters turned it away
    LIMITED = "limited"  # too many requests, or no budget left
    SLOW = "slow"  # nothing came in time
    UNAVAILABLE = "unavailable"
    STOPPED = "stopped"  # somebody here ended it
    BROKEN = "broken"  # a fault of ours


@dataclass(frozen=True, slots=True)
class RouteTaken:
    """Which way an answer took. `model`: who speaks, "" while nobody does.

    `reason`: the router's own word. `failed`: what was asked before in vain, (model, kind of error). `attempts`:
    requests made, the running one included.
    """

    model: str
    reason: str
    latency: str
    failed: tuple[tuple[str, str], ...] = ()
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens and money. `input_tokens` includes `cached_tokens`, `output_tokens` includes `reasoning_tokens`."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How an answer ended: either `finish` or `failure` counts. `words`: what a person would be told of a failure.

    `ttft`: seconds from the request that first gave something to its first token.
    """

    finish: Finish = Finish.STOP
    failure: Failure | None = None
    words: str = ""
    calls: tuple[Call, ...] = ()
    route: RouteTaken | None = None
    spent: Spent | None = None
    ttft: float | None = None
