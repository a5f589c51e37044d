"""Cerebras, OpenAI, OpenRouter and Ollama: one dialect, four ways to speak and refuse."""

from __future__ import annotations

import gzip
import json
from typing import Any

import httpx
import pytest

from tests.mock_model.client import MockModel
from tests.mock_model.wires import USER, chat, events, get, post

pytestmark = pytest.mark.asyncio

TOOL = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
}
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "rain"}


def schema(inner: Any, *, strict: bool = True) -> dict[str, Any]:
    """A response_format with this schema."""
    return {"type": "json_schema", "json_schema": {"name": "a", "strict": strict, "schema": inner}}


def closed(**properties: Any) -> dict[str, Any]:
    """An object that takes no other fields."""
    return {"type": "object", "properties": properties, "additionalProperties": False}


def deep(levels: int) -> dict[str, Any]:
    """Objects inside objects."""
    return closed(a=deep(levels - 1)) if levels > 1 else closed()


@pytest.fixture
def cerebras(mock_model: MockModel) -> MockModel:
    mock_model.config(kind="cerebras")
    return mock_model


async def test_the_last_chunk_has_reason_usage_and_times_together(cerebras: MockModel) -> None:
    cerebras.script(
        default={"text": "one two", "queue_time": 0.25, "cached_tokens": 128, "prompt_tokens": 200}
    )
    last, done = events(await chat(cerebras, stream=True))[-2:]
    assert done == "[DONE]"
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["usage"]["prompt_tokens_details"]["cached_tokens"] == 128
    assert last["time_info"]["queue_time"] == 0.25


@pytest.mark.parametrize(
    ("switch", "thinks"),
    [
        ({}, True),
        ({"disable_reasoning": True}, False),
        ({"reasoning_effort": "none"}, False),
        ({"reasoning_format": "hidden"}, False),
    ],
)
async def test_reasoning_is_switched_by_the_request(
    cerebras: MockModel, switch: dict[str, Any], thinks: bool
) -> None:
    cerebras.script(default={"text": "one", "reasoning": "hm"})
    assert ('"reasoning":"hm"' in (await chat(cerebras, stream=True, **switch)).text) is thinks


async def test_raw_reasoning_stands_in_the_text(cerebras: MockModel) -> None:
    cerebras.script(default={"text": "one", "reasoning": "hm"})
    got = events(await chat(cerebras, stream=True, reasoning_format="raw"))[:-2]
    assert "".join(one["choices"][0]["delta"].get("content", "") for one in got) == "<think>hm</think>one"


async def test_a_compressed_question_is_read(cerebras: MockModel) -> None:
    body = gzip.compress(json.dumps({"model": "m", "messages": [USER]}).encode())
    async with httpx.AsyncClient(base_url=cerebras.base_url) as http:
        got = await http.post("/chat/completions", content=body, headers={"Content-Encoding": "gzip"})
    assert got.status_code == 200
    (asked,) = cerebras.chats()
    assert asked["body"]["messages"] == [USER]
    assert asked["sent_bytes"] == len(body)


async def test_the_connection_is_warmed_without_a_key(cerebras: MockModel) -> None:
    cerebras.config(keys=["k"])
    assert (await get(cerebras, "/v1/tcp_warming")).status_code == 200
    assert (await get(cerebras, "/public/v1/models")).json()["data"][0]["limits"]["max_context_length"] > 0
    refused = await get(cerebras, "/v1/models")
    assert (refused.status_code, refused.json()["code"]) == (401, "wrong_api_key")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a tier that is not one's own": ({"service_tier": "priority"}, "service_tier"),
    "an effort that is none": ({"reasoning_effort": "xhigh"}, "reasoning_effort"),
    "a choice without tools": ({"tool_choice": "auto"}, "tool_choice"),
    "two tools of a name": ({"tools": [TOOL, TOOL]}, "tools"),
    "a prediction beside tools": (
        {"tools": [TOOL], "prediction": {"type": "content", "content": "x"}},
        "prediction",
    ),
    "a result without a call": ({"messages": [USER, RESULT]}, "messages[1]"),
    "a call without a result": ({"messages": [USER, CALLED, USER]}, "messages[2]"),
    "an open schema": ({"response_format": schema({"type": "object"})}, "response_format"),
    "a long schema": (
        {"response_format": schema(closed(**{f"field_number_{n}": {"type": "string"} for n in range(200)}))},
        "response_format",
    ),
    "a deep schema": ({"response_format": schema(deep(12))}, "response_format"),
    "a strict tool that is open": (
        {
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "a",
                        "strict": True,
                        "parameters": {"type": "object", "properties": {}},
                    },
                }
            ]
        },
        "tools[0].function.parameters",
    ),
}


@pytest.mark.parametrize(("body", "param"), REFUSED.values(), ids=REFUSED)
async def test_what_the_documents_forbid_is_refused(
    cerebras: MockModel, body: dict[str, Any], param: str
) -> None:
    got = await chat(cerebras, **body)
    assert got.status_code == 400
    assert got.json()["param"] == param


