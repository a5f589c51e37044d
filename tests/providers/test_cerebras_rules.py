"""What is known to be refused is found before it is sent, with its place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from providers.base import CompletionRequest, PromptMessage, Role, Schema, Tool, ToolCall
from providers.cerebras_rules import MAX_DEPTH, broken, broken_format, pairing, strict_schema
from providers.conformance_abilities import CLOCK, MOVIE, WEATHER

ASKED = PromptMessage(Role.USER, "weather?")
CALLS = PromptMessage(
    Role.ASSISTANT, "", calls=(ToolCall("a", "weather", "{}"), ToolCall("b", "clock", "{}"))
)
RAIN = PromptMessage(Role.TOOL, "rain", call_id="a")
NOON = PromptMessage(Role.TOOL, "noon", call_id="b")


def closed(**properties: Any) -> dict[str, Any]:
    """An object that takes no other fields."""
    return {"type": "object", "properties": properties, "additionalProperties": False}


def deep(levels: int) -> dict[str, Any]:
    """Objects inside objects."""
    return closed(a=deep(levels - 1)) if levels > 1 else closed()


def test_results_in_any_order_right_after_their_calls_are_taken() -> None:
    assert pairing((ASKED, CALLS, NOON, RAIN, ASKED)) == ""


@pytest.mark.parametrize(
    ("messages", "place"),
    [
        ((ASKED, RAIN), "messages[1]"),
        ((ASKED, CALLS, RAIN, ASKED), "messages[3]"),
        ((ASKED, CALLS, RAIN), "messages[3]"),
        ((ASKED, CALLS, RAIN, NOON, NOON), "messages[4]"),
        ((ASKED, replace(CALLS, calls=CALLS.calls[:1] * 2)), "messages[1]"),
    ],
    ids=["no call", "a word between", "one result", "twice", "one id"],
)
def test_a_call_and_its_result_are_a_pair(messages: tuple[PromptMessage, ...], place: str) -> None:
    assert broken(CompletionRequest(messages)).startswith(f"{place}: ")


def test_two_tools_of_one_name_and_a_choice_of_none_are_found() -> None:
    again = Tool("weather", "", {})
    assert broken(CompletionRequest((ASKED,), tools=(WEATHER, CLOCK, again))).startswith("tools[2]: ")
    chosen = CompletionRequest((ASKED,), tools=(WEATHER,), tool_choice="clock")
    assert broken(chosen).startswith("tool_choice: ")
    assert broken(replace(chosen, tool_choice="required")) == ""
    assert broken(replace(chosen, tools=())) == ""


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "array"}, "schema: the root is no object"),
        ({"type": "object"}, "schema.additionalProperties: "),
        (closed(a=closed(b={"type": "object"})), "schema.properties.a.properties.b.additionalProperties: "),
        (closed(a={"type": "string", "pattern": "x"}), "schema.properties.a.pattern: "),
        (closed(a={"type": ["string", "null"]}), "schema.properties.a.type: "),
        (closed(a={"type": "array", "items": True}), "schema.properties.a.items: "),
        (closed(a={"anyOf": [{"type": "null"}] * 6}), "schema.properties.a.anyOf: "),
        (closed(a={"anyOf": [{"pattern": "x"}]}), "schema.properties.a.anyOf[0].pattern: "),
        (closed(a={"type": "array", "items": {"type": "object"}}), "schema.properties.a.items.additional"),
        ({**closed(), "definitions": {}}, "schema.definitions: "),
        (closed(a={"$ref": "https://example.com/a"}), "schema.properties.a.$ref: only "),
        (closed(a={"$ref": "#"}), "schema.properties.a.$ref: a schema that holds itself"),
        (
            {**closed(), "$defs": {"n": closed(m={"$ref": "#/$defs/m"}), "m": closed(n={"$ref": "#/$defs/n"})}},
            "schema.$defs.n.properties.m.$ref: a schema that holds itself",
        ),
        (closed(a={"enum": [str(n) for n in range(501)]}), "schema: 501 enum values"),
        (closed(**{f"a{n}": {} for n in range(501)}), "schema: "),
        (closed(**{f"field_{n}": {"type": "string"} for n in range(300)}), "schema: "),
        (deep(MAX_DEPTH + 1), f"schema{'.properties.a' * MAX_DEPTH}: deeper than 10 levels"),
    ],
)  # fmt: skip
def test_a_strict_schema_over_the_limits_names_the_place(schema: dict[str, Any], said: str) -> None:
    assert strict_schema(schema, "schema").startswith(said)


@pytest.mark.parametrize(
    "schema",
    [
        MOVIE.schema,
        deep(MAX_DEPTH),
        closed(a={"anyOf": [{"type": "string"}, {"type": "null"}]}),
        {**closed(a={"$ref": "#/$defs/b"}, c={"$ref": "#/$defs/b"}), "$defs": {"b": closed()}},
        closed(pattern={"type": "string"}, definitions={"type": "integer"}),
        closed(a={"$ref": "#/$defs/nowhere"}),
    ],
)
def test_a_schema_within_the_limits_is_taken(schema: dict[str, Any]) -> None:
    assert strict_schema(schema, "schema") == ""


def test_a_loose_schema_is_left_to_the_server() -> None:
    loose = CompletionRequest((ASKED,), schema=Schema("a", {"type": "object"}, is_strict=False))
    assert broken(loose) == ""
    assert broken(replace(loose, schema=Schema("a", {"type": "object"}))) != ""


def test_a_form_that_stands_in_the_parameters_is_held_to_the_same_limits() -> None:
    form = {
        "type": "json_schema",
        "json_schema": {"name": "x", "strict": True, "schema": deep(MAX_DEPTH + 1)},
    }
    assert broken_format(form).startswith("response_format.json_schema.schema.properties.a")
    good = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": MOVIE.schema}}
    for taken in (
        good,
        {"type": "json_object"},
        None,
        "text",
        {"json_schema": {"schema": 7, "strict": True}},
    ):
        assert broken_format(taken) == ""
