"""What a request says on the wire, as pure data."""

from __future__ import annotations

import json
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
)
from providers.failures import Body
from providers.openai_request import encode, rejected, renamed, request_body
from providers.profile import ModelProfile, ReasoningStyle

QUESTION = PromptMessage(Role.USER, "hi")


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


def test_no_think_stands_behind_the_last_question() -> None:
    messages = (QUESTION, PromptMessage(Role.ASSISTANT, "yes?"), PromptMessage(Role.USER, "so"))
    profile = ModelProfile(reasoning=ReasoningStyle.NO_THINK)
    said = body(GenerationOptions(effort=Effort.OFF), profile, messages=messages)
    assert [one["content"] for one in said["messages"]] == ["hi", "yes?", "so /no_think"]


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
