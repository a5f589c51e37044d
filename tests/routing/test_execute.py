"""Carrying a decision out: what is asked, in which order, and what the reader of the stream sees."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from channels.capabilities import LatencyClass
from providers.base import (
    CompletionRequest,
    Credential,
    Finished,
    FinishReason,
    PromptMessage,
    ReasoningDelta,
    Role,
    Started,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
)
from providers.errors import ErrorKind, ProviderError
from providers.fake import Delay, FakeProvider, Hang, Script, answer, cut
from routing.budgets import Budget, longest_answer
from routing.errors import NoModel
from routing.execute import AnswerEvent, Attempt, Restarted, Tools, Unbounded, open_stream
from routing.health import Health
from routing.policy import Decision, Reason, Rung
from tests.routing.models import model

QUICK = Budget(target=0.0, first_token=0.05, stall=0.05, total=5.0)
PATIENT = Budget(target=2.0, first_token=30.0, stall=30.0, total=60.0)


class Rig:
    """Providers one and two under a ladder, and a record of every pause and attempt."""

    def __init__(self, *scripts: tuple[str, Script], prefill: bool = False, budget: Budget = PATIENT) -> None:
        refs = list(dict.fromkeys(ref for ref, _ in scripts))
        self.providers = {
            ref.partition("/")[0]: FakeProvider(
                ref.partition("/")[0], *(script for other, script in scripts if other == ref)
            )
            for ref in refs
        }
        rungs = tuple(Rung(model(ref, prefill=prefill), "key") for ref in refs)
        self.decision = Decision(rungs, budget, LatencyClass.SYNC, Reason.DEFAULT)
        self.pauses: list[float] = []
        self.attempts: list[Attempt] = []
        self.health = Health()
        self.tools = Tools(
            providers=self.providers,
            credential=lambda _provider, key: Credential(key),
            health=self.health,
            clock=time.monotonic,
            roll=lambda: 0.5,
            sleep=self._sleep,
            money=Unbounded(),
            report=self.attempts.append,
        )

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    @staticmethod
    def fit(_rung: Rung, so_far: str) -> CompletionRequest:
        messages = [PromptMessage(Role.USER, "q")]
        if so_far:
            messages.append(PromptMessage(Role.ASSISTANT, so_far))
        return CompletionRequest(tuple(messages))

    async def read(self, *, may_restart: bool = True) -> list[AnswerEvent]:
        seen: list[AnswerEvent] = []
        async with open_stream(self.decision, self.fit, self.tools, lambda: may_restart) as running:
            seen.extend([event async for event in running.events])
        return seen

    def asked(self) -> list[str]:
        """Which model each attempt went to."""
        return [each.rung.model.ref for each in self.attempts]

    def kinds(self) -> list[ErrorKind | None]:
        return [each.kind for each in self.attempts]


def text(events: Sequence[AnswerEvent]) -> str:
    said = ""
    for event in events:
        said = (
            ""
            if isinstance(event, Restarted)
            else said + (event.text if isinstance(event, TextDelta) else "")
        )
    return said


def fails(kind: ErrorKind, retry_after: float | None = None) -> Script:
    return (ProviderError(kind, "made up", retry_after=retry_after),)


async def test_a_whole_answer_comes_from_the_first_rung() -> None:
    rig = Rig(("one/a", answer("hello there")), ("two/b", answer("never")))
    events = await rig.read()
    assert text(events) == "hello there"
    assert isinstance(events[-1], Finished)
    assert rig.asked() == ["one/a"]


@pytest.mark.parametrize(
    "kind",
    [ErrorKind.RATE_LIMIT, ErrorKind.OVERLOADED, ErrorKind.QUOTA, ErrorKind.MODEL_GONE, ErrorKind.AUTH],
)
async def test_another_rung_answers_at_once_and_unseen(kind: ErrorKind) -> None:
    rig = Rig(("one/a", fails(kind)), ("two/b", answer("from two")))
    assert text(await rig.read()) == "from two"
    assert rig.asked() == ["one/a", "two/b"]
    assert rig.pauses == []


def of_at_most(rig: Rig, max_output: int | None) -> int:
    """Let the first rung be one that may say so many tokens; gives the characters that come to."""
    first = rig.decision.rungs[0]
    rung = replace(first, model=replace(first.model, max_output=max_output))
    rig.decision = replace(rig.decision, rungs=(rung, *rig.decision.rungs[1:]))
    return longest_answer(max_output)


@pytest.mark.parametrize("max_output", [100, 4_000, None])
async def test_an_answer_that_never_ends_is_ended_at_what_its_model_may_say(max_output: int | None) -> None:
    forever: Script = (Started(), *(TextDelta("x" * 7_000) for _ in range(1000)), Hang())
    rig = Rig(("one/a", forever), ("two/b", answer("never")))
    most = of_at_most(rig, max_output)
    events = await rig.read()
    last = events[-1]
    assert isinstance(last, Finished) and last.reason is FinishReason.LENGTH
    assert len(text(events)) == most
    assert rig.asked() == ["one/a"]
    assert rig.attempts[0].detail == f"ended at {most} characters"
    assert rig.providers["one"].asked[0].closed.is_set()


@pytest.mark.parametrize("delta", [ReasoningDelta("hm" * 5_000), ToolCallDelta(0, "c", "t", "{" * 10_000)])
async def test_thoughts_and_calls_that_never_end_are_ended_too(delta: StreamEvent) -> None:
    rig = Rig(("one/a", (Started(), *(delta for _ in range(200)), Hang())))
    of_at_most(rig, None)
    events = await rig.read()
    last = events[-1]
    assert isinstance(last, Finished) and last.reason is FinishReason.LENGTH
    assert len(events) < 110


async def test_thoughts_take_no_room_from_the_answer() -> None:
    script = (Started(), ReasoningDelta("h" * 30_000), TextDelta("the answer"), Finished(FinishReason.STOP))
    rig = Rig(("one/a", script))
    of_at_most(rig, 100)
    events = await rig.read()
    assert text(events) == "the answer"
    assert events[-1] == Finished(FinishReason.STOP)


async def test_an_answer_as_long_as_it_may_be_is_whole() -> None:
    script = (Started(), TextDelta("x" * longest_answer(100)), Finished(FinishReason.STOP))
    rig = Rig(("one/a", script))
    of_at_most(rig, 100)
    assert (await rig.read())[-1] == Finished(FinishReason.STOP)


@pytest.mark.parametrize("kind", [ErrorKind.SERVER, ErrorKind.CONNECT, ErrorKind.INCOMPLETE])
async def test_a_passing_fault_is_retried_once_and_then_left(kind: ErrorKind) -> None:
    rig = Rig(("one/a", fails(kind)), ("two/b", answer("from two")))
    rig.providers["one"].default = fails(kind)
    assert text(await rig.read()) == "from two"
    assert rig.asked() == ["one/a", "one/a", "two/b"]
    assert rig.pauses == [1.0]


@pytest.mark.parametrize("kind", [ErrorKind.BAD_REQUEST, ErrorKind.TOO_LARGE, ErrorKind.CONTENT_FILTER])
async def test_a_request_that_is_at_fault_goes_nowhere_else(kind: ErrorKind) -> None:
    rig = Rig(("one/a", fails(kind)), ("two/b", answer("never")))
    with pytest.raises(NoModel) as error:
        await rig.read()
    assert [each.kind for each in error.value.attempts] == [kind]
    assert rig.providers["two"].asked == []


async def test_a_short_rate_limit_is_waited_for_when_nobody_else_is_left() -> None:
    rig = Rig(("one/a", fails(ErrorKind.RATE_LIMIT, 0.5)))
    rig.providers["one"].scripts.append(answer("after the pause"))
    assert text(await rig.read()) == "after the pause"
    assert rig.pauses == [0.5]


async def test_a_silent_rung_is_left_at_its_deadline() -> None:
    rig = Rig(("one/a", (Hang(),)), ("two/b", answer("from two")), budget=QUICK)
    assert text(await rig.read()) == "from two"
    assert rig.kinds() == [ErrorKind.FIRST_TOKEN, None]
    assert rig.providers["one"].asked[0].closed.is_set()


async def test_a_started_event_alone_is_still_silence() -> None:
    rig = Rig(("one/a", (Started(), Hang())), ("two/b", answer("from two")), budget=QUICK)
    assert text(await rig.read()) == "from two"


async def test_thoughts_count_as_a_sign_of_life() -> None:
    slow: Script = (
        Started(),
        ReasoningDelta("hm"),
        Delay(0.03),
        ReasoningDelta("hm"),
        Delay(0.03),
        *answer("done")[1:],
    )
    rig = Rig(("one/a", slow), ("two/b", answer("never")), budget=QUICK)
    assert text(await rig.read()) == "done"


async def test_a_broken_answer_restarts_where_what_is_shown_can_be_taken_back() -> None:
    rig = Rig(("one/a", cut("half an", ProviderError(ErrorKind.STALL))), ("two/b", answer("whole")))
    events = await rig.read()
    assert text(events) == "whole"
    assert sum(isinstance(event, Restarted) for event in events) == 1


async def test_a_broken_answer_ends_where_nothing_can_be_taken_back() -> None:
    rig = Rig(("one/a", cut("half an", ProviderError(ErrorKind.STALL))), ("two/b", answer("never")))
    with pytest.raises(NoModel):
        await rig.read(may_restart=False)
    assert rig.providers["two"].asked == []


async def test_a_model_that_takes_a_prefill_goes_on_where_the_other_broke_off() -> None:
    rig = Rig(
        ("one/a", cut("half an", ProviderError(ErrorKind.STALL))), ("two/b", answer(" answer")), prefill=True
    )
    events = await rig.read(may_restart=False)
    assert text(events) == "half an answer"
    assert not any(isinstance(event, Restarted) for event in events)
    last = rig.providers["two"].asked[0].request.messages[-1]
    assert (last.role, last.text) == (Role.ASSISTANT, "half an")


async def test_going_on_with_nothing_is_no_whole_answer() -> None:
    halves = (cut("half an", ProviderError(ErrorKind.STALL)), answer(""), answer("a whole answer"))
    rig = Rig(("one/a", halves[0]), ("two/b", halves[1]), ("two/b", halves[2]), prefill=True)
    events = await rig.read()
    assert text(events) == "a whole answer"
    assert [len(each.request.messages) for each in rig.providers["two"].asked] == [2, 1]


async def test_going_on_with_nothing_is_no_answer_where_nothing_can_be_taken_back() -> None:
    rig = Rig(
        ("one/a", cut("half an", ProviderError(ErrorKind.STALL))),
        ("two/b", answer("")),
        ("two/b", answer("")),
        ("three/c", answer(" answer")),
        prefill=True,
    )
    assert text(await rig.read(may_restart=False)) == "half an answer"


async def test_when_all_fail_each_is_named() -> None:
    rig = Rig(("one/a", fails(ErrorKind.OVERLOADED)), ("two/b", fails(ErrorKind.RATE_LIMIT)))
    with pytest.raises(NoModel) as error:
        await rig.read()
    assert [each.kind for each in error.value.attempts] == [ErrorKind.OVERLOADED, ErrorKind.RATE_LIMIT]


async def test_leaving_early_closes_the_request_and_books_it() -> None:
    rig = Rig(("one/a", (*answer("a lot of text")[:2], Hang())))
    async with open_stream(rig.decision, rig.fit, rig.tools, lambda: True) as running:
        async for event in running.events:
            if isinstance(event, TextDelta):
                break
    assert rig.providers["one"].asked[0].closed.is_set()
    assert [each.cancelled for each in rig.attempts] == [True]


async def test_a_cancelled_reader_closes_the_request() -> None:
    rig = Rig(("one/a", (Started(), Hang())))
    task = asyncio.ensure_future(rig.read())
    await rig.providers["one"].until_asked(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rig.providers["one"].asked[0].closed.is_set()
    assert rig.health.reason(("one", "a", "key")) == ""
