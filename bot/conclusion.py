"""How a turn ended, as a program is told it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bot.ending import Ending
from bot.record import total_cost
from bot.store.base import Outcome
from channels.programs import Call, Conclusion, Failure, Finish, RouteTaken, Spent
from providers.base import FinishReason
from providers.errors import ErrorKind
from routing.execute import Answer, Attempt
from routing.policy import Decision, Exclusion

_HINT = re.compile(r" (?=/[a-z]+ )")
"""Where a sentence begins that names a command; programs have none."""

_FINISH: Mapping[FinishReason, Finish] = MappingProxyType(
    {
        FinishReason.STOP: Finish.STOP,
        FinishReason.LENGTH: Finish.LENGTH,
        FinishReason.TOOL_CALLS: Finish.STOP,  # there are calls, or it is none of them
        FinishReason.CONTENT_FILTER: Finish.FILTERED,
        FinishReason.CONTEXT: Finish.LENGTH,
    }
)

# Whatever is not named here is a model that is not to be had.
_FAILURES: Mapping[ErrorKind, Failure] = MappingProxyType(
    {
        ErrorKind.RATE_LIMIT: Failure.LIMITED,
        ErrorKind.QUOTA: Failure.LIMITED,
        ErrorKind.BUDGET: Failure.LIMITED,
        ErrorKind.FIRST_TOKEN: Failure.SLOW,
        ErrorKind.STALL: Failure.SLOW,
        ErrorKind.TOTAL: Failure.SLOW,
        ErrorKind.BAD_REQUEST: Failure.REFUSED,
        ErrorKind.CONTEXT_LENGTH: Failure.TOO_LONG,
        ErrorKind.TOO_LARGE: Failure.TOO_LONG,
        ErrorKind.CONTENT_FILTER: Failure.FILTERED,
    }
)

# Of several reasons the one counts that the program can do most about.
_WEIGHT = (
    Failure.FILTERED,
    Failure.TOO_LONG,
    Failure.REFUSED,
    Failure.UNAVAILABLE,
    Failure.SLOW,
    Failure.LIMITED,
)


def failure_of(attempts: Sequence[Attempt], decision: Decision) -> Failure:
    """Why nobody answered."""
    found = {_FAILURES.get(each.kind, Failure.UNAVAILABLE) for each in attempts if each.kind is not None}
    for failure in _WEIGHT:
        if failure in found:
            return failure
    if decision.excluded and all(each.why is Exclusion.WINDOW for each in decision.excluded):
        return Failure.TOO_LONG
    if is_spent(decision):
        return Failure.LIMITED
    is_resting = any(each.why in (Exclusion.RESTING, Exclusion.CREDENTIAL) for each in decision.excluded)
    return Failure.UNAVAILABLE if is_resting else Failure.UNFIT


def is_spent(decision: Decision) -> bool:
    """Whether somebody could answer if there were money left for today."""
    return any(each.why is Exclusion.BUDGET for each in decision.excluded)


def route_of(decision: Decision, answer: Answer | None, *, is_over: bool = False) -> RouteTaken:
    """The way so far; `is_over`: nothing runs any more."""
    attempts = answer.attempts if answer is not None else []
    rung = answer.rung if answer is not None else None
    return RouteTaken(
        model=rung.model.ref if rung is not None else "",
        reason=str(decision.reason),
        latency=str(decision.latency),
        failed=tuple((each.rung.model.ref, str(each.kind)) for each in attempts if each.kind is not None),
        attempts=len(attempts) + (0 if is_over or rung is None else 1),
    )


def conclusion_of(ending: Ending) -> Conclusion:
    """What a program is told of a turn."""
    answer, decision = ending.answer, ending.decision
    finished = answer.finished if answer is not None else None
    failure = ending.failure
    if failure is None and ending.outcome in (Outcome.STOPPED, Outcome.WITHDRAWN):
        failure = Failure.STOPPED
    elif failure is None and finished is None:
        failure = Failure.BROKEN
    finish = _FINISH[finished.reason] if finished is not None else Finish.STOP
    usage = answer.usage if answer is not None else None
    spent = None
    if usage is not None:
        cost = total_cost(ending)
        spent = Spent(
            usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.reasoning_tokens, cost
        )
    return Conclusion(
        finish=Finish.CALLS if ending.calls else finish,
        failure=failure,
        words=_HINT.split(ending.closing)[0].strip("()") if failure is not None else "",
        calls=tuple(Call(each.id, each.name, each.arguments) for each in ending.calls),
        route=route_of(decision, answer, is_over=True) if decision is not None else None,
        spent=spent,
        ttft=answer.ttft if answer is not None else None,
    )
