"""What a request to Gemini says, family by family. Shapes: Gemini API reference and guides, 2026-11."""

from __future__ import annotations

import base64
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
from providers.gemini_request import encode, prompt_of, rejected, request_body, without
from providers.profile import ModelProfile, ReasoningStyle

SYSTEM = PromptMessage(Role.SYSTEM, "Be brief.")
HI = PromptMessage(Role.USER, "Hi")
HELLO = PromptMessage(Role.ASSISTANT, "Hello.")
MORE = PromptMessage(Role.USER, "And now?")
WEATHER = Tool("weather", "Tells the weather", {"type": "object", "properties": {"city": {"type": "string"}}})
ASKS = PromptMessage(
    Role.ASSISTANT, "", calls=(ToolCall("a", "weather", '{"city":"Oslo"}'), ToolCall("b", "clock", ""))
)
TOLD = (
    PromptMessage(Role.TOOL, "rain", call_id="a"),
    PromptMessage(Role.TOOL, "noon", call_id="b"),
)


def spec(model: str, style: ReasoningStyle = ReasoningStyle.NONE, effort_off: str = "low") -> ModelSpec:
    return ModelSpec("gemini", model, profile=ModelProfile(reasoning=style, effort_off=effort_off))


PLAIN = spec("gemini-2.0-plain")
FLASH_25 = spec("gemini-2.5-flash", ReasoningStyle.BUDGET, "none")
PRO_25 = spec("gemini-2.5-pro", ReasoningStyle.BUDGET)
SMALL_25 = ModelSpec(
    "gemini",
    "gemini-2.5-small",
    profile=ModelProfile(reasoning=ReasoningStyle.BUDGET, budget_min=2000, budget_max=4000),
)
FLASH_3 = spec("gemini-3.8-flash", ReasoningStyle.LEVEL)
LITE_3 = spec("gemini-3.5-flash-lite", ReasoningStyle.LEVEL, "minimal")


def body(
    *messages: PromptMessage, model: ModelSpec = PLAIN, defaults: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    request = CompletionRequest(messages or (HI,), **more)
    return request_body(model, request, prompt_of(model, request.messages), defaults or {})


def test_the_first_system_messages_are_the_instruction_and_people_and_model_take_turns() -> None:
    assert body(SYSTEM, HI, HELLO, MORE) == {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Hi"}]},
            {"role": "model", "parts": [{"text": "Hello."}]},
            {"role": "user", "parts": [{"text": "And now?"}]},
        ],
    }


def test_a_system_message_further_down_stays_where_it_is() -> None:
    said = body(SYSTEM, HI, PromptMessage(Role.SYSTEM, "It is noon."))
    assert said["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert said["contents"][-1] == {"role": "user", "parts": [{"text": "It is noon."}]}


def test_nothing_but_instructions_is_a_question() -> None:
    assert body(SYSTEM) == {"contents": [{"role": "user", "parts": [{"text": "Be brief."}]}]}


def test_an_empty_message_is_left_out() -> None:
    assert len(body(HI, PromptMessage(Role.ASSISTANT, ""), MORE)["contents"]) == 2


def test_a_picture_goes_as_bytes_before_its_text() -> None:
    picture = PromptMessage(Role.USER, "what is it?", (Image("image/png", b"\x89PNG"),))
    inline = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(b"\x89PNG").decode()}}
    assert body(picture)["contents"][0]["parts"] == [inline, {"text": "what is it?"}]


@pytest.mark.parametrize(
    ("model", "effort", "thinking"),
    [
        (PLAIN, Effort.HIGH, None),
        (FLASH_25, None, {"includeThoughts": True}),
        (FLASH_25, Effort.OFF, {"thinkingBudget": 0}),
        (PRO_25, Effort.OFF, {"thinkingBudget": 128}),
        (FLASH_25, Effort.LOW, {"thinkingBudget": 1024, "includeThoughts": True}),
        (FLASH_25, Effort.MEDIUM, {"thinkingBudget": 8192, "includeThoughts": True}),
        (FLASH_25, Effort.HIGH, {"thinkingBudget": 24576, "includeThoughts": True}),
        (SMALL_25, Effort.LOW, {"thinkingBudget": 2000, "includeThoughts": True}),
        (SMALL_25, Effort.HIGH, {"thinkingBudget": 4000, "includeThoughts": True}),
        (SMALL_25, Effort.OFF, {"thinkingBudget": 2000}),
        (FLASH_3, None, {"includeThoughts": True}),
        (FLASH_3, Effort.OFF, {"thinkingLevel": "LOW"}),
        (LITE_3, Effort.OFF, {"thinkingLevel": "MINIMAL"}),
        (FLASH_3, Effort.MEDIUM, {"thinkingLevel": "MEDIUM", "includeThoughts": True}),
        (FLASH_3, Effort.HIGH, {"thinkingLevel": "HIGH", "includeThoughts": True}),
        (
            spec("gemini-2.5-pro", ReasoningStyle.EFFORT),
            Effort.LOW,
            {"thinkingBudget": 1024, "includeThoughts": True},
        ),
        (
            spec("gemini-4-argon", ReasoningStyle.EFFORT),
            Effort.LOW,
            {"thinkingLevel": "LOW", "includeThoughts": True},
        ),
    ],
)
def test_each_family_is_told_in_its_own_words_how_much_to_think(
    model: ModelSpec, effort: Effort | None, thinking: dict[str, Any] | None
) -> None:
    config = body(model=model, options=GenerationOptions(effort=effort)).get("generationConfig", {})
    assert config.get("thinkingConfig") == thinking


