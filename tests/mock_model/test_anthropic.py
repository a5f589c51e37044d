"""Anthropic's dialect: its events, its caches, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mock_model.client import MockModel
from tests.mock_model.wires import USER, claude, events, get, names, post

pytestmark = pytest.mark.asyncio

CALL = {"type": "tool_use", "id": "t1", "name": "weather", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "rain"}
TOOL = {"name": "weather", "input_schema": {"type": "object"}}
MARK = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
HOUR = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}


def said(*contents: Any) -> list[dict[str, Any]]:
    """Messages of user and assistant in turn."""
    return [{"role": ("user", "assistant")[at % 2], "content": one} for at, one in enumerate(contents)]


async def test_an_answer_is_a_message_of_blocks(mock_model: MockModel) -> None:
    call = {"name": "weather", "arguments": '{"city": "Oslo"}', "id": "t1"}
    mock_model.script(default={"text": "one two", "reasoning": "hm", "tool_calls": [call]})
    got = await claude(mock_model, stream=True)
    assert list(dict.fromkeys(names(got))) == [
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    blocks = [one["content_block"]["type"] for one in events(got) if one["type"] == "content_block_start"]
    assert blocks == ["thinking", "text", "tool_use"]
    deltas = [one["delta"] for one in events(got) if one["type"] == "content_block_delta"]
    assert "".join(one.get("text", "") for one in deltas) == "one two"
    assert "".join(one.get("partial_json", "") for one in deltas) == '{"city": "Oslo"}'
    assert [one["type"] for one in deltas].index("signature_delta") == 1
    assert events(got)[-2]["delta"]["stop_reason"] == "tool_use"


async def test_input_tokens_are_what_the_cache_had_no_part_in(mock_model: MockModel) -> None:
    mock_model.script(default={"prompt_tokens": 100, "cached_tokens": 70, "cache_write_tokens": 20})
    usage = (await claude(mock_model)).json()["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"]) == (10, 70)
    assert usage["cache_creation"] == {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 0}


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("content_filter", "refusal"),
        ("context", "model_context_window_exceeded"),
        ("pause_turn", "pause_turn"),
    ],
)
async def test_every_reason_to_stop_has_its_word(mock_model: MockModel, finish: str, reason: str) -> None:
    mock_model.script(default={"text": "a", "finish": finish})
    assert (await claude(mock_model)).json()["stop_reason"] == reason
    assert events(await claude(mock_model, stream=True))[-2]["delta"]["stop_reason"] == reason


async def test_no_tokens_fill_the_cache_and_generate_nothing(mock_model: MockModel) -> None:
    got = (await claude(mock_model, max_tokens=0)).json()
    assert (got["content"], got["usage"]["output_tokens"]) == ([], 0)


async def test_the_cache_reads_what_was_marked_before(mock_model: MockModel) -> None:
    mock_model.config(cache=True)
    rules = [{"type": "text", "text": "rule " * 2000, "cache_control": {"type": "ephemeral"}}]
    first = (await claude(mock_model, system=rules)).json()["usage"]
    again = (await claude(mock_model, system=rules)).json()["usage"]
    other = (await claude(mock_model, system="other " * 2000)).json()["usage"]
    assert first["cache_read_input_tokens"] == 0 and first["cache_creation_input_tokens"] > 2000
    assert again["cache_read_input_tokens"] == first["cache_creation_input_tokens"]
    assert again["cache_creation_input_tokens"] == other["cache_read_input_tokens"] == 0


async def test_a_short_prompt_is_not_cached(mock_model: MockModel) -> None:
    mock_model.config(cache=True)
    short = [{"type": "text", "text": "short", "cache_control": {"type": "ephemeral"}}]
    for _ in range(2):
        usage = (await claude(mock_model, system=short)).json()["usage"]
        assert usage["cache_creation_input_tokens"] == usage["cache_read_input_tokens"] == 0


async def test_a_stream_may_end_in_an_error(mock_model: MockModel) -> None:
    mock_model.script(default={"text": "one two", "fault": "error_event", "after": 1})
    got = await claude(mock_model, stream=True)
    assert (got.status_code, names(got)[-1]) == (200, "error")
    assert events(got)[-1]["error"]["type"] == "overloaded_error"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no limit of the output": ({"max_tokens": None}, "max_tokens"),
    "an unknown field": ({"temperatur": 1}, "temperatur: Extra inputs are not permitted"),
    "a sampling parameter": ({"temperature": 0.5}, "`temperature` is deprecated for this model."),
    "no message": ({"messages": []}, "at least one message"),
    "the system among the messages": (
        {"messages": [{"role": "system", "content": "x"}]},
        "top-level `system`",
    ),
    "an empty message": ({"messages": [{"role": "user", "content": ""}]}, "non-empty"),
    "white space alone": ({"messages": said([{"type": "text", "text": " \n"}])}, "non-whitespace"),
    "five marks": ({"system": [MARK] * 5}, "A maximum of 4 blocks with cache_control"),
    "a long life after a short one": ({"system": [MARK, HOUR]}, "must not come after"),
    "a prompt that ends with the assistant": ({"messages": said("a", "b")}, "assistant message prefill"),
    "a call without a result": ({"messages": said("a", [CALL], "b")}, "without `tool_result` blocks"),
    "a result without a call": ({"messages": said([RESULT])}, "unexpected `tool_use_id`"),
    "words before the result": (
        {"messages": said("a", [CALL], [{"type": "text", "text": "b"}, RESULT])},
        "must come first",
    ),
    "a choice without tools": ({"tool_choice": {"type": "auto"}}, "only be specified while providing tools"),
    "a tool with spaces": ({"tools": [{"name": "a b", "input_schema": {"type": "object"}}]}, "match pattern"),
    "a picture of another kind": (
        {
            "messages": said(
                [{"type": "image", "source": {"type": "base64", "media_type": "image/tiff", "data": ""}}]
            )
        },
        "media_type",
    ),
    "a budget on a newer model": (
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        "thinking.type.enabled",
    ),
    "a budget that is too small": (
        {"model": "claude-haiku-4-5", "thinking": {"type": "enabled", "budget_tokens": 500}},
        "greater than or equal to 1024",
    ),
    "adaptive thinking on an older model": (
        {"model": "claude-haiku-4-5", "thinking": {"type": "adaptive"}},
        "not supported",
    ),
    "an effort that is none": ({"output_config": {"effort": "huge"}}, "output_config.effort"),
}


@pytest.mark.parametrize(("body", "told"), REFUSED.values(), ids=REFUSED)
async def test_what_the_documents_forbid_is_refused(
    mock_model: MockModel, body: dict[str, Any], told: str
) -> None:
    got = await claude(mock_model, **body)
    assert got.status_code == 400
    assert got.json()["error"]["type"] == "invalid_request_error"
    assert told in got.json()["error"]["message"]


ALLOWED: dict[str, dict[str, Any]] = {
    "prefill of an older model": {"model": "claude-haiku-4-5", "messages": said("a", "b")},
    "four marks": {"system": [HOUR, HOUR, MARK, MARK]},
    "a whole tool turn": {"messages": said("a", [CALL], [RESULT], "b", "c"), "tools": [TOOL]},
    "a budget of an older model": {
        "model": "claude-haiku-4-5",
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    },
}


@pytest.mark.parametrize("body", ALLOWED.values(), ids=ALLOWED)
async def test_what_the_documents_allow_is_answered(mock_model: MockModel, body: dict[str, Any]) -> None:
    assert (await claude(mock_model, **body)).status_code == 200


async def test_rules_can_be_switched_off(mock_model: MockModel) -> None:
    mock_model.config(strict=False)
    assert (await claude(mock_model, system=[MARK] * 5)).status_code == 200


async def test_the_version_must_be_said(mock_model: MockModel) -> None:
    got = await post(mock_model, "/v1/messages", {"model": "m", "max_tokens": 1, "messages": [USER]})
    assert got.status_code == 400
    assert "anthropic-version" in got.json()["error"]["message"]


async def test_the_record_tells_whether_the_right_key_came_and_shows_none(mock_model: MockModel) -> None:
    mock_model.config(keys=["sk-right"], models=["a", "b"])
    wrong = await get(mock_model, "/v1/models", anthropic_version="2023-06-01", x_api_key="sk-wrong")
    right = await get(mock_model, "/v1/models", anthropic_version="2023-06-01", x_api_key="sk-right")
    assert wrong.json()["error"]["type"] == "authentication_error"
    assert [one["id"] for one in right.json()["data"]] == ["a", "b"]
    asked = mock_model.requests()
    assert [(one["key_in"], one["key_ok"]) for one in asked] == [("x-api-key", False), ("x-api-key", True)]
    assert "sk-" not in str(asked)
