"""What the server does with one request, as data, and which rule picks it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

MARKER = re.compile(r"qid\d+q")
"""The id that a bench puts into a message; an answer carries it as its first and last word."""

PROBLEMS = ("no_quota", "too_long", "no_model", "wrong_key", "filtered", "overloaded")


class Fault(StrEnum):
    """What goes wrong, after `after` tokens (or before the first byte, where it says so)."""

    NONE = "none"
    REFUSE = "refuse"  # the connection is dropped before any byte of a reply
    CLOSE = "close"  # the connection ends properly before any byte of a reply
    SILENT = "silent"  # the request is read, nothing ever comes back
    STALL = "stall"  # headers and `after` tokens, then nothing for ever
    RESET = "reset"  # `after` tokens, then a TCP reset
    DROP = "drop"  # `after` tokens, then the socket closes inside the chunked body
    EOF = "eof"  # `after` tokens, then a clean end of body: no finish_reason, no [DONE]
    ERROR_EVENT = "error_event"  # `after` tokens, then an error object inside the 200 stream
    GARBAGE = "garbage"  # `after` tokens, then bytes that are neither SSE nor UTF-8
    MALFORMED = "malformed"  # `after` tokens, then an event whose JSON is cut, then a proper end
    FLOOD = "flood"  # `after` tokens, then one line of 10 MB, clean end
    HALF_CHARACTER = "half_character"  # `after` tokens, then half a UTF-8 character, clean end
    ENDLESS = "endless"  # tokens until the client closes


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One tool call of an answer; `arguments` is the JSON text, streamed in pieces."""

    name: str
    arguments: str = "{}"
    id: str = "call_1"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One answer. Durations are seconds; text may contain `{marker}`."""

    text: str | None = None
    """The whole answer; streamed word by word. `None`: `count` generated words."""
    tokens: tuple[str, ...] | None = None
    """The deltas one by one, instead of `text`."""
    count: int = 8
    """Generated words when neither text nor tokens is given; the marker stands at both ends."""
    ttft: float = 0.0
    """From the end of the request to the first delta (reasoning counts as one)."""
    gap: float = 0.0
    """Between deltas. 0: all of them in one write."""
    headers_late: bool = False
    """Send the response headers with the first delta instead of at once."""
    hold: str | None = None
    """Wait for `/control/release` of this name ..."""
    hold_after: int = 0
    """... after so many tokens."""
    reasoning: str = ""
    """Reasoning text before the answer, in pieces of six characters."""
    reasoning_field: str = "reasoning"
    """The delta's field for it: `reasoning` or `reasoning_content`."""
    signature: str | None = None
    """Of the thoughts (Anthropic, Gemini); `None`: one is made up where there are thoughts."""
    tool_calls: tuple[ToolCall, ...] = ()
    finish: str | None = None
    """stop, length, tool_calls, content_filter, context, or the dialect's own word as it is.

    `None`: `tool_calls` where there are any, else `stop`.
    """
    blocked: str | None = None
    """Gemini: the promptFeedback.blockReason of a prompt that gets no candidate at all."""
    prompt_tokens: int | None = None
    """All of the prompt, cached ones included, whatever the dialect counts where."""
    completion_tokens: int | None = None
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    """Anthropic: written with a lifetime of five minutes."""
    cache_write_1h_tokens: int = 0
    accepted_tokens: int = 0
    """Of a predicted output; shown where the request carried a prediction. And `rejected_tokens`."""
    rejected_tokens: int = 0
    queue_time: float = 0.0
    """Cerebras: seconds in time_info."""
    prompt_time: float = 0.001
    usage: bool = True
    """False: no usage even where the client asked for it."""
    done: bool = True
    """False: no `data: [DONE]` line."""
    end_delay: float = 0.0
    """Between `[DONE]` and the end of the chunked body (a client that stops reading early loses the connection)."""
    status: int = 200
    """Not 200: `error` or `body` with this status instead of an answer."""
    error: Mapping[str, Any] | None = None
    """Fields of the `error` object of a failed answer or of the error event, over the dialect's own for the status."""
    error_status: int = 503
    """What the error event of a 200 stream speaks of."""
    problem: str | None = None
    """no_quota, too_long, no_model, wrong_key, filtered, overloaded: an error with the vendor's own status and words."""
    body: str | None = None
    """Raw body instead of JSON or a stream, whatever the status."""
    body_repeat: int = 1
    """How many times over: large bodies need no large scripts."""
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Fault = Fault.NONE
    after: int = 0
    split: int = 0
    """Cut the stream into TCP writes of so many bytes, right through characters and lines. 0: whole events."""
    split_gap: float = 0.002
    """Between those writes; large values make slow bytes."""
    keepalive: float = 0.0
    """An SSE comment every so many seconds while nothing else is due. 0: none."""
    newline: str = "\n"
    """Line ending of the event stream."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A behaviour for the requests that match: all given conditions hold, `times` at most."""

    behaviour: Behaviour
    match: str | None = None
    """A part of the last user message."""
    model: str | None = None
    key: str | None = None
    """The key as it came, without "Bearer"."""
    path: str | None = None
    """A part of the path: the rule is for what is no question (embeddings, files, caches, lists) and for nothing else."""
    times: int | None = None


