"""What a request of a rehearsal gets: scenario, number and second in, a timed script out. Pure.

Chance is a hash of seed, model and number, so the same rehearsal can be had again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

from providers.base import (
    CompletionRequest,
    Finished,
    FinishReason,
    PromptMessage,
    ReasoningDelta,
    Role,
    Started,
    StreamEvent,
    TextDelta,
    Usage,
)
from providers.demo_scenario import DemoModel, Fault, Slowdown, Way
from providers.demo_words import reply
from providers.errors import ErrorKind, ProviderError

CHARS_PER_TOKEN = 4
"""For the counts in the usage: a rule of thumb for English, nothing is billed."""

_WORD = re.compile(r"\s*\S+\s*$|\s*\S+|\s+")

_STATUS = {
    ErrorKind.RATE_LIMIT: 429,
    ErrorKind.QUOTA: 402,
    ErrorKind.OVERLOADED: 503,
    ErrorKind.SERVER: 500,
    ErrorKind.AUTH: 401,
    ErrorKind.PERMISSION: 403,
    ErrorKind.BAD_REQUEST: 400,
    ErrorKind.CONTEXT_LENGTH: 400,
    ErrorKind.TOO_LARGE: 413,
    ErrorKind.MODEL_GONE: 404,
    ErrorKind.CONTENT_FILTER: 400,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What one request gets: seconds to the first word, seconds between words, and what goes wrong, if anything."""

    ttft: float
    gap: float
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What happens `due` seconds after the request: an event, an error; None: nothing ever again."""

    due: float
    what: StreamEvent | ProviderError | None


def plan(model: DemoModel, seed: int, number: int, now: float) -> Plan:
    """What request `number` (from 1) of a model gets, `now` seconds after the start.

    Of several faults that fit the first counts; slowdowns multiply.
    """
    factor = reduce(lambda so_far, each: so_far * each.factor, _slow(model, now), 1.0)
    ttft = model.ttft.at(_share(seed, model.id, number, "ttft"))
    speed = model.speed.at(_share(seed, model.id, number, "speed"))
    fitting = (
        fault
        for place, fault in enumerate(model.faults)
        if _fits(fault, number, now) and _share(seed, model.id, number, f"fault {place}") < fault.probability
    )
    return Plan(ttft * factor, factor / speed, next(fitting, None))


def script(model: DemoModel, planned: Plan, request: CompletionRequest) -> Iterator[Step]:
    """The answer in time, word by word; an answer that the request has begun is continued."""
    fault = planned.fault
    if fault is not None and fault.kind is Way.SILENCE:
        yield Step(0.0, None)
        return
    if fault is not None and isinstance(fault.kind, ErrorKind) and not fault.after:
        yield Step(fault.delay, _error(fault))
        return
    yield Step(0.0, Started(request_id="rehearsal", model_reported=model.id))
    thoughts, words = tokens(model.reasoning), tokens(answer(model, request.messages))
    if fault is not None and fault.kind is Way.EMPTY:
        thoughts = words = []
    limit, reason = request.options.max_output or model.max_output, FinishReason.STOP
    if limit is not None and len(words) > limit:
        words, reason = words[:limit], FinishReason.LENGTH
    said: list[StreamEvent] = [*map(ReasoningDelta, thoughts), *map(TextDelta, words)]
    stop = len(said) if fault is None or not fault.after else fault.after
    for place, event in enumerate(said[:stop]):
        yield Step(planned.ttft + place * planned.gap, event)
    end = planned.ttft + max(0, min(stop, len(said)) - 1) * planned.gap
    yield from _end(fault, end, reason, _usage(request, len(thoughts), min(stop, len(said))))


def answer(model: DemoModel, messages: Sequence[PromptMessage]) -> str:
    """What the model says, or what is left of it where the last message has begun it."""
    begun = messages[-1].text if messages and messages[-1].role is Role.ASSISTANT else ""
    asked = messages[:-1] if begun else messages
    said = [message.text for message in asked if message.role is Role.USER]
    whole = reply(asked)
    if model.answer is not None:
        question = said[-1] if said else ""
        whole = re.sub(
            r"\{(question|model)\}", lambda hit: question if hit[1] == "question" else model.id, model.answer
        )
    if whole.startswith(begun):
        return whole.removeprefix(begun)
    # Another model has begun it: this one goes on after as many words of its own.
    return "".join(tokens(whole)[len(tokens(begun)) :]) or " …"


def tokens(text: str) -> list[str]:
    """A text in the pieces in which it is said."""
    return _WORD.findall(text)


def _slow(model: DemoModel, now: float) -> list[Slowdown]:
    return [each for each in model.slowdowns if each.window.holds(now)]


def _fits(fault: Fault, number: int, now: float) -> bool:
    return (
        fault.window.holds(now)
        and (not fault.requests or number in fault.requests)
        and (fault.every is None or number % fault.every == 0)
    )


def _share(seed: int, model: str, number: int, purpose: str) -> float:
    """A number from 0 to 1, below 1, that is the same whenever it is asked for."""
    text = f"{seed}\0{model}\0{number}\0{purpose}".encode("utf-8", "replace")
    return int.from_bytes(hashlib.blake2b(text, digest_size=6).digest()) / float(1 << 48)


def _end(fault: Fault | None, due: float, reason: FinishReason, usage: Usage) -> Iterator[Step]:
    if fault is None:
        yield Step(due, Finished(reason, usage, reason.value))
        return
    due += fault.delay
    match fault.kind:
        case Way.STALL:
            yield Step(due, None)
        case Way.EMPTY:
            yield Step(due, Finished(FinishReason.STOP, usage, "stop"))
        case Way.FILTERED:
            yield Step(due, Finished(FinishReason.CONTENT_FILTER, usage, "content_filter"))
        case Way.FULL:
            yield Step(due, Finished(FinishReason.CONTEXT, usage, "context"))
        case _:
            yield Step(due, _error(fault))


def _error(fault: Fault) -> ProviderError:
    kind = fault.kind if isinstance(fault.kind, ErrorKind) else ErrorKind.INCOMPLETE
    status = _STATUS.get(kind) if not fault.after else 200
    return ProviderError(kind, f"rehearsed: {fault.kind.value}", retry_after=fault.retry_after, status=status)


def _usage(request: CompletionRequest, thoughts: int, said: int) -> Usage:
    asked = sum(len(message.text) for message in request.messages) // CHARS_PER_TOKEN
    return Usage(input_tokens=asked, output_tokens=said, reasoning_tokens=min(thoughts, said))
