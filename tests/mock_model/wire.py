"""The bytes of one answer: a behaviour turned into timed steps (pure)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from tests.mock_model.behaviour import Behaviour, Fault, words

ERRORS = {
    400: ("invalid_request_error", None, "The request is not valid."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    402: (
        "insufficient_quota",
        "insufficient_quota",
        "You exceeded your current quota.",
    ),
    403: (
        "invalid_request_error",
        "permission_denied",
        "The key may not use this model.",
    ),
    404: ("invalid_request_error", "model_not_found", "The model does not exist."),
    413: ("invalid_request_error", "request_too_large", "The request is too large."),
    422: ("invalid_request_error", None, "The request cannot be processed."),
    429: ("rate_limit_error", "rate_limit_exceeded", "Rate limit reached."),
    500: (
        "server_error",
        None,
        "The server had an error while processing your request.",
    ),
    502: ("server_error", None, "Bad gateway."),
    503: ("server_error", "overloaded", "The engine is currently overloaded."),
    529: ("overloaded_error", "overloaded_error", "Overloaded"),
}
LEAVE = 0.02
"""Before a socket is broken: a reset would otherwise overtake the bytes already written."""


class End(IntEnum):
    """What follows a step's bytes."""

    NO = 0
    BODY = 1  # the chunked body ends properly, the connection lives on
    DROP = 2  # the socket closes here
    RESET = 3  # the socket is reset here
    NEVER = 4  # nothing follows, the connection stays open


@dataclass(slots=True, frozen=True)
class Step:
    """Send `payload` `delay` seconds after the step before; `tokens` deltas are complete with it."""

    delay: float
    payload: bytes
    tokens: int = 0
    hold: str | None = None
    end: End = End.NO


@dataclass(slots=True, frozen=True)
class Ask:
    """What of the request shapes the answer."""

    number: int
    model: str
    marker: str
    stream: bool
    include_usage: bool
    prompt_tokens: int


def error_body(status: int, given: dict[str, Any] | None) -> bytes:
    """The error object as OpenAI shapes it."""
    kind, code, message = ERRORS.get(status, ("server_error", None, f"Status {status}"))
    error = {"message": message, "type": kind, "param": None, "code": code} | (given or {})
    return json.dumps({"error": error}).encode()


