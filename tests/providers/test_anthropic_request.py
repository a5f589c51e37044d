"""The body of a Messages request: fields by model family, what is said how, and that prefixes stay."""

from __future__ import annotations

import base64
from dataclasses import replace
from itertools import pairwise
from typing import Any

import orjson
import pytest

from providers.anthropic_memo import memo_of
from providers.anthropic_request import (
    BEGINNING,
    DEFAULT_OUTPUT,
    NO_TEXT,
    Style,
    encode,
    rejected,
    request_body,
    schema_tool,
    warming_body,
)
from providers.base import (
    CompletionRequest,
    Effort,
    GenerationOptions,
    Image,
    ModelSpec,
    PromptMessage,
    Role,
    Schema,
    Tool,
    ToolCall,
)
from providers.failures import Body
from providers.profile import ReasoningStyle
from tests.providers.anthropic_peer import ADAPTIVE, BUDGET, MODEL

STYLE = Style({})
SYSTEM = PromptMessage(Role.SYSTEM, "Be brief.")
ASKED = PromptMessage(Role.USER, "hi")
WEATHER = Tool("weather", "Tells it", {"type": "object", "properties": {"city": {"type": "string"}}})
OSLO = ToolCall("c1", "weather", '{"city": "Oslo"}')
FORM = Schema("answer", {"type": "object", "properties": {"yes": {"type": "boolean"}}})


def body(model: ModelSpec = MODEL, *messages: PromptMessage, **more: Any) -> dict[str, Any]:
    return request_body(model, CompletionRequest(messages or (ASKED,), **more), STYLE)


def with_effort(model: ModelSpec, effort: Effort, **more: Any) -> dict[str, Any]:
    return body(model, ASKED, options=GenerationOptions(effort=effort, **more))


def test_the_system_prompt_stands_apart_from_the_messages() -> None:
    made = body(MODEL, SYSTEM, ASKED)
    assert made["system"] == [{"type": "text", "text": "Be brief."}]
    assert made["messages"] == [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
    assert made["stream"] is True
    assert made["max_tokens"] == DEFAULT_OUTPUT


def test_a_system_message_in_the_middle_stays_where_it_was_said() -> None:
    made = body(MODEL, SYSTEM, ASKED, PromptMessage(Role.SYSTEM, "From now on in French."), ASKED)
    assert [block["text"] for block in made["system"]] == ["Be brief."]
    assert made["messages"][1]["content"][0]["text"] == "From now on in French."


def test_a_conversation_whose_beginning_is_gone_still_begins_with_a_person() -> None:
    made = body(MODEL, PromptMessage(Role.ASSISTANT, "as I said"), ASKED)
    assert [one["role"] for one in made["messages"]] == ["user", "assistant", "user"]
    assert made["messages"][0]["content"][0]["text"] == BEGINNING


@pytest.mark.parametrize("role", [Role.USER, Role.ASSISTANT])
def test_a_message_of_white_space_says_that_it_has_no_text(role: Role) -> None:
    made = body(MODEL, ASKED, PromptMessage(role, " \n"), ASKED)
    assert made["messages"][1]["content"] == [{"type": "text", "text": NO_TEXT}]


def test_a_picture_goes_as_bytes_before_its_question() -> None:
    made = body(MODEL, PromptMessage(Role.USER, "what is it?", (Image("image/png", b"\x89PNG"),)))
    picture, text = made["messages"][0]["content"]
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(b"\x89PNG").decode()}
    assert picture == {"type": "image", "source": source}
    assert text["text"] == "what is it?"


def test_an_answer_to_continue_ends_without_white_space() -> None:
    made = body(BUDGET, ASKED, PromptMessage(Role.ASSISTANT, "Hello \n"))
    assert made["messages"][-1]["content"] == [{"type": "text", "text": "Hello"}]


def test_calls_and_their_results_go_as_blocks_and_results_share_a_message() -> None:
    made = body(
        MODEL,
        ASKED,
        PromptMessage(Role.ASSISTANT, "I look.", calls=(OSLO, replace(OSLO, id="c2"))),
        PromptMessage(Role.TOOL, "rain", call_id="c1"),
        PromptMessage(Role.TOOL, "", call_id="c2"),
        PromptMessage(Role.USER, "and now?"),
        tools=(WEATHER,),
    )
    assert made["tools"] == [
        {"name": "weather", "description": "Tells it", "input_schema": dict(WEATHER.parameters)}
    ]
    calls = [block for block in made["messages"][1]["content"] if block["type"] == "tool_use"]
    assert [call["input"] for call in calls] == [{"city": "Oslo"}] * 2
    results = made["messages"][2]
    assert results["role"] == "user"
    assert [block["type"] for block in results["content"]] == ["tool_result", "tool_result"]
    assert results["content"][0]["content"] == [{"type": "text", "text": "rain"}]
    assert [one["role"] for one in made["messages"]] == ["user", "assistant", "user", "user"]


