"""What a client gets from the mock model when nothing goes wrong."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.mock_model.client import MockModel, MockModelError

pytestmark = pytest.mark.asyncio


def ask(text: str, **more: Any) -> dict[str, Any]:
    """A streamed request with one user message."""
    return {
        "model": "m",
        "stream": True,
        "messages": [{"role": "user", "content": text}],
    } | more


async def events(server: MockModel, body: dict[str, Any]) -> list[Any]:
    """The parsed `data:` lines of a streamed answer; "[DONE]" as it is."""
    async with httpx.AsyncClient(base_url=server.base_url) as http:
        response = await http.post("/chat/completions", json=body)
    assert response.headers["content-type"].startswith("text/event-stream")
    lines = [line[6:] for line in response.text.splitlines() if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def text_of(got: list[Any]) -> str:
    """The answer's text."""
    choices = [one["choices"][0] for one in got if one != "[DONE]" and one["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


async def test_an_answer_carries_the_marker_of_its_question_at_both_ends(
    mock_model: MockModel,
) -> None:
    mock_model.script(default={"count": 5})
    got = await events(mock_model, ask("please answer qid42q"))
    assert text_of(got) == "qid42q word1 word2 word3 qid42q"
    assert got[-1] == "[DONE]"
    assert got[-2]["choices"][0]["finish_reason"] == "stop"


async def test_usage_comes_last_and_only_when_asked_for(mock_model: MockModel) -> None:
    mock_model.script(default={"text": "two words", "cached_tokens": 7, "prompt_tokens": 9})
    plain = await events(mock_model, ask("a"))
    assert not any("usage" in one for one in plain[:-1])
    got = await events(mock_model, ask("a", stream_options={"include_usage": True}))
    assert got[-2]["choices"] == []
    assert got[-2]["usage"]["prompt_tokens_details"]["cached_tokens"] == 7
    assert got[-2]["usage"]["prompt_tokens"] == 9
    assert got[-2]["usage"]["completion_tokens"] == 2


async def test_the_first_matching_rule_answers_as_often_as_it_may(
    mock_model: MockModel,
) -> None:
    mock_model.script(
        {"match": "sky", "text": "blue", "times": 1},
        {"model": "other", "text": "other model"},
        {"key": "secret", "text": "known key"},
        default={"text": "default"},
    )
    said = [text_of(await events(mock_model, ask(text))) for text in ("sky?", "sky?", "sea?")]
    assert said == ["blue", "default", "default"]
    assert text_of(await events(mock_model, ask("x", model="other"))) == "other model"
    assert [one["rule"] for one in mock_model.chats()] == [0, None, None, 1]


async def test_reasoning_comes_before_the_text_in_the_field_asked_for(
    mock_model: MockModel,
) -> None:
    mock_model.script(
        default={
            "text": "42",
            "reasoning": "thinking hard",
            "reasoning_field": "reasoning_content",
        }
    )
    got = await events(mock_model, ask("a"))
    deltas = [one["choices"][0]["delta"] for one in got[:-1]]
    thought = [at for at, one in enumerate(deltas) if "reasoning_content" in one]
    spoken = [at for at, one in enumerate(deltas) if one.get("content")]
    assert "".join(deltas[at]["reasoning_content"] for at in thought) == "thinking hard"
    assert max(thought) < min(spoken)


async def test_tool_calls_are_streamed_in_pieces(mock_model: MockModel) -> None:
    call = {"name": "weather", "arguments": '{"city": "Reykjavik"}', "id": "call_9"}
    mock_model.script(default={"text": "", "tool_calls": [call]})
    got = await events(mock_model, ask("a"))
    parts = [
        one["choices"][0]["delta"]["tool_calls"][0]
        for one in got[:-1]
        if "tool_calls" in one["choices"][0]["delta"]
    ]
    assert parts[0]["id"] == "call_9"
    assert parts[0]["function"]["name"] == "weather"
    assert len(parts) > 3
    arguments = "".join(part["function"]["arguments"] for part in parts)
    assert json.loads(arguments) == {"city": "Reykjavik"}
    assert got[-2]["choices"][0]["finish_reason"] == "tool_calls"


async def test_a_whole_answer_has_text_finish_reason_and_usage(
    mock_model: MockModel,
) -> None:
    mock_model.script(default={"text": "all of it"})
    async with httpx.AsyncClient(base_url=mock_model.base_url) as http:
        got = (await http.post("/chat/completions", json=ask("a", stream=False))).json()
    assert got["object"] == "chat.completion"
    assert got["choices"][0]["message"]["content"] == "all of it"
    assert got["choices"][0]["finish_reason"] == "stop"
    assert got["usage"]["completion_tokens"] == 3


async def test_every_answer_on_one_connection_when_the_client_reads_to_the_end(
    mock_model: MockModel,
) -> None:
    async with httpx.AsyncClient(base_url=mock_model.base_url) as http:
        for _ in range(3):
            await http.post("/chat/completions", json=ask("a"))
    assert len({one["connection"] for one in mock_model.chats()}) == 1


async def test_a_held_answer_goes_on_when_it_is_released(mock_model: MockModel) -> None:
    mock_model.script(default={"text": "one two three", "hold": "gate", "hold_after": 1})
    async with (
        httpx.AsyncClient(base_url=mock_model.base_url) as http,
        http.stream("POST", "/chat/completions", json=ask("a")) as response,
    ):
        await mock_model.wait("first_sent")
        assert mock_model.chats()[0]["tokens"] == 1
        assert mock_model.state()["open"] == 1
        assert mock_model.release("gate") == 1
        body = (await response.aread()).decode()
    assert " three" in body
    assert "[DONE]" in body


async def test_tokens_keep_their_pace_and_the_times_are_recorded(
    mock_model: MockModel,
) -> None:
    mock_model.script(default={"count": 4, "ttft": 0.05, "gap": 0.02})
    await events(mock_model, ask("qid1q"))
    [(marker, at, first, last, tokens)] = mock_model.marks()
    assert (marker, tokens) == ("qid1q", 4)
    assert first is not None and last is not None
    assert first - at >= 0.05
    assert (
        last - at >= 0.05 + 3 * 0.02
    )  # each has its time from the beginning: a late one delays none after it


async def test_waiting_in_vain_says_what_was_not_reached(mock_model: MockModel) -> None:
    with pytest.raises(MockModelError, match="arrived"):
        await mock_model.wait("arrived", timeout=0.01)


async def test_a_client_that_leaves_early_is_noted(mock_model: MockModel) -> None:
    mock_model.script(default={"fault": "endless", "gap": 0.005})
    async with (
        httpx.AsyncClient(base_url=mock_model.base_url) as http,
        http.stream("POST", "/chat/completions", json=ask("a")),
    ):
        await mock_model.wait("first_sent")
    await mock_model.wait("closed_early")
    [request] = mock_model.chats()
    assert request["stages"][-2:] == ["closed_early", "ended"]
    assert mock_model.state()["open"] == 0


async def test_an_unknown_field_of_a_behaviour_is_refused_by_name(
    mock_model: MockModel,
) -> None:
    with pytest.raises(MockModelError, match="unknown field 'tttf'"):
        mock_model.script(default={"tttf": 1})


async def test_a_reset_breaks_open_answers_off_and_forgets_them(
    mock_model: MockModel,
) -> None:
    mock_model.script(default={"fault": "silent"})
    async with httpx.AsyncClient(base_url=mock_model.base_url, timeout=10) as http:
        waiting = asyncio.create_task(http.post("/chat/completions", json=ask("a")))
        await mock_model.wait("arrived")
        mock_model.reset()
        with pytest.raises(httpx.TransportError):
            await waiting
    assert mock_model.requests() == []
    assert mock_model.state()["ended"] == 0
