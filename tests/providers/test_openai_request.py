"""What a request says on the wire, as pure data."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from providers.openai_prompt import unmarked
from providers.openai_request import encode, rejected, renamed, request_body
from providers.profile import CacheStyle, ModelProfile, ReasoningStyle

QUESTION = PromptMessage(Role.USER, "hi")
TOOL = Tool("weather", "of a city", {"type": "object", "properties": {}})


def said(
    asked: CompletionRequest, profile: ModelProfile = ModelProfile(), *, model: str = "m"
) -> dict[str, Any]:
    return request_body(ModelSpec("p", model, profile=profile), asked, {}, "")


def body(
    options: GenerationOptions = GenerationOptions(),
    profile: ModelProfile = ModelProfile(),
    *,
    defaults: dict[str, Any] | None = None,
    conversation: str = "",
    field: str = "",
    messages: tuple[PromptMessage, ...] = (QUESTION,),
) -> dict[str, Any]:
    model = ModelSpec("p", "m", profile=profile)
    return request_body(model, CompletionRequest(messages, options, conversation), defaults or {}, field)


def test_a_plain_request_says_model_messages_stream_and_asks_for_usage() -> None:
    assert body() == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_server_that_does_not_know_the_usage_option_is_not_asked() -> None:
    assert "stream_options" not in body(profile=ModelProfile(sends_usage_option=False))


def test_nothing_is_sent_that_nobody_asked_for() -> None:
    assert body(field="prompt_cache_key").keys() == {"model", "messages", "stream", "stream_options"}


def test_the_output_limit_has_the_profiles_name() -> None:
    said = body(GenerationOptions(max_output=9), ModelProfile(max_output_field="max_completion_tokens"))
    assert said["max_completion_tokens"] == 9
    assert "max_tokens" not in said


def test_parameters_of_the_request_stand_over_those_of_the_settings() -> None:
    said = body(
        GenerationOptions(temperature=0.5, params={"top_p": 0.9, "seed": 1}),
        defaults={"top_p": 0.1, "service_tier": "flex"},
    )
    assert (said["temperature"], said["top_p"], said["seed"], said["service_tier"]) == (0.5, 0.9, 1, "flex")


def test_no_parameter_changes_what_a_request_always_says() -> None:
    said = body(GenerationOptions(params={"model": "other", "stream": False, "messages": []}))
    assert (said["model"], said["stream"]) == ("m", True)
    assert said["messages"]


def test_a_parameter_for_another_adapter_is_not_sent() -> None:
    assert "cacheControlTtl" not in body(GenerationOptions(params={"cacheControlTtl": "1h"}))


def test_a_conversation_goes_under_the_presets_name_and_is_never_too_long() -> None:
    assert body(conversation="c1", field="session_id")["session_id"] == "c1"
    long = body(conversation="c" * 500, field="session_id")["session_id"]
    assert len(long) <= 64
    assert long == body(conversation="c" * 500, field="session_id")["session_id"]
    assert "c1" not in json.dumps(body(conversation="c1"))


EFFORTS = [
    (ReasoningStyle.EFFORT, Effort.HIGH, {"reasoning_effort": "high"}),
    (ReasoningStyle.EFFORT, Effort.OFF, {"reasoning_effort": "low"}),
    (ReasoningStyle.DISABLE, Effort.OFF, {"disable_reasoning": True}),
    (ReasoningStyle.DISABLE, Effort.LOW, {"disable_reasoning": False}),
    (ReasoningStyle.NONE, Effort.HIGH, {}),
    (ReasoningStyle.NO_THINK, Effort.HIGH, {}),
]


@pytest.mark.parametrize(("style", "effort", "said"), EFFORTS)
def test_effort_is_said_as_the_model_understands_it(
    style: ReasoningStyle, effort: Effort, said: dict[str, Any]
) -> None:
    plain = body(profile=ModelProfile(reasoning=style))
    assert body(GenerationOptions(effort=effort), ModelProfile(reasoning=style)) == plain | said


def test_a_model_that_can_stop_thinking_altogether_is_told_so() -> None:
    profile = ModelProfile(reasoning=ReasoningStyle.EFFORT, effort_off="none")
    assert body(GenerationOptions(effort=Effort.OFF), profile)["reasoning_effort"] == "none"


def test_no_think_stands_behind_every_question_so_that_the_beginning_stays_the_same() -> None:
    messages = (QUESTION, PromptMessage(Role.ASSISTANT, "yes?"), PromptMessage(Role.USER, "so"))
    profile = ModelProfile(reasoning=ReasoningStyle.NO_THINK)
    said = body(GenerationOptions(effort=Effort.OFF), profile, messages=messages)
    assert [one["content"] for one in said["messages"]] == ["hi /no_think", "yes?", "so /no_think"]


def test_pictures_are_sent_as_bytes_beside_the_text() -> None:
    message = PromptMessage(Role.USER, "what is it?", (Image("image/png", b"\x89PNG"),))
    assert body(messages=(message,))["messages"][0]["content"] == [
        {"type": "text", "text": "what is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
    ]


def test_a_picture_without_words_has_no_empty_text() -> None:
    message = PromptMessage(Role.USER, "", (Image("image/png", b"x"),))
    assert [part["type"] for part in body(messages=(message,))["messages"][0]["content"]] == ["image_url"]


@given(st.text(st.characters(), max_size=50))
def test_whatever_a_person_writes_is_json_in_the_end(text: str) -> None:
    said = body(messages=(PromptMessage(Role.USER, text),))
    sent = orjson.loads(encode(said))["messages"][0]["content"]
    assert sent == text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


REJECTIONS: dict[str, tuple[Body, dict[str, str | None]]] = {
    "OpenAI names it": (
        Body("Unsupported parameter: 'temperature' is not supported with this model.", param="temperature"),
        {"temperature": None},
    ),
    "OpenAI names a value": (
        Body("Unsupported value: 'temperature' does not support 0.2 with this model."),
        {"temperature": None},
    ),
    "OpenAI names the new name": (
        Body("Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."),
        {"max_tokens": "max_completion_tokens"},
    ),
    "Gemini": (
        Body('Invalid JSON payload. Unknown name "service_tier": Cannot find field.'),
        {"service_tier": None},
    ),
    "vLLM": (
        Body("[{'type': 'extra_forbidden', 'loc': ('body', 'service_tier')}]", type="BadRequestError"),
        {"service_tier": None},
    ),
    "part of a parameter": (
        Body("Unknown parameter", param="stream_options.include_usage"),
        {"stream_options": None},
    ),
    "two at once": (
        Body("temperature and service_tier are not supported"),
        {"temperature": None, "service_tier": None},
    ),
    "something that we do not send": (Body("Unknown parameter: 'top_k'"), {}),
    "something that must be said": (Body("Unsupported value for messages", param="messages"), {}),
    "a word inside a word": (Body("Unsupported temperatures"), {}),
    "another fault": (Body("temperature must be at most 2", param="temperature"), {}),
}


@pytest.mark.parametrize(("said", "found"), REJECTIONS.values(), ids=REJECTIONS)
def test_a_rejected_parameter_is_recognised(said: Body, found: dict[str, str | None]) -> None:
    sent = body(GenerationOptions(temperature=1, max_output=9, params={"service_tier": "flex"}))
    assert rejected(400, said, sent) == found
    assert rejected(500, said, sent) == {}


def test_what_was_learnt_is_applied() -> None:
    learnt = {"a": None, "b": "c"}
    assert renamed({"a": 1, "b": 2, "d": 3}, learnt) == {"c": 2, "d": 3}


def test_a_temperature_is_not_sent_where_the_model_takes_none() -> None:
    assert "temperature" not in body(GenerationOptions(temperature=0.5), ModelProfile(sampling=False))


def test_a_form_and_a_predicted_text_go_only_to_models_that_take_them() -> None:
    asked = CompletionRequest((QUESTION,), schema=Schema("n", {"type": "object"}), prediction="x")
    able = said(asked, ModelProfile(schema=True, prediction=True))
    assert able["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
    }
    assert able["prediction"] == {"type": "content", "content": "x"}
    assert said(asked).keys() == {"model", "messages", "stream", "stream_options"}


def test_a_predicted_text_gives_way_to_tools() -> None:
    asked = CompletionRequest((QUESTION,), tools=(TOOL,), prediction="x")
    assert "prediction" not in said(asked, ModelProfile(prediction=True))


CHOICES = [
    ("auto", True, "auto"),
    ("none", True, "none"),
    ("required", True, "required"),
    ("weather", True, {"type": "function", "function": {"name": "weather"}}),
    ("required", False, "auto"),
    ("weather", False, "auto"),
    ("none", False, "none"),
]


@pytest.mark.parametrize(("choice", "forced", "sent"), CHOICES)
def test_a_choice_of_tools_is_said_as_far_as_the_model_takes_it(choice: str, forced: bool, sent: Any) -> None:
    asked = CompletionRequest((QUESTION,), tools=(TOOL,), tool_choice=choice, parallel_tools=False)
    told = said(asked, ModelProfile(forced_tools=forced))
    assert (told["tool_choice"], told["parallel_tool_calls"]) == (sent, False)
    assert told["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "weather",
                "description": "of a city",
                "parameters": {"type": "object", "properties": {}},
            },
        }
    ]


def test_a_tool_without_parameters_says_that_it_has_none() -> None:
    """OpenAI answers 400 to an object without the word."""
    (told,) = said(CompletionRequest((QUESTION,), tools=(Tool("now", "", {"type": "object"}),)))["tools"]
    assert told["function"]["parameters"] == {"type": "object", "properties": {}}


def test_nothing_is_said_of_tools_where_there_are_none_or_the_model_takes_none() -> None:
    bare = CompletionRequest((QUESTION,), tool_choice="required", parallel_tools=True)
    unable = CompletionRequest((QUESTION,), tools=(TOOL,), tool_choice="auto", parallel_tools=True)
    plain = {"model", "messages", "stream", "stream_options"}
    assert said(bare).keys() == plain
    assert said(unable, ModelProfile(tools=False)).keys() == plain


def test_a_call_and_its_result_are_a_pair() -> None:
    spoke = PromptMessage(Role.ASSISTANT, "", calls=(ToolCall("c1", "weather", '{"city":  "Oslo"}'),))
    result = PromptMessage(Role.TOOL, "rain", call_id="c1")
    assert said(CompletionRequest((QUESTION, spoke, result)))["messages"][1:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city":  "Oslo"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "rain"},
    ]


@pytest.mark.parametrize("arguments", ["", "[1]", '{"city": "Os', "\ud800", "null", "1"])
def test_arguments_on_the_wire_are_always_an_object(arguments: str) -> None:
    spoke = PromptMessage(Role.ASSISTANT, "I look.", calls=(ToolCall("c1", "weather", arguments),))
    (message,) = orjson.loads(encode(said(CompletionRequest((spoke,)))))["messages"]
    assert message["content"] == "I look."
    assert isinstance(orjson.loads(message["tool_calls"][0]["function"]["arguments"]), dict)


def test_a_call_id_that_is_too_long_is_shortened_alike_for_call_and_result() -> None:
    long = "chatcmpl-tool-" + "0" * 60
    spoke = PromptMessage(Role.ASSISTANT, "", calls=(ToolCall(long, "weather", "{}"),))
    call, result = said(CompletionRequest((spoke, PromptMessage(Role.TOOL, "rain", call_id=long))))[
        "messages"
    ]
    assert call["tool_calls"][0]["id"] == result["tool_call_id"]
    assert len(result["tool_call_id"]) <= 40


MARKING = ModelProfile(cache=CacheStyle.MARKS, cache_min=10, cache_marks=4)
MARK = {"type": "ephemeral"}


def marked(messages: list[dict[str, Any]]) -> list[int]:
    return [
        place
        for place, message in enumerate(messages)
        if isinstance(message["content"], list)
        and any("cache_control" in part for part in message["content"])
    ]


def conversation(turns: int) -> CompletionRequest:
    said = [PromptMessage(Role.SYSTEM, "Be brief. " * 20)]
    for turn in range(turns):
        said += [
            PromptMessage(Role.USER, f"question {turn}"),
            PromptMessage(Role.ASSISTANT, f"answer {turn}"),
        ]
    said.append(PromptMessage(Role.USER, "and now?"))
    return CompletionRequest(tuple(said), stable=len(said) - 1, tools=(TOOL,))


def test_the_end_of_what_is_stable_is_marked() -> None:
    messages = said(conversation(2), MARKING)["messages"]
    assert marked(messages) == [0, 4]
    assert messages[4]["content"] == [{"type": "text", "text": "answer 1", "cache_control": MARK}]
    assert len(marked(said(conversation(30), MARKING)["messages"])) <= 4


def test_ids_of_a_router_say_whose_cache_wants_marks() -> None:
    assert marked(said(conversation(1), model="anthropic/claude-of-tomorrow")["messages"]) == [0, 2]
    assert marked(said(conversation(1), model="openai/gpt-oss-120b")["messages"]) == []


def test_an_hour_is_asked_for_where_the_parameters_say_so() -> None:
    asked = replace(conversation(1), options=GenerationOptions(params={"cacheControlTtl": "1h"}))
    told = said(asked, MARKING)
    assert told["messages"][0]["content"][0]["cache_control"] == MARK | {"ttl": "1h"}
    assert "cacheControlTtl" not in told


def test_a_beginning_that_is_too_short_is_not_marked() -> None:
    assert marked(said(conversation(1), replace(MARKING, cache_min=4096))["messages"]) == []


@pytest.mark.parametrize("profile", [ModelProfile(), MARKING], ids=["plain", "marked"])
def test_a_prompt_begins_with_the_bytes_of_the_turn_before_marks_aside(profile: ModelProfile) -> None:
    sent = [
        encode({"m": unmarked(said(conversation(turns), profile)["messages"])})[:-2] for turns in range(12)
    ]
    for earlier, later in pairwise(sent):
        question = earlier.rindex(b',{"role":"user"')
        assert later.startswith(earlier[:question])


def test_tools_that_a_model_does_not_take_go_with_what_belongs_to_them() -> None:
    asked = CompletionRequest((QUESTION,), tools=(TOOL,), tool_choice="auto", parallel_tools=True)
    sent = said(asked)
    found = rejected(400, Body("registry.ollama.ai/library/m does not support tools"), sent)
    assert renamed(sent, found).keys() == {"model", "messages", "stream", "stream_options"}


FAULTS_OF_CALLERS = [
    Body("Unknown name \"x\" at 'tools[0].function.parameters': Cannot find field."),
    Body("this name is not allowed", param="tools[0].function.name"),
    Body("tools.0.strict: Extra inputs are not permitted"),
    Body("unknown type", param="response_format.json_schema.schema"),
]


@pytest.mark.parametrize("told", FAULTS_OF_CALLERS)
def test_a_fault_inside_a_tool_or_a_form_does_not_take_them_away(told: Body) -> None:
    asked = CompletionRequest((QUESTION,), tools=(TOOL,), schema=Schema("n", {"type": "object"}))
    assert rejected(400, told, said(asked, ModelProfile(schema=True))) == {}


NO_TOOLS = [
    Body("this model does not support tools."),
    Body("unsupported parameter", param="tools"),
    Body("'tools' is not supported with this model"),
]


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
        (500, "tools param requires --jinja flag"),
        (500, "Unsupported param: tools"),
    ],
)
def test_a_server_that_was_started_without_tools_is_asked_without(status: int, told: str) -> None:
    """Every message would fail there from the first tool on."""
    asked = said(CompletionRequest((QUESTION,), tools=(TOOL,), tool_choice="auto"))
    assert "tools" not in renamed(asked, rejected(status, Body(told, type="server_error"), asked))
    assert rejected(status, Body(told), said(CompletionRequest((QUESTION,)))) == {}


@pytest.mark.parametrize("told", NO_TOOLS)
def test_tools_that_a_model_does_not_know_are_left_out(told: Body) -> None:
    assert "tools" in rejected(400, told, said(CompletionRequest((QUESTION,), tools=(TOOL,))))


def test_steps_with_tools_continue_the_bytes_of_the_step_before() -> None:
    messages: list[PromptMessage] = [QUESTION]
    sent: list[bytes] = []
    for step in range(6):
        call = ToolCall(f"c{step}", "weather", f'{{"city" : "{step}"}}')
        sent.append(encode({"m": said(CompletionRequest(tuple(messages), tools=(TOOL,)))["messages"]})[:-2])
        messages += [PromptMessage(Role.ASSISTANT, "", calls=(call,), memo="of another model")]
        messages += [PromptMessage(Role.TOOL, "rain", call_id=call.id)]
    assert all(later.startswith(earlier) for earlier, later in pairwise(sent))


WRONG_SCHEMAS = [
    "Invalid schema for response_format 'movie': In context=(), 'allOf' is not permitted.",
    "response_format: Lists of types are not supported in JSON schema",
]


@pytest.mark.parametrize("message", WRONG_SCHEMAS)
def test_a_schema_that_is_wrong_is_not_silently_left_out(message: str) -> None:
    asked = CompletionRequest((QUESTION,), schema=Schema("movie", {"type": "object"}))
    assert rejected(400, Body(message, param="response_format"), said(asked, ModelProfile(schema=True))) == {}


def test_a_prediction_goes_before_what_it_does_not_stand_with() -> None:
    sent = {"model": "m", "messages": [], "prediction": {}, "max_completion_tokens": 5}
    told = Body("'max_completion_tokens' is not supported with 'prediction'", param="max_completion_tokens")
    assert rejected(400, told, sent) == {"prediction": None}


def test_marks_that_a_server_does_not_know_are_taken_off() -> None:
    sent = said(conversation(1), MARKING)
    told = Body("messages.0.content.0.cache_control: Extra inputs are not permitted")
    assert rejected(400, told, sent) == {"cache_control": None}
    assert marked(renamed(sent, {"cache_control": None})["messages"]) == []
    assert rejected(400, told, said(conversation(1))) == {}
