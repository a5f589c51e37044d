"""A second request beside a silent first one: when, to whom, how many, and that only one of the two speaks."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.capabilities import LatencyClass, Streaming
from providers.base import (
    CompletionRequest,
    Credential,
    Finished,
    PromptMessage,
    ReasoningDelta,
    Role,
    Started,
    TextDelta,
    Usage,
    UsageSoFar,
)
from providers.errors import ErrorKind, ProviderError
from providers.fake import Delay, FakeProvider, Hang, Script, answer, cut
from routing.budgets import BUDGETS
from routing.errors import NoModel
from routing.execute import Answer, AnswerEvent, Attempt, Restarted, Tools, Unbounded, open_stream
from routing.health import Breaker, Health, Tail
from routing.hedge import BURST, LEAST, SHARE, Hedges, patience, plan
from routing.policy import Decision, Reason, RouteQuery, Rung, decide
from routing.strategy import Difficulty
from tests.routing.hedge_trace import BROKEN, simulate
from tests.routing.models import catalog, model
from tests.routing.test_execute import text
from tests.virtual_time import virtual_time

SEMI = BUDGETS[LatencyClass.SEMI_SYNC]


class Rig:
    """Two providers (or more) on a loop whose clock jumps. `first` is known to answer within 0.2 s."""

    def __init__(self, *scripts: tuple[str, Script], share: float = SHARE, prefill: bool = False) -> None:
        loop = asyncio.get_running_loop()
        self.providers = {ref.partition("/")[0]: FakeProvider(ref.partition("/")[0]) for ref, _ in scripts}
        for ref, script in scripts:
            self.providers[ref.partition("/")[0]].then(script)
        refs = dict.fromkeys(ref for ref, _ in scripts)
        self.rungs = tuple(Rung(model(ref, prefill=prefill), "key") for ref in refs)
        self.decision = Decision(self.rungs, SEMI, LatencyClass.SEMI_SYNC, Reason.DEFAULT, tokens=700)
        self.health = Health()
        self.attempts: list[Attempt] = []
        for rung in self.rungs:
            usually(self.health, rung, 0.2)
        self.tools = Tools(
            providers=self.providers,
            credential=lambda _provider, key: Credential(key),
            health=self.health,
            clock=loop.time,
            roll=lambda: 0.5,
            sleep=asyncio.sleep,
            money=Unbounded(),
            report=self.attempts.append,
            hedges=Hedges(share),
        )
        self.answer: Answer | None = None
        self.first_word: float | None = None

    @staticmethod
    def fit(_rung: Rung, so_far: str) -> CompletionRequest:
        messages = [PromptMessage(Role.USER, "q")]
        if so_far:
            messages.append(PromptMessage(Role.ASSISTANT, so_far))
        return CompletionRequest(tuple(messages))

    async def read(self, *, may_hedge: bool = True, may_restart: bool = True) -> list[AnswerEvent]:
        loop = asyncio.get_running_loop()
        began, seen = loop.time(), []
        async with open_stream(
            self.decision, self.fit, self.tools, lambda: may_restart, may_hedge=may_hedge
        ) as running:
            self.answer = running
            async for event in running.events:
                if self.first_word is None and isinstance(event, TextDelta):
                    self.first_word = loop.time() - began
                seen.append(event)
        return seen

    def asked(self) -> dict[str, int]:
        return {name: len(provider.asked) for name, provider in self.providers.items()}

    def nothing_runs(self) -> bool:
        return not any(provider.open_streams for provider in self.providers.values()) and not [
            task for task in asyncio.all_tasks() if task.get_name() == "second request"
        ]


def usually(health: Health, rung: Rung, seconds: float, times: int = 20) -> None:
    for _ in range(times):
        health.began(rung.key, seconds, 0.0, 700)


# When


def test_the_wait_is_the_p95_where_that_is_in_reason() -> None:
    assert patience(1.0, Tail(0.2, 0.4, 0.448), 0.32) == pytest.approx(0.448)


def test_a_p95_that_lies_in_the_queue_is_not_waited_for() -> None:
    assert patience(2.0, Tail(0.2, 0.35, 3.3), 0.32) == pytest.approx(1.2 * 0.35)


def test_the_other_still_has_its_usual_time_before_the_target() -> None:
    assert patience(1.0, Tail(0.2, 2.0, 3.0), 0.32) == pytest.approx(0.68)


def test_nobody_is_late_before_twice_the_usual() -> None:
    assert patience(0.5, Tail(0.3, 2.0, 3.0), 0.4) == pytest.approx(2.25 * 0.3)


def test_an_unknown_model_has_the_whole_target() -> None:
    assert patience(1.0, None, 0.1) == 1.0


def test_a_model_that_never_began_lately_has_the_whole_target_too() -> None:
    never = float("inf")
    assert patience(1.0, Tail(never, never, never), None) == 1.0


@given(
    st.floats(0.05, 20),
    st.lists(st.floats(0.001, 1e6) | st.just(float("inf")), min_size=3, max_size=3),
    st.none() | st.floats(0.001, 1e6),
)
def test_the_wait_is_always_some_finite_time(target: float, times: list[float], other: float | None) -> None:
    p50, p90, p95 = sorted(times)
    assert LEAST <= patience(target, Tail(p50, p90, p95), other) < float("inf")


# How many


@given(
    st.lists(st.tuples(st.floats(0, 400), st.booleans()), max_size=1_000),
    st.sampled_from([0.01, 0.05, 0.2, 1.0]),
    st.integers(0, 5),
)
def test_there_are_never_more_than_the_share_and_the_burst(
    asked: list[tuple[float, bool]], share: float, burst: int
) -> None:
    hedges, taken, now = Hedges(share, burst), 0, 0.0
    for number, (pause, is_late) in enumerate(asked, start=1):
        now += pause
        hedges.asked(now)
        taken += is_late and hedges.take()
        assert taken <= burst + share * number + 1e-6
        assert 0 <= hedges.scarcity <= 1


def test_after_a_calm_day_five_minutes_of_outage_are_bounded_too() -> None:
    hedges = Hedges()
    for second in range(86_400):
        hedges.asked(float(second))
    taken = 0
    for second in range(86_400, 86_700):
        hedges.asked(float(second))
        taken += hedges.take()
    assert taken <= SHARE * 600


def test_a_clock_that_is_set_back_gives_none_away() -> None:
    hedges, taken = Hedges(), 0
    for at in (1e9, 0.0, 5.0, -1e9, 7.0):
        hedges.asked(at)
        taken += hedges.take()
    assert taken == BURST


def test_the_fewer_are_left_the_longer_is_waited() -> None:
    decision, health = ladder("one/a", "two/b"), Health()
    waits = [plan(decision, decision.rungs[0], health, 0.0, scarcity) for scarcity in (0.0, 1.0)]
    assert all(waits) and waits[0].after < waits[1].after  # type: ignore[union-attr]


def test_a_share_of_zero_allows_none() -> None:
    hedges = Hedges(0.0)
    hedges.asked(0.0)
    assert not hedges.take()


def test_the_tail_of_a_day_is_cut_for_one_more_request_in_twenty() -> None:
    alone = simulate(5_000, share=None, deadline=15.0, seed=40)
    hedged = simulate(5_000, deadline=15.0, seed=40)
    assert alone.quantile(0.99) > 4.0
    assert hedged.quantile(0.99) <= 0.95
    assert hedged.quantile(0.5) == pytest.approx(alone.quantile(0.5), rel=0.02)
    assert hedged.extra <= SHARE + BURST / 5_000


def test_when_nobody_answers_the_extra_requests_stay_within_the_share() -> None:
    found = simulate(600, first=BROKEN, second=BROKEN)
    assert found.failed == 600
    assert found.extra <= SHARE + BURST / 600


# To whom


def ladder(*refs: str, keys: int = 1) -> Decision:
    rungs = tuple(Rung(model(ref), f"key{at}") for ref in refs for at in range(keys))
    return Decision(rungs, SEMI, LatencyClass.SEMI_SYNC, Reason.DEFAULT)


def test_it_goes_to_the_next_that_another_provider_serves() -> None:
    decision = ladder("one/a", "one/b", "two/c", keys=2)
    planned = plan(decision, decision.rungs[0], Health(), 0.0)
    assert planned is not None
    assert planned.rung == decision.rungs[4]


def test_it_never_goes_to_the_same_provider() -> None:
    decision = ladder("one/a", "one/b", keys=2)
    assert plan(decision, decision.rungs[0], Health(), 0.0) is None


def test_batch_work_is_asked_once() -> None:
    decision = replace(ladder("one/a", "two/b"), latency=LatencyClass.BATCH)
    assert plan(decision, decision.rungs[0], Health(), 0.0) is None


@pytest.mark.parametrize("at", [0, 1])
def test_nobody_is_doubled_who_is_known_to_fail_and_nobody_doubles_who_is(at: int) -> None:
    decision, health = ladder("one/a", "two/b"), Health()
    health.failed(decision.rungs[at].key, ErrorKind.RATE_LIMIT, None, 0.0)
    assert plan(decision, decision.rungs[0], health, 1.0) is None
    assert plan(decision, decision.rungs[0], health, 61.0) is None, "the probe is not doubled either"


def chosen(**choice: str) -> Decision:
    models = catalog(model("one/a"), model("two/b"), aliases={"deep": "one/a", "fast": "two/b"})
    query = RouteQuery(LatencyClass.SEMI_SYNC, Streaming.EDIT, now=0.0, **choice)  # type: ignore[arg-type]
    return decide(query, models, Health())


def test_a_model_that_somebody_named_is_waited_for() -> None:
    decision = chosen(chosen_here="deep")
    assert [rung.model.ref for rung in decision.rungs] == ["one/a", "two/b"]
    assert plan(decision, decision.rungs[0], Health(), 0.0) is None


def test_a_model_that_a_hard_question_needs_is_waited_for() -> None:
    decision = chosen(difficulty=Difficulty.HARD)
    assert plan(decision, decision.rungs[0], Health(), 0.0) is None


def test_the_default_is_doubled_by_its_fallback() -> None:
    decision = chosen()
    assert plan(decision, decision.rungs[0], Health(), 0.0) is not None


# What happens


@virtual_time
async def test_a_first_word_in_time_asks_nobody_else() -> None:
    rig = Rig(("one/a", answer("hello there", ttft=0.19)), ("two/b", answer("never")))
    assert text(await rig.read()) == "hello there"
    assert rig.asked() == {"one": 1, "two": 0}
    assert [each.hedge for each in rig.attempts] == [False]


@virtual_time
async def test_a_silent_model_is_overtaken_and_its_request_ended() -> None:
    rig = Rig(("one/a", answer("too late", ttft=5.0)), ("two/b", answer("from two", ttft=0.1)))
    events = await rig.read()
    assert text(events) == "from two"
    assert not any(isinstance(event, Restarted) for event in events)
    assert rig.first_word == pytest.approx(0.2 + 0.1)
    assert rig.providers["one"].asked[0].closed.is_set()
    assert rig.answer is not None and rig.answer.rung == rig.rungs[1]
    assert [(each.rung.model.ref, each.hedge, each.cancelled) for each in rig.answer.attempts] == [
        ("one/a", False, True),
        ("two/b", True, False),
    ]
    assert rig.nothing_runs()


@virtual_time
async def test_the_first_model_wins_by_a_word_and_the_second_request_is_ended() -> None:
    rig = Rig(("one/a", answer("just in time", ttft=0.25, gap=1.0)), ("two/b", answer("never", ttft=0.2)))
    assert text(await rig.read()) == "just in time"
    two = rig.providers["two"].asked[0]
    assert two.closed.is_set()
    assert two.said <= 1, "it began, and had said no word of an answer"
    assert rig.answer is not None
    assert [(each.rung.model.ref, each.hedge, each.cancelled) for each in rig.answer.attempts] == [
        ("two/b", True, True),
        ("one/a", False, False),
    ], "the one that spoke stands last"
    assert rig.nothing_runs()


@virtual_time
async def test_the_loser_is_paid_for_in_the_books() -> None:
    rig = Rig(("one/a", answer("too late", ttft=5.0)), ("two/b", answer("from two", ttft=0.1)))
    await rig.read()
    assert rig.answer is not None
    lost, won = rig.answer.attempts
    assert (lost.usage, lost.is_estimated) == (Usage(input_tokens=700), True)
    assert won.usage is not None and not won.is_estimated


@virtual_time
async def test_what_the_loser_counted_itself_stands_in_the_books() -> None:
    counted = (Started(), UsageSoFar(Usage(123, 0)), Hang())
    rig = Rig(("one/a", counted), ("two/b", answer("from two", ttft=0.1)))
    await rig.read()
    assert rig.answer is not None
    lost = rig.answer.attempts[0]
    assert (lost.usage, lost.is_estimated) == (Usage(123, 0), False)


@virtual_time
async def test_health_hears_of_both() -> None:
    rig = Rig(("one/a", answer("too late", ttft=5.0)), ("two/b", answer("from two", ttft=0.1)))
    before = rig.health.lately(rig.rungs[0].key, 1.0, 0.0, 700).value
    await rig.read()
    assert rig.health.lately(rig.rungs[0].key, 1.0, 0.0, 700).value < before
    assert rig.health.breaker(rig.rungs[0].key, 0.0) is Breaker.CLOSED, "late is not broken"
    assert rig.health.ttft(rig.rungs[1].key, 0.0) == pytest.approx(0.1)


@virtual_time
async def test_a_thinking_model_is_not_silent() -> None:
    thinks = (Started(), Delay(0.1), ReasoningDelta("hm"), Delay(3.0), *answer("thought out")[1:])
    rig = Rig(("one/a", thinks), ("two/b", answer("never")))
    assert text(await rig.read()) == "thought out"
    assert rig.asked()["two"] == 0


@virtual_time
async def test_thoughts_win_nothing_and_of_the_loser_nothing_is_shown() -> None:
    thinks = (Started(), Delay(0.05), ReasoningDelta("two thinks"), Hang())
    rig = Rig(("one/a", answer("words count", ttft=1.5)), ("two/b", thinks))
    events = await rig.read()
    assert text(events) == "words count"
    assert not any(isinstance(event, ReasoningDelta) for event in events)


@virtual_time
async def test_the_winner_hands_on_all_that_it_said_before_its_first_word() -> None:
    thinks = (Started(), ReasoningDelta("two thinks"), Delay(0.1), *answer("and says")[1:])
    rig = Rig(("one/a", (Hang(),)), ("two/b", thinks))
    events = await rig.read()
    assert [type(event) for event in events][:3] == [Started, ReasoningDelta, TextDelta]
    assert text(events) == "and says"


@virtual_time
async def test_when_the_first_fails_the_second_one_is_listened_to() -> None:
    fails = (Delay(0.3), ProviderError(ErrorKind.OVERLOADED))
    rig = Rig(("one/a", fails), ("two/b", answer("from two", ttft=0.4)))
    assert text(await rig.read()) == "from two"
    assert rig.asked() == {"one": 1, "two": 1}
    assert rig.first_word == pytest.approx(0.2 + 0.4)
    assert [(each.kind, each.hedge) for each in rig.attempts] == [(ErrorKind.OVERLOADED, False), (None, True)]


@virtual_time
async def test_when_the_second_fails_the_first_goes_on_unharmed() -> None:
    rig = Rig(("one/a", answer("slow but there", ttft=2.0)), ("two/b", (ProviderError(ErrorKind.SERVER),)))
    assert text(await rig.read()) == "slow but there"
    assert rig.answer is not None
    assert [(each.kind, each.hedge) for each in rig.answer.attempts] == [
        (ErrorKind.SERVER, True),
        (None, False),
    ]


@virtual_time
async def test_when_both_fail_each_was_asked_once_and_a_third_answers() -> None:
    rig = Rig(
        ("one/a", (Delay(1.0), ProviderError(ErrorKind.OVERLOADED))),
        ("two/b", (ProviderError(ErrorKind.OVERLOADED),)),
        ("three/c", answer("from three")),
    )
    assert text(await rig.read()) == "from three"
    assert rig.asked() == {"one": 1, "two": 1, "three": 1}


@virtual_time
async def test_when_all_fail_each_was_asked_once_and_it_is_said() -> None:
    rig = Rig(("one/a", (Hang(),)), ("two/b", (Delay(0.5), ProviderError(ErrorKind.OVERLOADED))))
    with pytest.raises(NoModel) as error:
        await rig.read()
    assert {each.kind for each in error.value.attempts} == {ErrorKind.OVERLOADED, ErrorKind.FIRST_TOKEN}
    assert rig.asked() == {"one": 1, "two": 1}
    assert rig.nothing_runs()


@virtual_time
async def test_a_winner_that_breaks_off_is_followed_by_the_one_it_overtook() -> None:
    broken = cut("half an", ProviderError(ErrorKind.STALL))
    rig = Rig(("one/a", (Hang(),)), ("two/b", broken), ("one/a", answer("whole at last")))
    events = await rig.read()
    assert text(events) == "whole at last"
    assert sum(isinstance(event, Restarted) for event in events) == 1
    assert rig.asked() == {"one": 2, "two": 1}


@virtual_time
async def test_what_was_done_with_effect_is_not_done_twice() -> None:
    rig = Rig(("one/a", answer("late", ttft=2.0)), ("two/b", answer("never")))
    assert text(await rig.read(may_hedge=False)) == "late"
    assert rig.asked()["two"] == 0


@virtual_time
async def test_an_answer_that_goes_on_after_its_calls_asks_nobody_else() -> None:
    rig = Rig(("one/a", answer("late", ttft=2.0)), ("two/b", answer("never")))
    before = Answer(ttft=0.1, began=0.0)
    async with open_stream(rig.decision, rig.fit, rig.tools, lambda: True, before) as running:
        assert text([event async for event in running.events]) == "late"
    assert rig.asked()["two"] == 0


@virtual_time
async def test_in_an_outage_of_all_there_are_no_more_second_requests_than_allowed() -> None:
    rig = Rig(("one/a", (Hang(),)), ("two/b", (Hang(),)))
    for provider in rig.providers.values():
        provider.default = (Hang(),)
    for _ in range(100):
        with pytest.raises(NoModel):
            await rig.read()
    seconds = sum(each.hedge for each in rig.attempts)
    assert seconds <= BURST + SHARE * 100


@virtual_time
async def test_a_reader_who_leaves_ends_both_requests() -> None:
    rig = Rig(("one/a", (Hang(),)), ("two/b", (Hang(),)))
    task = asyncio.ensure_future(rig.read())
    await rig.providers["two"].until_asked()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rig.nothing_runs()
    assert [each.cancelled for each in rig.attempts] == [True, True]


@virtual_time
async def test_a_reader_who_leaves_the_winner_ends_it() -> None:
    rig = Rig(("one/a", (Hang(),)), ("two/b", (*answer("and so on", ttft=0.1)[:3], Hang())))
    async with open_stream(rig.decision, rig.fit, rig.tools, lambda: True) as running:
        async for event in running.events:
            if isinstance(event, TextDelta):
                break
    assert rig.nothing_runs()


@given(
    st.lists(st.floats(0, 3), min_size=2, max_size=2),
    st.lists(st.sampled_from(["whole", "broken", "fails", "hangs"]), min_size=2, max_size=2),
)
def test_whatever_happens_there_is_one_answer_by_one_model(times: list[float], ends: list[str]) -> None:
    @virtual_time
    async def story() -> None:
        scripts: list[tuple[str, Script]] = []
        for ref, ttft, end in zip(("one/a", "two/b"), times, ends, strict=True):
            name = ref[:3]
            whole = answer(f"{name} {name} {name}", ttft=ttft, gap=0.1)
            script: Script = {
                "whole": whole,
                "broken": (*whole[:-2], ProviderError(ErrorKind.STALL)),
                "fails": (Delay(ttft), ProviderError(ErrorKind.OVERLOADED)),
                "hangs": (Hang(),),
            }[end]
            scripts.append((ref, script))
        rig = Rig(*scripts)
        try:
            events = await rig.read()
        except NoModel:
            pass
        else:
            said = text(events)
            assert said in ("one one one", "two two two", *("", "q")), said
            assert isinstance(events[-1], Finished)
            assert rig.answer is not None and rig.answer.rung is not None
            last = rig.answer.attempts[-1]
            assert last.rung == rig.answer.rung and last.kind is None and not last.cancelled
        assert rig.nothing_runs()
        assert len(rig.attempts) == sum(rig.asked().values()), "every request stands in the books"
        assert rig.answer is not None and len(rig.answer.attempts) == len(rig.attempts)

    story()