def test_tools_are_declared_with_their_schema_and_without_one_where_they_take_nothing() -> None:
    said = body(tools=(WEATHER, Tool("clock", "Tells the time", {"type": "object", "properties": {}})))
    assert said["tools"] == [
        {
            "functionDeclarations": [
                {
                    "name": "weather",
                    "description": "Tells the weather",
                    "parametersJsonSchema": {"type": "object", "properties": {"city": {"type": "string"}}},
                },
                {"name": "clock", "description": "Tells the time"},
            ]
        }
    ]
    assert "toolConfig" not in said


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        ("weather", {"mode": "ANY", "allowedFunctionNames": ["weather"]}),
    ],
)
def test_a_choice_of_tools_is_a_mode(choice: str, config: dict[str, Any]) -> None:
    said = body(tools=(WEATHER,), tool_choice=choice)
    assert said["toolConfig"] == {"functionCallingConfig": config}


def test_calls_and_their_results_follow_each_other_and_results_of_one_step_stand_together() -> None:
    contents = body(HI, ASKS, *TOLD, MORE)["contents"]
    assert contents[1:3] == [
        {
            "role": "model",
            "parts": [
                {"functionCall": {"name": "weather", "id": "a", "args": {"city": "Oslo"}}},
                {"functionCall": {"name": "clock", "id": "b", "args": {}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "weather", "id": "a", "response": {"output": "rain"}}},
                {"functionResponse": {"name": "clock", "id": "b", "response": {"output": "noon"}}},
            ],
        },
    ]


def test_arguments_that_are_no_object_are_handed_back_as_they_were() -> None:
    odd = PromptMessage(Role.ASSISTANT, "", calls=(ToolCall("a", "weather", '{"city":'),))
    call = body(HI, odd, TOLD[0], MORE)["contents"][1]["parts"][0]["functionCall"]
    assert call["args"] == {"arguments": '{"city":'}


def test_a_result_whose_call_was_cut_away_is_said_as_text() -> None:
    assert body(TOLD[0])["contents"] == [{"role": "user", "parts": [{"text": "rain"}]}]


def test_calls_without_all_their_results_are_left_out() -> None:
    said = PromptMessage(Role.ASSISTANT, "Let me see.", calls=ASKS.calls)
    assert body(HI, said, TOLD[0], MORE)["contents"][1:] == [
        {"role": "model", "parts": [{"text": "Let me see."}]},
        {"role": "user", "parts": [{"text": "rain"}]},
        {"role": "user", "parts": [{"text": "And now?"}]},
    ]


def test_a_second_result_of_a_call_is_text() -> None:
    parts = body(HI, ASKS, *TOLD, TOLD[0])["contents"][-1]["parts"]
    assert [sorted(part) for part in parts] == [["functionResponse"], ["functionResponse"], ["text"]]


def memo(model: str, *parts: tuple[str, int, str]) -> str:
    return orjson.dumps({"gemini": model, "parts": parts}).decode()


def test_signatures_go_back_in_the_parts_that_they_came_in() -> None:
    layout = memo("gemini-3.8-flash", ("t", 6, ""), ("t", 5, "sig1"), ("c", 0, "sig2"), ("c", 1, ""))
    answer = PromptMessage(Role.ASSISTANT, "Let meCheck", calls=ASKS.calls, memo=layout)
    parts = body(HI, answer, *TOLD, model=FLASH_3)["contents"][1]["parts"]
    assert [(part.get("text"), part.get("thoughtSignature")) for part in parts] == [
        ("Let me", None),
        ("Check", "sig1"),
        (None, "sig2"),
        (None, None),
    ]


def test_a_text_that_was_changed_since_goes_whole_and_calls_keep_their_signatures() -> None:
    layout = memo("gemini-3.8-flash", ("t", 99, "sig1"), ("c", 0, "sig2"), ("c", 1, ""))
    answer = PromptMessage(Role.ASSISTANT, "Cut", calls=ASKS.calls, memo=layout)
    parts = body(HI, answer, *TOLD, model=FLASH_3)["contents"][1]["parts"]
    assert parts[0] == {"text": "Cut"}
    assert parts[1]["thoughtSignature"] == "sig2"


