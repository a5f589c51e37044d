"""What a request of a rehearsal gets follows from the scenario, its number and the second, and from nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from providers.base import (
    CompletionRequest,
    Finished,
    FinishReason,
    GenerationOptions,
    PromptMessage,
    ReasoningDelta,
    Role,
    TextDelta,
)
from providers.demo_plan import Step, plan, script
from providers.demo_scenario import DemoModel, Fault, Slowdown, Span, Tail, Way, Window
from providers.errors import ErrorKind, ProviderError
from tests.providers.ask import question

QUICK = DemoModel("quick", ttft=Span(0.2, 0.2), speed=Span(100, 100), answer="one two three four five six")
OUTAGE = Fault(ErrorKind.OVERLOADED, window=Window(60, 180))


def steps(
    model: DemoModel, number: int = 1, now: float = 0.0, asked: CompletionRequest | None = None
) -> list[Step]:
    return list(script(model, plan(model, 0, number, now), asked or question("hi")))


def said(found: list[Step]) -> str:
    return "".join(step.what.text for step in found if isinstance(step.what, TextDelta))


def test_an_outage_lasts_from_its_first_second_to_before_its_last() -> None:
    model = replace(QUICK, faults=(OUTAGE,))
    down = [now for now in (0, 59.9, 60, 120, 179.9, 180, 500) if plan(model, 0, 1, now).fault is not None]
    assert down == [60, 120, 179.9]


def test_a_slowdown_delays_the_first_word_and_all_others_by_its_factor() -> None:
    model = replace(QUICK, slowdowns=(Slowdown(4, Window(10, 20)), Slowdown(2, Window(15, 30))))
    plans = [plan(model, 0, 1, now) for now in (0, 10, 15, 20, 30)]
    assert [each.ttft for each in plans] == pytest.approx([0.2, 0.8, 1.6, 0.4, 0.2])
    assert [each.gap for each in plans] == pytest.approx([0.01, 0.04, 0.08, 0.02, 0.01])


def test_a_fault_strikes_the_requests_that_it_names() -> None:
    model = replace(QUICK, faults=(Fault(ErrorKind.SERVER, requests=frozenset({2})), Fault(Way.CUT, every=3)))
    struck = {n: each.fault.kind for n in range(1, 8) if (each := plan(model, 0, n, 0)).fault is not None}
    assert struck == {2: ErrorKind.SERVER, 3: Way.CUT, 6: Way.CUT}


def test_of_several_faults_that_fit_the_first_counts() -> None:
    model = replace(QUICK, faults=(Fault(Way.EMPTY), Fault(ErrorKind.SERVER)))
    planned = plan(model, 0, 1, 0).fault
    assert planned is not None
    assert planned.kind is Way.EMPTY


def test_chance_strikes_its_share_and_the_same_requests_again_with_the_same_seed() -> None:
    model = replace(QUICK, faults=(Fault(ErrorKind.SERVER, probability=0.2),), ttft=Tail(0.2, 0.8))
    runs = [[plan(model, seed, number, 0) for number in range(2000)] for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]
    assert 300 < sum(each.fault is not None for each in runs[0]) < 500
    ttfts = sorted(each.ttft for each in runs[0])
    assert ttfts[1000] == pytest.approx(0.2, rel=0.1)
    assert ttfts[1900] == pytest.approx(0.8, rel=0.2)


def test_words_come_in_time() -> None:
    found = steps(replace(QUICK, reasoning="Let me see."))
    assert [step.due for step in found[1:-1]] == pytest.approx([0.2 + 0.01 * place for place in range(9)])
    assert [type(step.what) for step in found[1:5]] == [ReasoningDelta] * 3 + [TextDelta]
    assert said(found) == QUICK.answer
    last = found[-1].what
    assert isinstance(last, Finished)
    assert last.usage is not None
    assert (last.reason, last.usage.output_tokens, last.usage.reasoning_tokens) == (FinishReason.STOP, 9, 3)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(Way.FILTERED, FinishReason.CONTENT_FILTER), (Way.FULL, FinishReason.CONTEXT)],
)
def test_an_answer_is_ended_by_the_filter_or_the_window_after_some_words(
    kind: Way, reason: FinishReason
) -> None:
    found = steps(replace(QUICK, faults=(Fault(kind, after=2),)))
    last = found[-1].what
    assert said(found) == "one two"
    assert isinstance(last, Finished)
    assert last.reason is reason


def test_an_error_before_the_first_word_has_the_status_that_a_provider_gives_it() -> None:
    fault = Fault(ErrorKind.RATE_LIMIT, retry_after=7, delay=0.5)
    (step,) = steps(replace(QUICK, faults=(fault,)))
    assert isinstance(step.what, ProviderError)
    assert (step.due, step.what.kind, step.what.retry_after, step.what.status) == (0.5, fault.kind, 7, 429)


def test_an_error_after_some_words_stands_inside_a_good_answer() -> None:
    found = steps(replace(QUICK, faults=(Fault(ErrorKind.OVERLOADED, after=3),)))
    last = found[-1].what
    assert said(found) == "one two three"
    assert isinstance(last, ProviderError)
    assert (last.kind, last.status) == (ErrorKind.OVERLOADED, 200)


def test_a_cut_comes_at_the_latest_before_the_end_of_a_short_answer() -> None:
    found = steps(replace(QUICK, answer="short", faults=(Fault(Way.CUT, after=9),)))
    last = found[-1].what
    assert said(found) == "short"
    assert isinstance(last, ProviderError)
    assert last.kind is ErrorKind.INCOMPLETE


def test_silence_is_nothing_for_ever_and_a_stall_is_nothing_after_some_words() -> None:
    assert [step.what for step in steps(replace(QUICK, faults=(Fault(Way.SILENCE),)))] == [None]
    found = steps(replace(QUICK, faults=(Fault(Way.STALL, after=2),)))
    assert said(found) == "one two"
    assert found[-1].what is None


def test_an_empty_answer_ends_properly_without_a_word_or_a_thought() -> None:
    found = steps(replace(QUICK, reasoning="Hm.", faults=(Fault(Way.EMPTY),)))
    assert [type(step.what).__name__ for step in found] == ["Started", "Finished"]


def test_the_question_and_the_model_stand_where_the_answer_wants_them() -> None:
    model = replace(QUICK, answer="{model}: {question} {other}")
    assert said(steps(model, asked=question("is {model} it?"))) == "quick: is {model} it? {other}"


def test_the_limit_of_an_answer_is_the_requests_or_the_models() -> None:
    short = question("hi", GenerationOptions(max_output=2))
    assert said(steps(QUICK, asked=short)) == "one two"
    found = steps(replace(QUICK, max_output=3))
    last = found[-1].what
    assert isinstance(last, Finished)
    assert last.reason is FinishReason.LENGTH


def test_an_answer_goes_on_where_it_was_cut_even_when_another_model_began_it() -> None:
    def rest(begun: str) -> str:
        asked = CompletionRequest((PromptMessage(Role.USER, "hi"), PromptMessage(Role.ASSISTANT, begun)))
        return said(steps(QUICK, asked=asked))

    assert rest("one two") == " three four five six"
    assert rest("uno due") == " three four five six"
    assert rest("a b c d e f g") == " …"