def usage(behaviour: Behaviour, ask: Ask, sent: int) -> dict[str, Any]:
    """The usage object; prompt_tokens includes the cached ones, as OpenAI counts."""
    given = behaviour.prompt_tokens
    prompt = given if given is not None else ask.prompt_tokens
    out = behaviour.completion_tokens if behaviour.completion_tokens is not None else sent
    return {
        "prompt_tokens": prompt,
        "completion_tokens": out,
        "total_tokens": prompt + out,
        "prompt_tokens_details": {"cached_tokens": behaviour.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": len(behaviour.reasoning.split())},
    }


def whole(behaviour: Behaviour, ask: Ask) -> bytes:
    """The body of an answer that is not streamed."""
    if behaviour.body is not None:
        return behaviour.body.encode()
    deltas = list(words(behaviour, ask.marker))
    message: dict[str, Any] = {"role": "assistant", "content": "".join(deltas)}
    if behaviour.reasoning:
        message[behaviour.reasoning_field] = behaviour.reasoning
    if behaviour.tool_calls:
        message["content"] = message["content"] or None
        message["tool_calls"] = [
            {
                "id": c.id,
                "type": "function",
                "function": {"name": c.name, "arguments": c.arguments},
            }
            for c in behaviour.tool_calls
        ]
    answer = _head(ask, "chat.completion") | {
        "choices": [{"index": 0, "message": message, "finish_reason": finish(behaviour)}]
    }
    if behaviour.usage:
        answer["usage"] = usage(behaviour, ask, len(deltas))
    return json.dumps(answer, ensure_ascii=False).encode()


def finish(behaviour: Behaviour) -> str:
    """The finish_reason that the answer ends with."""
    return behaviour.finish or ("tool_calls" if behaviour.tool_calls else "stop")


def stream(behaviour: Behaviour, ask: Ask) -> Iterator[Step]:
    """The steps of a streamed answer, lazily; with `split` each step is one small write."""
    steps = _events(behaviour, ask)
    return _split(behaviour, steps) if behaviour.split > 0 else steps


def _events(behaviour: Behaviour, ask: Ask) -> Iterator[Step]:
    lines = _Lines(behaviour, ask)
    yield Step(0.0, lines.delta(b'"role":"assistant","content":""'))
    wait = behaviour.ttft
    for word in _pieces(behaviour.reasoning):
        yield Step(wait, lines.delta(f'"{behaviour.reasoning_field}":{_json(word)}'.encode()))
        wait = behaviour.gap
    sent = 0
    for word in _answer(behaviour, ask.marker):
        if behaviour.fault not in (Fault.NONE, Fault.ENDLESS) and sent == behaviour.after:
            break
        hold = behaviour.hold if sent == behaviour.hold_after else None
        yield Step(wait, lines.delta(f'"content":{_json(word)}'.encode()), 1, hold)
        wait = behaviour.gap
        sent += 1
    if sent <= behaviour.hold_after and behaviour.hold is not None:
        yield Step(wait, b"", 0, behaviour.hold)
        wait = 0.0
    if behaviour.fault is not Fault.NONE:
        yield _broken(behaviour, lines, wait)
        return
    for piece in lines.tool_calls():
        yield Step(wait, piece)
        wait = behaviour.gap
    yield Step(wait if sent == 0 else 0.0, lines.ending(sent))
    yield Step(behaviour.end_delay, b"", end=End.BODY)


def _answer(behaviour: Behaviour, marker: str) -> Iterator[str]:
    yield from words(behaviour, marker)
    number = 0
    while behaviour.fault is Fault.ENDLESS:
        number += 1
        yield f" more{number}"


def _broken(behaviour: Behaviour, lines: _Lines, wait: float) -> Step:
    match behaviour.fault:
        case Fault.ERROR_EVENT:
            body = error_body(503, dict(behaviour.error or {}))
            return Step(wait, lines.line(body), end=End.BODY)
        case Fault.GARBAGE:
            return Step(wait, b"\xff\xfe\x00garbage \x80\x81\r\n{]\n\n", end=End.BODY)
        case Fault.HALF_CHARACTER:
            event = lines.delta('"content":"half é"'.encode())
            return Step(wait, event[: event.index("é".encode()) + 1], end=End.BODY)
        case Fault.RESET:
            return Step(max(wait, LEAVE), b"", end=End.RESET)
        case Fault.DROP:
            return Step(max(wait, LEAVE), b"", end=End.DROP)
        case Fault.EOF:
            return Step(wait, b"", end=End.BODY)
        case _:
            return Step(wait, b"", end=End.NEVER)


def _split(behaviour: Behaviour, steps: Iterator[Step]) -> Iterator[Step]:
    """Cut every payload into writes of `split` bytes; a token counts with its last piece."""
    gap = max(behaviour.split_gap, 0.001)
    for step in steps:
        pieces = [
            step.payload[at : at + behaviour.split] for at in range(0, len(step.payload), behaviour.split)
        ] or [b""]
        yield replace(
            step,
            payload=pieces[0],
            tokens=step.tokens if len(pieces) == 1 else 0,
            end=step.end if len(pieces) == 1 else End.NO,
        )
        for at, piece in enumerate(pieces[1:], start=2):
            last = at == len(pieces)
            yield Step(gap, piece, step.tokens if last else 0, end=step.end if last else End.NO)


class _Lines:
    """The `data:` lines of one answer; the JSON around a delta is made once."""

    def __init__(self, behaviour: Behaviour, ask: Ask) -> None:
        self._behaviour, self._ask = behaviour, ask
        self._newline = behaviour.newline.encode()
        head = json.dumps(_head(ask, "chat.completion.chunk"), separators=(",", ":"))
        self._head = head[:-1].encode()
        self._before = b"data: " + self._head + b',"choices":[{"index":0,"delta":{'
        self._after = b'},"finish_reason":null}]}' + self._newline * 2

    def line(self, body: bytes) -> bytes:
        return b"data: " + body + self._newline * 2

    def delta(self, content: bytes) -> bytes:
        return self._before + content + self._after

    def tool_calls(self) -> Iterator[bytes]:
        for index, call in enumerate(self._behaviour.tool_calls):
            function = {"name": call.name, "arguments": ""}
            first = {
                "index": index,
                "id": call.id,
                "type": "function",
                "function": function,
            }
            yield self.delta(f'"tool_calls":[{_json(first)}]'.encode())
            for piece in _pieces(call.arguments):
                more = {"index": index, "function": {"arguments": piece}}
                yield self.delta(f'"tool_calls":[{_json(more)}]'.encode())

    def ending(self, sent: int) -> bytes:
        choice = {"index": 0, "delta": {}, "finish_reason": finish(self._behaviour)}
        body = self.line(self._head + b',"choices":[' + _json(choice).encode() + b"]}")
        if self._behaviour.usage and self._ask.include_usage:
            numbers = _json(usage(self._behaviour, self._ask, sent)).encode()
            body += self.line(self._head + b',"choices":[],"usage":' + numbers + b"}")
        return body + (self.line(b"[DONE]") if self._behaviour.done else b"")


def _pieces(text: str) -> list[str]:
    """Pieces of about six characters."""
    return [text[at : at + 6] for at in range(0, len(text), 6)]


def _head(ask: Ask, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{ask.number}",
        "object": kind,
        "created": int(time.time()),
        "model": ask.model,
        "system_fingerprint": "fp_mock",
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