class Script:
    """Rules in order; the first that matches and has turns left decides."""

    def __init__(self, rules: Sequence[Rule] = (), default: Behaviour | None = None) -> None:
        self.default = default if default is not None else Behaviour()
        self._rules = list(rules)
        self._left = [rule.times for rule in rules]

    def pick(self, text: str, model: str, key: str) -> tuple[int | None, Behaviour]:
        """The index of the rule used (`None`: the default) and its behaviour."""
        for index, rule in enumerate(self._rules):
            left = self._left[index]
            if left == 0 or not _matches(rule, text, model, key):
                continue
            if left is not None:
                self._left[index] = left - 1
            return index, rule.behaviour
        return None, self.default

    def pick_path(self, path: str) -> tuple[int | None, Behaviour | None]:
        """The rule that names a part of this path, for what is no question; (None, None): there is none."""
        for index, rule in enumerate(self._rules):
            left = self._left[index]
            if rule.path is None or rule.path not in path or left == 0:
                continue
            if left is not None:
                self._left[index] = left - 1
            return index, rule.behaviour
        return None, None


def _matches(rule: Rule, text: str, model: str, key: str) -> bool:
    if rule.path is not None:
        return False
    if rule.match is not None and rule.match not in text:
        return False
    if rule.model is not None and rule.model != model:
        return False
    return rule.key is None or rule.key == key


def words(behaviour: Behaviour, marker: str) -> Iterator[str]:
    """The answer's deltas, joined they are its text."""
    if behaviour.tokens is not None:
        for token in behaviour.tokens:
            yield token.replace("{marker}", marker)
    elif behaviour.text is not None:
        yield from re.findall(r"\s*\S+\s*$|\s*\S+|\s+", behaviour.text.replace("{marker}", marker))
    elif behaviour.count > 0:
        yield marker or "word0"
        for number in range(1, behaviour.count - 1):
            yield f" word{number}"
        if behaviour.count > 1:
            yield f" {marker or 'end'}"


def parse_rule(data: Mapping[str, Any]) -> Rule:
    """A rule from the control API's JSON; ValueError names an unknown or wrong field."""
    own = {name: data[name] for name in ("match", "model", "key", "path", "times") if name in data}
    rest = {name: value for name, value in data.items() if name not in own}
    return Rule(behaviour=parse_behaviour(rest), **own)


def parse_behaviour(data: Mapping[str, Any]) -> Behaviour:
    """A behaviour from JSON; ValueError names the field."""
    known = {one.name: one for one in fields(Behaviour)}
    given: dict[str, Any] = {}
    for name, value in data.items():
        if name not in known:
            raise ValueError(f"unknown field {name!r}; allowed: {', '.join(sorted(known))}")
        given[name] = _convert(name, value)
    behaviour = Behaviour(**given)
    if behaviour.fault is Fault.ENDLESS and behaviour.gap < 0.001:
        behaviour = replace(behaviour, gap=0.001)
    return behaviour


def _convert(name: str, value: Any) -> Any:
    if name == "fault":
        return Fault(value)
    if name == "problem" and value is not None and value not in PROBLEMS:
        raise ValueError(f"problem: {value!r} is none of {', '.join(PROBLEMS)}")
    if name == "tokens" and value is not None:
        return tuple(value)
    if name == "tool_calls":
        return tuple(ToolCall(**one) for one in value)
    default = next(one.default for one in fields(Behaviour) if one.name == name)
    if default is not MISSING and default is not None:
        wanted = (int, float) if isinstance(default, float) else type(default)
        if not isinstance(value, wanted):
            raise ValueError(f"{name}: {value!r} is not {type(default).__name__}")
    return value
