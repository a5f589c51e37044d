"""A program's request on its way to a model: the prompt, the wishes, and how its answer ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.asked import ours_for, prompt_of, suited
from bot.conclusion import conclusion_of, failure_of
from bot.ending import Ending
from bot.store.base import Outcome
from channels.capabilities import LatencyClass, Streaming
from channels.programs import (
    Asked,
    Call,
    Failure,
    Finish,
    Form,
    Picture,
    Said,
    ToolOffer,
    Wishes,
)
from providers.base import (
    CompletionRequest,
    Effort,
    Finished,
    FinishReason,
    GenerationOptions,
    ModelSpec,
    Role,
    Schema,
    ToolCall,
    Usage,
)
from providers.errors import ErrorKind
from providers.profile import ModelProfile
from routing.budgets import BUDGETS
from routing.catalog import Catalog, Choice
from routing.execute import Answer, Attempt
from routing.policy import Decision, Excluded, Exclusion, Reason, RouteQuery, Rung

MODEL = ModelSpec("mock", "m", context_window=1000, max_output=100)
RUNG = Rung(MODEL, options=GenerationOptions(Effort.LOW, 50, 0.1, {"top_p": 0.1, "seed": 1}))
KNOWN = Catalog({MODEL.ref: MODEL}, Choice(MODEL))
ASKED = Asked((Said("user", "hello"),), "auto")
LOOK = ToolOffer("look", "", {"type": "object"})
CALLED = (
    Said("user", "look"),
    Said("assistant", calls=(Call("1", "look", "{}"),)),
    Said("tool", "seen", call_id="1"),
)


def request(asked: Asked, rung: Rung = RUNG, persona: str = "") -> CompletionRequest:
    return prompt_of(asked, persona).fit(rung, "")


def decision(*excluded: Exclusion) -> Decision:
    told = tuple(Excluded("mock/m", why) for why in excluded)
    return Decision((RUNG,), BUDGETS[LatencyClass.ASYNC], LatencyClass.ASYNC, Reason.DEFAULT, excluded=told)


def test_nothing_of_a_programs_words_is_left_out() -> None:
    said = tuple(Said("user" if at % 2 == 0 else "assistant", "word " * 500) for at in range(9))
    prompt = prompt_of(Asked(said), "")
    assert [each.text for each in prompt.fit(RUNG, "").messages] == [each.text for each in said]
    assert prompt.least_tokens > MODEL.context_window  # so that this model is not asked at all


def test_the_owners_prompt_gives_way_to_the_programs() -> None:
    assert [each.text for each in request(ASKED, persona="Be kind.").messages] == ["Be kind.", "hello"]
    asked = Asked((Said("system", "Be quick."), *ASKED.said))
    assert [each.text for each in request(asked, persona="Be kind.").messages] == ["Be quick.", "hello"]


def test_a_prompt_of_instructions_alone_asks_the_last_of_them() -> None:
    roles = [each.role for each in request(Asked((Said("system", "a"), Said("system", "b")))).messages]
    assert roles == [Role.SYSTEM, Role.USER]


def test_wishes_stand_over_the_settings_and_leave_the_rest() -> None:
    options = request(replace(ASKED, wishes=Wishes(0.9, 70, params={"seed": 2}))).options
    assert (options.temperature, options.max_output, options.effort) == (0.9, 70, Effort.LOW)
    assert options.params == {"top_p": 0.1, "seed": 2}
    assert request(replace(ASKED, wishes=Wishes(max_output=7000))).options.max_output == 100
    assert request(ASKED).options == RUNG.options


def test_a_form_reaches_models_that_know_schemas_and_servers_of_which_nobody_knows() -> None:
    asked = replace(ASKED, wishes=Wishes(form=Form("f", {"type": "array"})))
    knows = replace(RUNG, model=replace(MODEL, profile=ModelProfile(schema=True)))
    known, unknown = request(asked, knows), request(asked)
    assert known.schema == unknown.schema == Schema("f", {"type": "array"})
    assert "response_format" not in known.options.params
    assert unknown.options.params["response_format"]["json_schema"]["name"] == "f"
    loose = replace(ASKED, wishes=Wishes(form=Form("f", {"type": "object"}, is_strict=False)))
    assert request(loose).options.params["response_format"] == {"type": "json_object"}


def test_calls_of_a_history_keep_their_results_when_the_tools_are_not_sent_again() -> None:
    sent = request(Asked(CALLED))
    assert [each.role for each in sent.messages] == [Role.USER, Role.ASSISTANT, Role.TOOL]
    assert ([tool.name for tool in sent.tools], sent.tool_choice) == (["look"], "none")
    wishes = Wishes(tool_choice="look", parallel_calls=False)
    again = request(Asked(CALLED, tools=(LOOK,), wishes=wishes))
    assert (again.tool_choice, again.parallel_tools) == ("look", False)


def test_a_query_says_what_a_program_needs() -> None:
    plain = RouteQuery(LatencyClass.ASYNC, Streaming.NONE, 0.0, effort=Effort.LOW)
    assert suited(plain, None, KNOWN) == suited(plain, ASKED, KNOWN) == plain
    assert suited(plain, Asked(CALLED), KNOWN).needs_tools
    needs = suited(plain, replace(ASKED, tools=(LOOK,), wishes=Wishes(effort="off", max_output=9)), KNOWN)
    assert (needs.needs_tools, needs.effort, needs.answer_tokens) == (True, Effort.OFF, 9)


def test_a_strict_schema_is_for_models_that_follow_one_unless_a_model_is_named() -> None:
    plain = RouteQuery(LatencyClass.ASYNC, Streaming.NONE, 0.0)
    strict = replace(ASKED, wishes=Wishes(form=Form("f", {})))
    follows = replace(MODEL, model="f", profile=ModelProfile(schema=True))
    both = Catalog({MODEL.ref: MODEL, follows.ref: follows}, Choice(MODEL))
    assert suited(plain, strict, both).needs_schema
    assert not suited(plain, replace(strict, model="mock/m"), both).needs_schema
    assert not suited(plain, strict, KNOWN).needs_schema


def test_our_tools_are_for_those_who_ask_and_bring_none() -> None:
    assert ours_for(ASKED, ()) == ours_for(replace(ASKED, uses_our_tools=True, tools=(LOOK,)), ()) == ()


def test_pictures_are_counted_and_handed_on() -> None:
    prompt = prompt_of(Asked((Said("user", "", (Picture("image/png", b"x"),)),)), "")
    assert prompt.least_tokens > 1000
    assert prompt.fit(RUNG, "").messages[0].images[0].data == b"x"


@pytest.mark.parametrize(
    ("kinds", "failure"),
    [
        ((ErrorKind.RATE_LIMIT, ErrorKind.QUOTA), Failure.LIMITED),
        ((ErrorKind.RATE_LIMIT, ErrorKind.SERVER), Failure.UNAVAILABLE),
        ((ErrorKind.FIRST_TOKEN, ErrorKind.STALL), Failure.SLOW),
        ((ErrorKind.SERVER, ErrorKind.BAD_REQUEST), Failure.REFUSED),
        ((ErrorKind.CONTEXT_LENGTH,), Failure.TOO_LONG),
        ((ErrorKind.CONTENT_FILTER, ErrorKind.SERVER), Failure.FILTERED),
        ((ErrorKind.AUTH,), Failure.UNAVAILABLE),
    ],
)
def test_of_several_reasons_the_one_counts_that_helps_most(
    kinds: tuple[ErrorKind, ...], failure: Failure
) -> None:
    attempts = [Attempt(RUNG, at, 0.1, kind=kind) for at, kind in enumerate(kinds)]
    assert failure_of(attempts, decision()) is failure


def test_where_nobody_could_be_asked_the_reason_is_what_they_lack() -> None:
    assert failure_of([], decision(Exclusion.WINDOW, Exclusion.WINDOW)) is Failure.TOO_LONG
    assert failure_of([], decision(Exclusion.WINDOW, Exclusion.NO_IMAGES)) is Failure.UNFIT
    assert failure_of([], decision(Exclusion.RESTING)) is Failure.UNAVAILABLE


def test_a_conclusion_tells_end_way_and_use() -> None:
    answer = Answer([Attempt(RUNG, 0, 0.1, kind=ErrorKind.SERVER), Attempt(RUNG, 1, 0.2)], RUNG)
    answer.finished, answer.usage = Finished(FinishReason.LENGTH), Usage(9, 5, 3, 2)
    told = conclusion_of(Ending(Outcome.DONE, decision=decision(), answer=answer))
    assert (told.finish, told.failure) == (Finish.LENGTH, None)
    assert told.route is not None and told.spent is not None
    assert (told.route.model, told.route.failed, told.route.attempts) == (
        "mock/m",
        (("mock/m", "server"),),
        2,
    )
    assert (told.spent.input_tokens, told.spent.cached_tokens, told.spent.reasoning_tokens) == (9, 3, 2)
    calls = Ending(Outcome.DONE, decision=decision(), answer=answer, calls=(ToolCall("1", "look", "{}"),))
    assert conclusion_of(calls).finish is Finish.CALLS


def test_words_for_people_lose_their_commands() -> None:
    ending = Ending(
        Outcome.CUT, "(The model broke off here. /retry asks again.)", failure=Failure.UNAVAILABLE
    )
    assert conclusion_of(ending).words == "The model broke off here."
    assert conclusion_of(Ending(Outcome.STOPPED)).failure is Failure.STOPPED
    assert conclusion_of(Ending(Outcome.FAILED)).failure is Failure.BROKEN