@pytest.mark.parametrize(
    "foreign",
    [
        "",
        "not json",
        '{"gemini":',
        '{"gemini":"gemini-3.8-flash"}',
        '{"gemini":"gemini-3.8-flash","parts":[["c",7,"x"]]}',
        '{"gemini":"gemini-3.8-flash","parts":[1]}',
        '{"gemini":[]}',
        '{"thinking":"of another provider"}',
        memo("gemini-2.5-flash", ("c", 0, "sig"), ("c", 1, "")),
    ],
)
def test_a_memo_of_somebody_else_is_left_out_and_gemini_3_is_told_so(foreign: str) -> None:
    answer = PromptMessage(Role.ASSISTANT, "", calls=ASKS.calls, memo=foreign)
    parts = body(HI, answer, *TOLD, model=FLASH_3)["contents"][1]["parts"]
    signatures = [part.get("thoughtSignature") for part in parts]
    assert signatures == ["skip_thought_signature_validator", None]
    plain = body(HI, answer, *TOLD, model=PRO_25)["contents"][1]["parts"]
    assert not any("thoughtSignature" in part for part in plain)


def test_a_schema_asks_for_json() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    config = body(schema=Schema("place", schema))["generationConfig"]
    assert config == {"responseMimeType": "application/json", "responseJsonSchema": schema}


def test_parameters_go_where_they_belong_under_the_names_of_this_dialect() -> None:
    safety = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    said = body(
        defaults={
            "top_p": 0.9,
            "max_tokens": 5,
            "stop": "END",
            "safetySettings": safety,
            "cacheControlTtl": "1h",
        },
        options=GenerationOptions(
            temperature=0.5, max_output=100, params={"topK": 3, "generationConfig": {"seed": 7}}
        ),
    )
    assert said["safetySettings"] == safety
    assert said["generationConfig"] == {
        "topP": 0.9,
        "maxOutputTokens": 100,
        "stopSequences": ["END"],
        "temperature": 0.5,
        "topK": 3,
        "seed": 7,
    }


def test_tools_of_the_settings_stand_beside_functions() -> None:
    said = body(defaults={"tools": [{"googleSearch": {}}]}, tools=(WEATHER,))
    assert [sorted(tool) for tool in said["tools"]] == [["googleSearch"], ["functionDeclarations"]]


MESSAGES = st.one_of(
    st.builds(PromptMessage, st.sampled_from((Role.USER, Role.ASSISTANT, Role.SYSTEM)), st.text(max_size=8)),
    st.just(ASKS),
    st.sampled_from(TOLD),
)


@given(st.lists(MESSAGES, max_size=6), st.text(min_size=1, max_size=8), st.text(max_size=8))
def test_the_bytes_of_one_turn_are_the_beginning_of_the_next(
    history: list[PromptMessage], question: str, answer: str
) -> None:
    now = [SYSTEM, HI, *history, PromptMessage(Role.USER, question)]
    later = [*now, PromptMessage(Role.ASSISTANT, answer), MORE]
    options = GenerationOptions(effort=Effort.LOW, temperature=0.5)
    first, second = (
        encode(body(*messages, model=FLASH_3, options=options, tools=(WEATHER,), tool_choice="auto"))
        for messages in (now, later)
    )
    assert first.endswith(b"]}")
    assert second.startswith(first.removesuffix(b"]}"))


def unknown(message: str, **fields: Any) -> dict[str, str | None]:
    return rejected(400, Body(message=message, type="INVALID_ARGUMENT", code="400"), body(**fields))


def test_a_field_that_an_error_names_is_found_under_either_spelling() -> None:
    message = (
        "Invalid JSON payload received. Unknown name \"topK\" at 'generation_config': Cannot find field."
    )
    assert unknown(message, defaults={"top_k": 3, "top_p": 1}) == {"generationConfig.topK": None}
    assert unknown("service_tier is not supported", defaults={"serviceTier": "flex"}) == {"serviceTier": None}
    thinks = {"model": FLASH_3, "options": GenerationOptions(effort=Effort.OFF)}
    said = unknown("Thinking level LOW is not supported for this model.", **thinks)
    assert said == {"generationConfig.thinkingConfig": None}


def test_other_errors_name_no_field() -> None:
    assert rejected(429, Body("topK is not supported"), body(defaults={"topK": 3})) == {}
    assert unknown("topK must be positive", defaults={"topK": 3}) == {}
    assert unknown('Unknown name "contents": Cannot find field.') == {}


def test_a_schema_is_sent_under_its_older_name_and_then_left_out() -> None:
    schema: dict[str, Any] = {"schema": Schema("place", {"type": "object"})}
    learned = unknown('Unknown name "responseJsonSchema": Cannot find field.', **schema)
    renamed = without(body(**schema), learned)
    assert renamed["generationConfig"] == {
        "responseMimeType": "application/json",
        "responseSchema": {"type": "object"},
    }
    said = Body(message='Unknown name "responseSchema": Cannot find field.')
    learned |= rejected(400, said, renamed)
    assert without(body(**schema), learned)["generationConfig"] == {"responseMimeType": "application/json"}
