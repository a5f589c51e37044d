"""Gemini's dialect: its chunks, its caches and vectors, and what it refuses."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.mock_model.client import MockModel
from tests.mock_model.wires import GEMINI, PART, events, gemini, get, post

pytestmark = pytest.mark.asyncio

CALL = {"functionCall": {"name": "weather", "args": {}}}
SIGNED = CALL | {"thoughtSignature": "c2ln"}
RESPONSE = {"functionResponse": {"name": "weather", "response": {"result": "rain"}}}
THOUGHTS = {"thinkingConfig": {"includeThoughts": True}}


def turn(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    """A question, the model's parts, and the tool's answer."""
    return [PART, {"role": "model", "parts": list(parts)}, {"role": "user", "parts": [RESPONSE]}]


async def test_every_chunk_has_the_usage_up_to_it_and_the_last_one_a_reason(mock_model: MockModel) -> None:
    mock_model.script(default={"text": "one two", "prompt_tokens": 9, "cached_tokens": 5})
    got = events(await gemini(mock_model))
    counts = [one["usageMetadata"].get("candidatesTokenCount", 0) for one in got]
    assert counts == [1, 2, 2]
    assert got[-1]["candidates"][0]["finishReason"] == "STOP"
    assert got[-1]["usageMetadata"]["cachedContentTokenCount"] == 5
    assert got[-1]["modelVersion"] == GEMINI


async def test_thoughts_come_only_where_they_are_asked_for(mock_model: MockModel) -> None:
    mock_model.script(default={"text": "one", "reasoning": "hm"})
    shown = events(await gemini(mock_model, generationConfig=THOUGHTS))
    kept = events(await gemini(mock_model))
    parts = [part for one in shown for part in one["candidates"][0]["content"]["parts"]]
    assert [part["text"] for part in parts if part.get("thought")] == ["hm"]
    assert parts[-1]["thoughtSignature"]
    assert "hm" not in str(kept)


async def test_a_call_comes_whole_and_signed(mock_model: MockModel) -> None:
    mock_model.script(default={"tokens": [], "tool_calls": [{"name": "weather", "arguments": '{"a": 1}'}]})
    (part,) = events(await gemini(mock_model))[0]["candidates"][0]["content"]["parts"]
    assert part["functionCall"]["args"] == {"a": 1}
    assert part["thoughtSignature"]


async def test_a_blocked_prompt_has_no_candidate(mock_model: MockModel) -> None:
    mock_model.script(default={"blocked": "SAFETY"})
    (got,) = events(await gemini(mock_model))
    assert got["promptFeedback"] == {"blockReason": "SAFETY"}
    assert "candidates" not in got


async def test_a_stream_without_sse_is_a_list(mock_model: MockModel) -> None:
    got = await gemini(mock_model, verb="streamGenerateContent")
    assert isinstance(got.json(), list)
    assert "candidates" in (await gemini(mock_model, verb="generateContent")).json()


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown field": ({"contentz": []}, 'Unknown name "contentz"'),
    "an unknown setting": ({"generationConfig": {"topQ": 1}}, 'Unknown name "topQ"'),
    "no contents": ({"contents": []}, "contents is not specified"),
    "another role": ({"contents": [{"role": "assistant", "parts": [{"text": "a"}]}]}, "valid role"),
    "an empty part": ({"contents": [{"parts": [{}]}]}, "oneof field 'data'"),
    "a call without an answer": (
        {"contents": [*turn(SIGNED)[:2], PART]},
        "number of function response parts",
    ),
    "a call without its signature": ({"contents": turn(CALL)}, "missing a thought_signature"),
    "a level on an older model": (
        {"model": "gemini-2.5-flash", "generationConfig": {"thinkingConfig": {"thinkingLevel": "low"}}},
        "Thinking level is not supported",
    ),
    "thinking switched off where it cannot be": (
        {"model": "gemini-2.5-pro", "generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}},
        "only works in thinking mode",
    ),
    "tools beside a cache that holds them": (
        {"cachedContent": "cachedContents/x", "tools": [{"functionDeclarations": []}]},
        "CachedContent can not be used",
    ),
}


@pytest.mark.parametrize(("body", "told"), REFUSED.values(), ids=REFUSED)
async def test_what_the_documents_forbid_is_refused(
    mock_model: MockModel, body: dict[str, Any], told: str
) -> None:
    got = await gemini(mock_model, **body)
    assert got.status_code == 400
    assert got.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert told in got.json()["error"]["message"]


async def test_a_whole_tool_turn_is_answered(mock_model: MockModel) -> None:
    assert (
        await gemini(mock_model, contents=[*turn(SIGNED, CALL)[:2], {"parts": [RESPONSE] * 2}])
    ).status_code == 200
    assert (await gemini(mock_model, model="gemini-2.5-flash", contents=turn(CALL))).status_code == 200


async def test_a_cache_is_made_used_and_deleted(mock_model: MockModel) -> None:
    long = {"model": f"models/{GEMINI}", "contents": [{"parts": [{"text": "x" * 9000}]}], "ttl": "300s"}
    made = (await post(mock_model, "/v1beta/cachedContents", long)).json()
    assert made["usageMetadata"]["totalTokenCount"] > 2000
    assert (await gemini(mock_model, cachedContent=made["name"])).status_code == 200
    async with httpx.AsyncClient(base_url=mock_model.root_url) as http:
        longer = (await http.patch(f"/v1beta/{made['name']}", json={"ttl": "900s"})).json()
        assert longer["expireTime"] > made["expireTime"]
        await http.delete(f"/v1beta/{made['name']}")
    gone = await gemini(mock_model, cachedContent=made["name"])
    assert (gone.status_code, gone.json()["error"]["status"]) == (403, "PERMISSION_DENIED")


async def test_what_is_too_small_is_not_cached(mock_model: MockModel) -> None:
    short = {"model": f"models/{GEMINI}", "contents": [PART]}
    got = await post(mock_model, "/v1beta/cachedContents", short)
    assert "min_total_token_count=1024" in got.json()["error"]["message"]


async def test_a_hundred_vectors_and_no_more_come_at_once(mock_model: MockModel) -> None:
    path = "/v1beta/models/gemini-embedding-001:batchEmbedContents"
    one = {"model": "models/gemini-embedding-001", "content": {"parts": [{"text": "a"}]}}
    assert len((await post(mock_model, path, {"requests": [one] * 100})).json()["embeddings"]) == 100
    assert (await post(mock_model, path, {"requests": [one] * 101})).status_code == 400


async def test_the_list_of_models_comes_in_pages(mock_model: MockModel) -> None:
    mock_model.config(models=["a", "b", "c"])
    first = (await get(mock_model, "/v1beta/models?pageSize=2")).json()
    rest = (await get(mock_model, f"/v1beta/models?pageSize=2&pageToken={first['nextPageToken']}")).json()
    assert [one["name"] for one in first["models"] + rest["models"]] == ["models/a", "models/b", "models/c"]
    assert "nextPageToken" not in rest


async def test_a_wrong_key_is_a_400_and_a_key_in_the_address_is_noted(mock_model: MockModel) -> None:
    mock_model.config(keys=["k1"])
    got = await gemini(mock_model, verb="generateContent?key=k2")
    assert (got.status_code, got.json()["error"]["details"][0]["reason"]) == (400, "API_KEY_INVALID")
    (asked,) = mock_model.chats()
    assert (asked["key_in"], asked["key_ok"]) == ("query", False)
    assert "k2" not in str(asked["query"])