@pytest.mark.parametrize("written", ["{", "[1]", '"x"'])
def test_arguments_that_are_no_object_go_back_as_they_were_written(written: str) -> None:
    made = body(MODEL, ASKED, PromptMessage(Role.ASSISTANT, "", calls=(replace(OSLO, arguments=written),)))
    assert made["messages"][1]["content"][0]["input"] == {"invalid": written}


@pytest.mark.parametrize(
    ("choice", "parallel", "said"),
    [
        (None, None, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("auto", True, {"type": "auto"}),
        ("required", None, {"type": "any"}),
        ("required", False, {"type": "any", "disable_parallel_tool_use": True}),
        ("none", False, {"type": "none"}),
        ("weather", None, {"type": "tool", "name": "weather"}),
    ],
)
def test_a_choice_of_tools_has_anthropics_words(
    choice: str | None, parallel: bool | None, said: dict[str, Any] | None
) -> None:
    made = body(MODEL, ASKED, tools=(WEATHER,), tool_choice=choice, parallel_tools=parallel)
    assert made.get("tool_choice") == said


def test_a_model_that_cannot_be_made_to_call_is_left_to_choose() -> None:
    free = replace(MODEL, profile=replace(MODEL.profile, forced_tools=False))
    assert body(free, ASKED, tools=(WEATHER,), tool_choice="required")["tool_choice"] == {"type": "auto"}
    assert body(free, ASKED, tools=(WEATHER,), tool_choice="weather")["tool_choice"] == {"type": "auto"}


def test_a_choice_without_tools_is_not_sent() -> None:
    assert "tool_choice" not in body(MODEL, ASKED, tool_choice="auto", parallel_tools=False)


def test_an_effort_makes_an_adaptive_model_think() -> None:
    made = with_effort(ADAPTIVE, Effort.HIGH, max_output=500)
    assert made["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert made["output_config"] == {"effort": "high"}
    assert made["max_tokens"] == 500 + 24_576  # thoughts count towards it


def test_an_adaptive_model_is_told_not_to_think_or_as_little_as_it_can() -> None:
    made = with_effort(ADAPTIVE, Effort.OFF)
    assert made["thinking"] == {"type": "disabled"}
    assert "output_config" not in made
    never_off = replace(ADAPTIVE, profile=replace(ADAPTIVE.profile, effort_off="low"))
    made = with_effort(never_off, Effort.OFF)
    assert made["thinking"]["type"] == "adaptive"
    assert made["output_config"] == {"effort": "low"}


def test_a_model_that_always_thinks_has_room_for_it_unasked() -> None:
    always = replace(ADAPTIVE, profile=replace(ADAPTIVE.profile, effort_off="low"))
    made = body(always, ASKED, options=GenerationOptions(max_output=500))
    assert made["max_tokens"] == 500 + 8192
    assert "thinking" not in made
    assert body(ADAPTIVE, ASKED, options=GenerationOptions(max_output=500))["max_tokens"] == 500


def test_a_level_that_a_model_lacks_becomes_the_next_lower_one() -> None:
    few = replace(ADAPTIVE, profile=replace(ADAPTIVE.profile, efforts=("low", "high")))
    assert with_effort(few, Effort.MEDIUM)["output_config"] == {"effort": "low"}
    high = replace(ADAPTIVE, profile=replace(ADAPTIVE.profile, efforts=("high", "max")))
    assert with_effort(high, Effort.LOW)["output_config"] == {"effort": "high"}


def test_a_model_with_efforts_and_no_adaptive_thinking_takes_the_effort_alone() -> None:
    plain = replace(ADAPTIVE, profile=replace(ADAPTIVE.profile, reasoning=ReasoningStyle.EFFORT))
    made = with_effort(plain, Effort.LOW)
    assert made["output_config"] == {"effort": "low"}
    assert "thinking" not in made


@pytest.mark.parametrize(
    ("effort", "budget"), [(Effort.LOW, 2048), (Effort.MEDIUM, 8192), (Effort.HIGH, 24_576)]
)
def test_a_budget_of_thoughts_comes_on_top_of_the_answer(effort: Effort, budget: int) -> None:
    made = with_effort(BUDGET, effort, max_output=500, temperature=0.3)
    assert made["thinking"] == {"type": "enabled", "display": "summarized", "budget_tokens": budget}
    assert made["max_tokens"] == 500 + budget
    assert "temperature" not in made  # only 1 is taken while thinking
    assert "output_config" not in made


def test_a_budget_stays_below_the_models_limit_or_is_not_sent() -> None:
    small = replace(BUDGET, max_output=4096)
    made = with_effort(small, Effort.HIGH)
    assert made["max_tokens"] == 4096
    assert made["thinking"]["budget_tokens"] == 4095
    assert "thinking" not in with_effort(replace(BUDGET, max_output=1024), Effort.HIGH)


def test_thinking_off_is_what_a_model_with_budgets_does_unasked() -> None:
    assert "thinking" not in with_effort(BUDGET, Effort.OFF)


def test_nobody_thinks_about_a_call_that_is_demanded() -> None:
    for model in (BUDGET, ADAPTIVE):
        options = GenerationOptions(effort=Effort.HIGH)
        made = body(model, ASKED, options=options, tools=(WEATHER,), tool_choice="required")
        assert "thinking" not in made


def test_no_budget_of_thoughts_is_asked_for_in_the_middle_of_an_answer_without_them() -> None:
    """The API answers 400 to it: thoughts of another model, or that were not kept, cannot be sent back."""
    options = GenerationOptions(effort=Effort.HIGH)
    called = PromptMessage(Role.ASSISTANT, "I look.", calls=(OSLO,))
    result = PromptMessage(Role.TOOL, "rain", call_id="c1")
    kept: list[dict[str, Any]] = [THOUGHT, {"type": "text", "length": 7}, {"type": "tool_use", "id": "c1"}]
    thought = replace(called, memo=memo_of(BUDGET.model, kept))
    again = PromptMessage(Role.ASSISTANT, "", calls=(ToolCall("c2", "weather", "{}"),))
    more = PromptMessage(Role.TOOL, "sun", call_id="c2")
    begun = PromptMessage(Role.ASSISTANT, "It rains and")

    def thinks(*messages: PromptMessage, model: ModelSpec = BUDGET) -> bool:
        return "thinking" in body(model, ASKED, *messages, options=options, tools=(WEATHER,))

    assert not thinks(called, result)
    assert not thinks(called, result, again, more)
    assert not thinks(begun)
    assert thinks(thought, result)
    assert thinks(thought, result, again, more)  # thoughts stand at the beginning of the whole answer
    assert thinks(called, result, begun, ASKED)  # that answer is over
    assert thinks(called, result, model=ADAPTIVE)


def test_an_id_that_another_vendor_made_is_written_in_anthropics_way() -> None:
    call = ToolCall("functions.weather:0", "weather", "{}")
    made = body(
        MODEL,
        ASKED,
        PromptMessage(Role.ASSISTANT, "", calls=(call,)),
        PromptMessage(Role.TOOL, "rain", call_id=call.id),
    )
    (used,), (result,) = (one["content"] for one in made["messages"][1:])
    assert used["id"] == result["tool_use_id"]
    assert used["id"].replace("_", "").isalnum()


@pytest.mark.parametrize("given", ["c1", "functions.weather:0"])
def test_an_id_that_comes_again_is_another_one_here(given: str) -> None:
    """Some servers count from the beginning in each answer."""
    call = ToolCall(given, "weather", "{}")
    steps = [
        PromptMessage(Role.ASSISTANT, "", calls=(call,)),
        PromptMessage(Role.TOOL, "rain", call_id=given),
    ]
    kept: list[dict[str, Any]] = [THOUGHT, {"type": "tool_use", "id": given}]
    steps[0] = replace(steps[0], memo=memo_of(MODEL.model, kept))
    made = body(MODEL, ASKED, *steps, *steps, *steps)["messages"][1:]
    used = [one["content"][-1]["id"] for one in made[::2]]
    assert len(set(used)) == 3
    assert [one["content"][0]["tool_use_id"] for one in made[1::2]] == used
    assert all(one["content"][0] == THOUGHT for one in made[::2])
    assert body(MODEL, ASKED, *steps, *steps)["messages"] == [{**made[0], **body()["messages"][0]}, *made[:4]]


def test_a_temperature_goes_only_to_models_that_take_one() -> None:
    options = GenerationOptions(temperature=0.3)
    assert body(MODEL, ASKED, options=options)["temperature"] == 0.3
    assert "temperature" not in body(ADAPTIVE, ASKED, options=options)


def test_the_limit_is_the_settings_the_requests_or_the_models() -> None:
    made = request_body(MODEL, CompletionRequest((ASKED,)), Style({"max_tokens": 77}))
    assert made["max_tokens"] == 77
    asked = CompletionRequest((ASKED,), GenerationOptions(max_output=88))
    assert request_body(MODEL, asked, Style({"max_tokens": 77}))["max_tokens"] == 88
    assert request_body(replace(MODEL, max_output=50), asked, STYLE)["max_tokens"] == 50


def test_what_programs_send_in_openais_words_is_said_in_claudes_or_left_out() -> None:
    params = {"stop": "END", "seed": 7, "presence_penalty": 1.0, "response_format": {}, "top_p": 0.5}
    sent = body(options=GenerationOptions(params=params))
    assert (sent["stop_sequences"], sent["top_p"]) == (["END"], 0.5)
    assert not {"stop", "seed", "presence_penalty", "response_format"} & sent.keys()


def test_parameters_go_into_the_body_and_ours_do_not() -> None:
    options = GenerationOptions(params={"top_k": 5, "cacheControlTtl": "1h"})
    made = request_body(MODEL, CompletionRequest((ASKED,), options), Style({"top_k": 1, "metadata": {}}))
    assert (made["top_k"], made["metadata"]) == (5, {})
    assert "cacheControlTtl" not in made


def test_a_schema_is_the_output_format_where_the_model_takes_one() -> None:
    made = body(MODEL, ASKED, schema=FORM)
    assert made["output_config"] == {"format": {"type": "json_schema", "schema": dict(FORM.schema)}}
    assert schema_tool(MODEL, CompletionRequest((ASKED,), schema=FORM)) == ""


def test_a_schema_is_a_demanded_tool_elsewhere() -> None:
    made = body(BUDGET, ASKED, schema=FORM, options=GenerationOptions(effort=Effort.HIGH))
    assert [tool["name"] for tool in made["tools"]] == ["answer"]
    assert made["tool_choice"] == {"type": "tool", "name": "answer", "disable_parallel_tool_use": True}
    assert "thinking" not in made
    assert schema_tool(BUDGET, CompletionRequest((ASKED,), schema=FORM)) == "answer"


THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "sig=="}


def said(memo: str, text: str = "One. Two.", calls: tuple[ToolCall, ...] = (OSLO,)) -> list[dict[str, Any]]:
    message = PromptMessage(Role.ASSISTANT, text, calls=calls, memo=memo)
    made = body(MODEL, ASKED, message, PromptMessage(Role.TOOL, "rain", call_id="c1"))
    content: list[dict[str, Any]] = made["messages"][1]["content"]
    return content


def test_thoughts_go_back_as_they_were_signed_and_where_they_stood() -> None:
    hidden = {"type": "redacted_thinking", "data": "opaque"}
    kept: list[dict[str, Any]] = [
        THOUGHT,
        {"type": "text", "length": 4},
        hidden,
        {"type": "text", "length": 5},
        {"type": "tool_use", "id": "c1"},
    ]
    blocks = said(memo_of(MODEL.model, kept))
    assert blocks[0] == THOUGHT
    assert [block.get("text") for block in blocks] == [None, "One.", None, " Two.", None]
    assert blocks[2] == hidden
    assert blocks[4]["type"] == "tool_use"


@pytest.mark.parametrize(
    "memo",
    [
        memo_of("another-model", [THOUGHT, {"type": "text", "length": 9}, {"type": "tool_use", "id": "c1"}]),
        memo_of(MODEL.model, [THOUGHT, {"type": "text", "length": 8}, {"type": "tool_use", "id": "c1"}]),
        memo_of(MODEL.model, [THOUGHT, {"type": "text", "length": 9}, {"type": "tool_use", "id": "c2"}]),
        memo_of(MODEL.model, [THOUGHT, {"type": "text", "length": 9}]),
        '{"another": "dialect"}',
        "[1, 2",
        "7",
    ],
    ids=["model", "text", "call", "calls", "dialect", "no json", "a number"],
)
def test_thoughts_that_do_not_fit_the_message_stay_away(memo: str) -> None:
    assert [block["type"] for block in said(memo)] == ["text", "tool_use"]


def test_an_answer_without_thoughts_leaves_no_memo() -> None:
    assert memo_of("m", [{"type": "text", "length": 3}]) == ""


def test_warming_asks_for_nothing_and_keeps_what_the_cache_is_keyed_by() -> None:
    options = GenerationOptions(effort=Effort.HIGH)
    request = CompletionRequest((SYSTEM, ASKED), options, stable=1, tools=(WEATHER,))
    made = warming_body(ADAPTIVE, request, STYLE)
    assert (made["max_tokens"], made["stream"]) == (0, False)
    assert made["thinking"]["type"] == "adaptive"
    assert made["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert made["messages"] == [{"role": "user", "content": [{"type": "text", "text": "."}]}]
    assert "thinking" not in warming_body(BUDGET, request, STYLE)  # a budget is more than nothing


DEPRECATED = Body("`temperature` is deprecated for this model.", "invalid_request_error")
NO_ENABLED = Body(
    '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
    '"output_config.effort" to control thinking behavior.',
    "invalid_request_error",
)


@pytest.mark.parametrize(
    ("text", "options", "left_out"),
    [
        (DEPRECATED.message, GenerationOptions(temperature=0.5), {"temperature"}),
        (NO_ENABLED.message, GenerationOptions(effort=Effort.HIGH), {"thinking"}),
        ("thinking.display: Extra inputs are not permitted", GenerationOptions(effort=Effort.LOW), {"thinking.display"}),
        ("top_k: Extra inputs are not permitted", GenerationOptions(params={"top_k": 1}), {"top_k"}),
        ("top_k: Extra inputs are not permitted", GenerationOptions(), set()),
        ("max_tokens: is not supported", GenerationOptions(), set()),
        ("messages: text content blocks must be non-empty", GenerationOptions(), set()),
    ],
)  # fmt: skip
def test_an_error_names_what_the_model_does_not_take(
    text: str, options: GenerationOptions, left_out: set[str]
) -> None:
    sent = request_body(BUDGET, CompletionRequest((ASKED,), options), STYLE)
    assert rejected(400, Body(text), sent) == left_out
    assert rejected(500, Body(text), sent) == frozenset()


def test_a_level_that_is_not_supported_is_left_out_alone() -> None:
    sent = with_effort(ADAPTIVE, Effort.LOW)
    said = Body("This model does not support the effort parameter.")
    assert rejected(400, said, sent) == {"output_config.effort"}


def test_what_was_learned_is_left_out() -> None:
    request = CompletionRequest((SYSTEM, ASKED), GenerationOptions(effort=Effort.LOW), stable=1)
    without = frozenset({"thinking.display", "output_config.effort", "cache_control", "metadata"})
    made = request_body(ADAPTIVE, request, Style({"metadata": {"user_id": "x"}}), without)
    assert made["thinking"] == {"type": "adaptive"}
    assert "output_config" not in made and "metadata" not in made
    assert b"cache_control" not in encode(made)


def test_halves_of_characters_do_not_stop_a_request() -> None:
    assert "\ufffd" in orjson.loads(encode({"text": "a\ud800"}))["text"]


def turns(count: int) -> tuple[PromptMessage, ...]:
    """A conversation with tools, thoughts, pictures and odd texts, `count` messages long."""
    memo = memo_of(MODEL.model, [THOUGHT, {"type": "text", "length": 7}, {"type": "tool_use", "id": "c1"}])
    unit = (
        PromptMessage(Role.USER, "Grüße \U0001f469", (Image("image/png", b"\x89PNG"),)),
        PromptMessage(Role.ASSISTANT, "I look.", calls=(OSLO,), memo=memo),
        PromptMessage(Role.TOOL, "rain", call_id="c1"),
        PromptMessage(Role.ASSISTANT, "It rains.\n"),
        PromptMessage(Role.USER, ""),
        PromptMessage(Role.ASSISTANT, "?"),
    )
    return (SYSTEM, *(unit * (count // len(unit) + 1))[:count])


@pytest.mark.parametrize("model", [MODEL, ADAPTIVE, BUDGET], ids=["plain", "adaptive", "budget"])
def test_the_prefix_of_a_turn_stays_byte_for_byte_a_prefix_of_the_next(model: ModelSpec) -> None:
    bodies: list[bytes] = []
    for count in (1, 3, 5, 7, 9, 11, 13, 25, 61):  # where a person or a tool has spoken last
        request = CompletionRequest(turns(count), GenerationOptions(effort=Effort.LOW), tools=(WEATHER,))
        bodies.append(encode(request_body(model, request, STYLE)))
    for earlier, later in pairwise(bodies):
        assert later.startswith(earlier.removesuffix(b"]}"))


def test_marks_change_nothing_else_in_the_bytes() -> None:
    for count in (1, 3, 25, 61):
        plain = CompletionRequest(turns(count), tools=(WEATHER,))
        marked = encode(request_body(MODEL, replace(plain, stable=count), STYLE))
        assert b"cache_control" in marked
        cleaned = marked.replace(b',"cache_control":{"type":"ephemeral"}', b"")
        assert cleaned == encode(request_body(MODEL, plain, STYLE))