async def test_a_queue_that_is_too_long_is_refused_where_it_was_asked_for(cerebras: MockModel) -> None:
    cerebras.config(service_tiers=["flex"], queue_seconds=3)
    flex = {"model": "m", "messages": [USER], "service_tier": "flex"}
    async with httpx.AsyncClient(base_url=cerebras.base_url) as http:
        patient = await http.post("/chat/completions", json=flex)
        waits = await http.post("/chat/completions", json=flex, headers={"queue_threshold": "5000"})
        hurries = await http.post("/chat/completions", json=flex, headers={"queue_threshold": "1000"})
        odd = await http.post("/chat/completions", json=flex, headers={"queue_threshold": "30000"})
    assert (patient.status_code, waits.status_code, odd.status_code) == (200, 200, 400)
    assert (hurries.status_code, hurries.json()["code"]) == (429, "queue_exceeded")


async def test_a_batch_is_uploaded_made_watched_and_read(cerebras: MockModel) -> None:
    cerebras.script({"match": "bad", "status": 500}, default={"text": "fine"})
    rows = [
        {"custom_id": said, "method": "POST", "url": "/v1/chat/completions"}
        | {"body": {"model": "m", "messages": [{"role": "user", "content": said}]}}
        for said in ("one", "bad", "two")
    ]
    lines = "\n".join(json.dumps(row) for row in rows)
    async with httpx.AsyncClient(base_url=cerebras.base_url) as http:
        file = (
            await http.post("/files", files={"file": ("a.jsonl", lines)}, data={"purpose": "batch"})
        ).json()
        wanted = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
        batch = (await http.post("/batches", json=wanted | {"input_file_id": file["id"]})).json()
        seen = [batch["status"]]
        for _ in range(2):
            batch = (await http.get(f"/batches/{batch['id']}")).json()
            seen.append(batch["status"])
        output = (await http.get(f"/files/{batch['output_file_id']}/content")).text
        errors = (await http.get(f"/files/{batch['error_file_id']}/content")).text
    assert seen == ["validating", "in_progress", "completed"]
    assert batch["request_counts"] == {"total": 3, "completed": 2, "failed": 1}
    answers = {row["custom_id"]: row["response"]["body"] for row in map(json.loads, output.splitlines())}
    assert answers["two"]["choices"][0]["message"]["content"] == "fine"
    assert json.loads(errors)["response"]["status_code"] == 500


async def test_a_file_that_is_no_batch_fails_with_its_lines(cerebras: MockModel) -> None:
    async with httpx.AsyncClient(base_url=cerebras.base_url) as http:
        file = (
            await http.post("/files", files={"file": ("a.jsonl", "{}\nno")}, data={"purpose": "batch"})
        ).json()
        wanted = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
        batch = (await http.post("/batches", json=wanted | {"input_file_id": file["id"]})).json()
        batch = (await http.get(f"/batches/{batch['id']}")).json()
    assert batch["status"] == "failed"
    assert [error["line"] for error in batch["errors"]["data"]] == [1, 2, None]


async def test_a_prefix_is_cached_in_blocks_of_128(cerebras: MockModel) -> None:
    cerebras.config(cache=True)
    long = {"role": "system", "content": "rule " * 1000}
    await chat(cerebras, messages=[long, USER])
    usage = (await chat(cerebras, messages=[long, {"role": "user", "content": "other"}])).json()["usage"]
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    assert cached > 1000 and cached % 128 == 0


async def test_openai_holds_to_its_rules_of_tools_too(mock_model: MockModel) -> None:
    for body in ({"tool_choice": "auto"}, {"messages": [USER, RESULT]}, {"response_format": schema({})}):
        assert (await chat(mock_model, **body)).status_code == 400
    assert (await chat(mock_model, messages=[USER, CALLED, RESULT], tools=[TOOL])).status_code == 200


async def test_a_prediction_is_counted(mock_model: MockModel) -> None:
    mock_model.script(default={"accepted_tokens": 7, "rejected_tokens": 2})
    usage = (await chat(mock_model, prediction={"type": "content", "content": "x"})).json()["usage"]
    assert usage["completion_tokens_details"]["accepted_prediction_tokens"] == 7


async def test_openrouter_tells_errors_inside_its_stream(mock_model: MockModel) -> None:
    mock_model.config(kind="openrouter")
    mock_model.script(default={"text": "one two", "fault": "error_event", "after": 1, "error_status": 502})
    got = await chat(mock_model, stream=True)
    assert got.text.startswith(": OPENROUTER PROCESSING")
    assert events(got)[-1]["error"]["code"] == 502
    assert events(got)[-1]["choices"][0]["finish_reason"] == "error"


async def test_openrouter_refuses_long_sessions_and_five_marks(mock_model: MockModel) -> None:
    mock_model.config(kind="openrouter")
    block = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
    assert (await chat(mock_model, session_id="s" * 257)).status_code == 400
    assert (await chat(mock_model, messages=[{"role": "user", "content": [block] * 5}])).status_code == 400
    assert (await chat(mock_model, session_id="s" * 256)).status_code == 200


async def test_ollama_names_the_model_that_was_not_pulled(mock_model: MockModel) -> None:
    mock_model.config(kind="ollama", models=["a"], context_tokens=4096)
    missing = await chat(mock_model, model="b")
    assert (missing.status_code, missing.json()["error"]["message"]) == (404, "model 'b' not found")
    assert (await chat(mock_model, model="a")).status_code == 200
    shown = (await post(mock_model, "/api/show", {"model": "a"})).json()
    assert shown["model_info"]["llama.context_length"] == 4096
    assert (await post(mock_model, "/api/show", {"model": "b"})).status_code == 404
