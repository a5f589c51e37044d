"""A request's JSON as what is asked, and every fault by the name of its field."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.api.messages import picture_of
from channels.api.parse import ChatRequest, chat_of, json_of, vectors_of
from channels.api.problems import BadRequest, Problem
from channels.programs import Call, Form, Picture, Said, ToolOffer
from tests.channels.api.site import body
from tests.generated import generated

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 8
USER = {"role": "user", "content": "hello"}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}


def parse(**more: Any) -> ChatRequest:
    return chat_of(json_of(json.dumps(body(**more)).encode()), {})


def refused(**more: Any) -> Problem:
    with pytest.raises(BadRequest) as caught:
        parse(**more)
    return caught.value.problem


def test_a_conversation_is_taken_word_for_word() -> None:
    request = parse(
        messages=[
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": "42"},
            {"role": "assistant", "content": "It is 42."},
            {"role": "user", "content": "/model deep ", "name": "ann"},
        ]
    )
    assert request.asked.said == (
        Said("system", "Be brief."),
        Said("user", "a\nb"),
        Said("assistant", calls=(Call("c1", "look", "{}"),)),
        Said("tool", "42", call_id="c1"),
        Said("assistant", "It is 42."),
        Said("user", "/model deep "),
    )
    assert request.text == "/model deep "


def test_what_is_wished_for_is_taken_over() -> None:
    wishes = parse(
        temperature=0.5,
        top_p=0.9,
        max_tokens=10,
        max_completion_tokens=20,
        seed=7,
        stop="END",
        presence_penalty=0.5,
        frequency_penalty=0,
        reasoning_effort="minimal",
        parallel_tool_calls=False,
        prediction={"type": "content", "content": [{"type": "text", "text": "x"}]},
        tools=[TOOL],
        tool_choice={"type": "function", "function": {"name": "look"}},
        response_format={"type": "json_schema", "json_schema": {"name": "f", "schema": {}, "strict": True}},
    ).asked.wishes
    assert (wishes.temperature, wishes.max_output, wishes.effort) == (0.5, 20, "off")
    assert wishes.params == {"top_p": 0.9, "presence_penalty": 0.5, "seed": 7, "stop": ["END"]}
    assert (wishes.tool_choice, wishes.parallel_calls, wishes.prediction) == ("look", False, "x")
    assert wishes.form == Form("f", {}, is_strict=True)


def test_tools_are_offered_as_they_came() -> None:
    tools = parse(
        tools=[TOOL, {"type": "function", "function": {"name": "b", "description": "d"}}]
    ).asked.tools
    assert tools == (
        ToolOffer("look", "", {"type": "object"}),
        ToolOffer("b", "d", {"type": "object", "properties": {}}),
    )


def test_a_name_means_what_the_settings_say() -> None:
    assert chat_of(body(model="gpt-4o"), {"gpt-4o": "auto"}).asked.model == "auto"
    assert chat_of(body(model="fast"), {"gpt-4o": "auto"}).asked.model == "fast"


def test_requests_of_one_conversation_share_their_lineage() -> None:
    first = parse(messages=[USER]).asked.lineage
    longer = parse(messages=[USER, {"role": "assistant", "content": "hi"}, USER]).asked.lineage
    assert first == longer != parse(messages=[{"role": "user", "content": "other"}]).asked.lineage
    assert parse(prompt_cache_key="mine").asked.lineage == "mine"


def test_pictures_come_as_bytes_or_as_an_address() -> None:
    data = f"data:image/jpeg;base64,{base64.b64encode(PNG).decode()}"
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in (data, "https://a.example/b.png")]
    request = parse(messages=[{"role": "user", "content": [*parts, {"type": "text", "text": "?"}]}])
    assert request.addresses == ("https://a.example/b.png",)
    assert picture_of(PNG) == Picture("image/png", PNG)
    filled = request.with_pictures({"https://a.example/b.png": Picture("image/png", PNG)})
    assert filled.asked.said[0].pictures == (Picture("image/png", PNG),) * 2
    assert filled.addresses == ()


@pytest.mark.parametrize("data", [b"\xff\xd8\xff0", b"GIF89a", b"RIFF0000WEBP"])
def test_other_kinds_of_pictures_are_known_by_their_first_bytes(data: bytes) -> None:
    assert picture_of(data) is not None


def test_harmless_fields_are_passed_over() -> None:
    plain = parse()
    assert plain == parse(
        n=1,
        user="u",
        metadata={"a": "b"},
        store=True,
        service_tier="auto",
        logprobs=False,
        modalities=["text"],
        logit_bias={},
        verbosity="low",
        top_k=5,
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", 2),
        ("n", True),
        ("logprobs", True),
        ("top_logprobs", 3),
        ("audio", {"voice": "a"}),
        ("modalities", ["text", "audio"]),
        ("functions", [{"name": "f"}]),
        ("function_call", "auto"),
        ("logit_bias", {"1": 5}),
        ("web_search_options", {}),
    ],
)
def test_what_would_change_an_answer_is_refused_by_name(field: str, value: Any) -> None:
    problem = refused(**{field: value})
    assert (problem.status, problem.param, problem.code) == (400, field, "unsupported_parameter")
    assert field in problem.message


@pytest.mark.parametrize(
    ("param", "more"),
    [
        ("model", {"model": ""}),
        ("model", {"model": 3}),
        ("messages", {"messages": []}),
        ("messages", {"messages": "hello"}),
        ("messages[0]", {"messages": ["hello"]}),
        ("messages[0].role", {"messages": [{"role": "wizard", "content": "x"}]}),
        ("messages[0].content", {"messages": [{"role": "user"}]}),
        ("messages[0].content[0].type", {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}),
        ("messages[1].role", {"messages": [USER, {"role": "assistant", "content": "so"}]}),
        ("messages[1].tool_call_id", {"messages": [USER, {"role": "tool", "tool_call_id": "x", "content": ""}]}),
        ("messages", {"messages": [USER, {"role": "assistant", "tool_calls": [CALL]}]}),
        ("messages[2]", {"messages": [USER, {"role": "assistant", "tool_calls": [CALL]}, USER]}),
        ("messages[1].tool_calls[1].id", {"messages": [USER, {"role": "assistant", "tool_calls": [CALL, CALL]}]}),
        ("temperature", {"temperature": 3}),
        ("temperature", {"temperature": "hot"}),
        ("max_tokens", {"max_tokens": 0}),
        ("seed", {"seed": 1.5}),
        ("stop[1]", {"stop": ["a", ""]}),
        ("stream", {"stream": "yes"}),
        ("stream_options", {"stream_options": True}),
        ("stream_options.include_usage", {"stream_options": {"include_usage": 1}}),
        ("reasoning_effort", {"reasoning_effort": "endless"}),
        ("response_format.type", {"response_format": {"type": "xml"}}),
        ("response_format.json_schema.schema", {"response_format": {"type": "json_schema", "json_schema": {"name": "f"}}}),
        ("tools[0].type", {"tools": [{"type": "custom"}]}),
        ("tools[1].function.name", {"tools": [TOOL, TOOL]}),
        ("tools[0].function.name", {"tools": [{"type": "function", "function": {"name": "a b"}}]}),
        ("tool_choice", {"tool_choice": "required"}),
        ("tool_choice.function.name", {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "no"}}}),
        ("prediction", {"prediction": "text"}),
    ],
)  # fmt: skip
def test_a_fault_names_its_field(param: str, more: dict[str, Any]) -> None:
    problem = refused(**more)
    assert (problem.status, problem.param) == (400, param)


@pytest.mark.parametrize(
    "url", ["data:image/png,abc", "data:image/png;base64,%%%", "data:;base64,aGFsbG8=", "file:///etc/passwd"]
)
def test_what_is_no_picture_is_refused(url: str) -> None:
    part = {"type": "image_url", "image_url": {"url": url}}
    problem = refused(messages=[{"role": "user", "content": [part]}])
    assert problem.param == "messages[0].content[0].image_url.url"


def test_a_schema_that_is_nested_without_end_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(100):
        schema = {"items": schema}
    problem = refused(tools=[{"type": "function", "function": {"name": "f", "parameters": schema}}])
    assert problem.param == "tools[0].function.parameters"


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"3", b"\xff", b'{"a": "\\ud800"}', b"[" * 5000])
def test_what_is_no_object_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        json_of(raw)
    assert (caught.value.problem.status, caught.value.problem.code) == (400, "invalid_json")


def test_texts_for_vectors_are_a_list_or_one() -> None:
    one = vectors_of({"model": "a/b", "input": "x", "encoding_format": "base64"}, {})
    assert (one.model, one.texts, one.is_base64) == ("a/b", ("x",), True)
    assert vectors_of({"model": "v", "input": ["x", "y"]}, {"v": "a/b"}).texts == ("x", "y")


@pytest.mark.parametrize(
    ("param", "more"),
    [
        ("input", {"input": []}),
        ("input", {"input": None}),
        ("input", {"input": ["x"] * 2049}),
        ("input[0]", {"input": [1, 2]}),
        ("input[1]", {"input": ["x", ""]}),
        ("encoding_format", {"encoding_format": "int8"}),
        ("dimensions", {"dimensions": 3}),
        ("model", {"model": None}),
    ],
)
def test_a_fault_in_a_request_for_vectors_names_its_field(param: str, more: dict[str, Any]) -> None:
    with pytest.raises(BadRequest) as caught:
        vectors_of({"model": "a/b", "input": "x", **more}, {})
    assert caught.value.problem.param == param


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=6), below, max_size=3),
    max_leaves=6,
)
PART = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url", "refusal", "file"]) | ANYTHING},
    optional={"text": ANYTHING, "image_url": ANYTHING | st.fixed_dictionaries({"url": ANYTHING})},
)
FUNCTION = st.fixed_dictionaries({"name": st.just("look") | ANYTHING, "arguments": st.just("{}") | ANYTHING})
CALLS = st.lists(
    st.fixed_dictionaries({"id": st.sampled_from(["a", "b"]) | ANYTHING, "function": FUNCTION | ANYTHING}),
    max_size=2,
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "developer", "user", "assistant", "tool"]) | ANYTHING},
    optional={
        "content": st.text(max_size=8) | st.lists(PART, max_size=3) | ANYTHING,
        "tool_calls": CALLS | ANYTHING,
        "tool_call_id": st.sampled_from(["a", "b"]) | ANYTHING,
    },
)
REQUEST = st.fixed_dictionaries(
    {"model": st.just("auto") | ANYTHING, "messages": st.lists(MESSAGE | st.just(USER), max_size=4) | ANYTHING},
    optional=dict.fromkeys(
        "n logprobs temperature top_p max_tokens seed stop stream stream_options tools tool_choice response_format "
        "reasoning_effort prediction parallel_tool_calls prompt_cache_key modalities function_call".split(),
        ANYTHING | st.lists(st.just(TOOL), max_size=2) | st.just("auto") | st.just(1),
    ),
)  # fmt: skip


def tried(parse: Callable[..., Any], *args: Any) -> Any:
    """What it gives, or the problem that it found."""
    try:
        return parse(*args)
    except BadRequest as error:
        return error.problem


@generated
@given(REQUEST)
def test_a_generated_request_is_taken_or_refused_by_the_name_of_a_field(request: dict[str, Any]) -> None:
    taken = tried(chat_of, request, {})
    if isinstance(taken, Problem):
        assert taken.status == 400 and taken.param
    else:
        assert taken.asked.said and taken.asked.said[-1].role != "assistant"
        assert all(isinstance(each.text, str) for each in taken.asked.said)


@generated
@given(st.dictionaries(st.sampled_from(["model", "input", "encoding_format", "dimensions"]), ANYTHING))
def test_a_generated_request_for_vectors_is_taken_or_refused(request: dict[str, Any]) -> None:
    taken = tried(vectors_of, request, {})
    assert taken.param if isinstance(taken, Problem) else taken.texts


@generated
@given(st.binary(max_size=60))
def test_generated_bytes_are_an_object_or_no_json(raw: bytes) -> None:
    taken = tried(json_of, raw)
    assert taken.code == "invalid_json" if isinstance(taken, Problem) else isinstance(taken, dict)
