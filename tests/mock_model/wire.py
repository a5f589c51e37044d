"""The shape that every dialect's answer has: a behaviour turned into timed steps (pure)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, Protocol

from tests.mock_model.behaviour import Behaviour, Fault, words

LEAVE = 0.02
"""Before a socket is broken: a reset would otherwise overtake the bytes already written."""

FLOOD_BYTES = 10 * 1024 * 1024
"""What the fault "flood" writes without a line end."""

_FLOOD_PIECE = 64 * 1024


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
    """What of the request shapes the answer. `body`: all of it, as a dialect needs it."""

    number: int
    model: str
    marker: str
    stream: bool
    include_usage: bool
    prompt_tokens: int
    body: Mapping[str, Any]


class Lines(Protocol):
    """Writes one answer's events in a dialect; every method returns the bytes to send."""

    def begin(self) -> bytes:
        """What comes at once, before the first delta."""

    def reasoning(self, piece: str) -> bytes:
        """A piece of the model's thoughts."""

    def text(self, piece: str) -> bytes:
        """A piece of the answer."""

    def tool_calls(self) -> Iterator[bytes]:
        """All tool calls, in pieces."""

    def ending(self, sent: int) -> bytes:
        """The finish reason and the usage; `sent` deltas of text have been sent."""

    def error(self) -> bytes:
        """An error inside the stream."""

    def malformed(self) -> bytes:
        """A whole event whose JSON is none."""


def stream(behaviour: Behaviour, ask: Ask, lines: Lines) -> Iterator[Step]:
    """The steps of a streamed answer, lazily; with `split` each step is one small write."""
    steps = _events(behaviour, ask, lines)
    return _split(behaviour, steps) if behaviour.split > 0 else steps


def total(behaviour: Behaviour, ask: Ask) -> int:
    """Tokens of the prompt, the cached ones included."""
    return behaviour.prompt_tokens if behaviour.prompt_tokens is not None else ask.prompt_tokens


def written(behaviour: Behaviour, sent: int) -> int:
    """Tokens of the answer."""
    return behaviour.completion_tokens if behaviour.completion_tokens is not None else sent


def thought(behaviour: Behaviour) -> int:
    """Tokens of the thoughts."""
    return len(behaviour.reasoning.split())


def pieces(text: str) -> list[str]:
    """Pieces of about six characters."""
    return [text[at : at + 6] for at in range(0, len(text), 6)]


def dumps(value: Any) -> str:
    """JSON without spaces, people's letters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _events(behaviour: Behaviour, ask: Ask, lines: Lines) -> Iterator[Step]:
    yield Step(0.0, lines.begin())
    wait = behaviour.ttft
    for word in pieces(behaviour.reasoning):
        yield Step(wait, lines.reasoning(word))
        wait = behaviour.gap
    sent = 0
    for word in _answer(behaviour, ask.marker):
        if behaviour.fault not in (Fault.NONE, Fault.ENDLESS) and sent == behaviour.after:
            break
        hold = behaviour.hold if sent == behaviour.hold_after else None
        yield Step(wait, lines.text(word), 1, hold)
        wait = behaviour.gap
        sent += 1
    if sent <= behaviour.hold_after and behaviour.hold is not None:
        yield Step(wait, b"", 0, behaviour.hold)
        wait = 0.0
    if behaviour.fault is not Fault.NONE:
        yield from _broken(behaviour, lines, wait)
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


def _broken(behaviour: Behaviour, lines: Lines, wait: float) -> Iterator[Step]:
    match behaviour.fault:
        case Fault.ERROR_EVENT:
            yield Step(wait, lines.error(), end=End.BODY)
        case Fault.GARBAGE:
            yield Step(wait, b"\xff\xfe\x00garbage \x80\x81\r\n{]\n\n", end=End.BODY)
        case Fault.HALF_CHARACTER:
            event = lines.text("half é")
            yield Step(wait, event[: event.index("é".encode()) + 1], end=End.BODY)
        case Fault.MALFORMED:
            yield Step(wait, lines.malformed())
            yield Step(0.0, lines.ending(behaviour.after), end=End.BODY)
        case Fault.FLOOD:
            yield Step(wait, b"data: ")
            for _ in range(FLOOD_BYTES // _FLOOD_PIECE):
                yield Step(0.0, b"x" * _FLOOD_PIECE)
            yield Step(0.0, b"\n\n", end=End.BODY)
        case Fault.RESET:
            yield Step(max(wait, LEAVE), b"", end=End.RESET)
        case Fault.DROP:
            yield Step(max(wait, LEAVE), b"", end=End.DROP)
        case Fault.EOF:
            yield Step(wait, b"", end=End.BODY)
        case _:
            yield Step(wait, b"", end=End.NEVER)


def _split(behaviour: Behaviour, steps: Iterator[Step]) -> Iterator[Step]:
    """Cut every payload into writes of `split` bytes; a token counts with its last piece."""
    gap = max(behaviour.split_gap, 0.001)
    for step in steps:
        cuts = range(0, len(step.payload), behaviour.split)
        parts = [step.payload[at : at + behaviour.split] for at in cuts] or [b""]
        yield replace(
            step,
            payload=parts[0],
            tokens=step.tokens if len(parts) == 1 else 0,
            end=step.end if len(parts) == 1 else End.NO,
        )
        for at, part in enumerate(parts[1:], start=2):
            last = at == len(parts)
            yield Step(gap, part, step.tokens if last else 0, end=step.end if last else End.NO)
