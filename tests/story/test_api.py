"""Programs ask a real daemon with the `openai` package, as they ask OpenAI: only the base URL and the key are ours."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from bot.home import Home
from tests.canary import canary
from tests.channels.api.site import events, said
from tests.channels.api.test_parse import PNG
from tests.mock_model.client import MockModel
from tests.story.running import Daemon, config, daemon

pytestmark = pytest.mark.slow  # each starts a real daemon, about a second

TOKEN = f"token-of-a-program-{canary('program')}"
ASKED: list[Any] = [{"role": "user", "content": "hello"}]
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "the weather somewhere",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def settings(mock_model: MockModel, **account: Any) -> dict[str, Any]:
    """A daemon with two models, the second as fallback, and nothing but the endpoint."""
    made = config(mock_model.base_url, api={"accounts": {"main": {"token": TOKEN, **account}}})
    made["agents"]["defaults"]["model"]["fallbacks"] = ["mock/slow"]
    made["channels"]["web"] = {"enabled": False}
    return made


@asynccontextmanager
async def program(
    home: Path, mock_model: MockModel, **account: Any
) -> AsyncIterator[tuple[Daemon, openai.AsyncOpenAI]]:
    """A daemon and a program's client."""
    async with (
        daemon(home / "home", settings(mock_model, **account)) as running,
        openai.AsyncOpenAI(base_url=f"{running.address}/v1", api_key=TOKEN, max_retries=0) as client,
    ):
        yield running, client


@asynccontextmanager
async def wire(running: Daemon) -> AsyncIterator[httpx.AsyncClient]:
    """The bare wire."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=running.address, headers=headers, timeout=20) as client:
        yield client


def rows(running: Daemon, query: str) -> list[Any]:
    """What stands in the daemon's store."""
    path = Home(running.home).database
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


async def until(running: Daemon, query: str, wanted: list[Any]) -> None:
    """Wait until the store says so: what a turn leaves there is written behind the answer."""
    async with asyncio.timeout(30):
        while rows(running, query) != wanted:
            await asyncio.sleep(0.02)


async def test_any_program_works_with_only_the_base_url_changed(
    tmp_path: Path, mock_model: MockModel
) -> None:
    mock_model.script(default={"text": "  Good **day\n"})
    async with program(tmp_path, mock_model) as (_, client):
        whole = await client.chat.completions.create(model="fast", messages=ASKED)
        assert whole.choices[0].message.content == "  Good **day\n"
        assert (whole.model, whole.choices[0].finish_reason) == ("mock/m", "stop")
        assert whole.usage is not None and whole.usage.total_tokens > 0
        parts: list[str] = []
        usage: Any = None
        stream = await client.chat.completions.create(
            model="mock/slow", messages=ASKED, stream=True, stream_options={"include_usage": True}
        )
        async for chunk in stream:
            parts += [choice.delta.content or "" for choice in chunk.choices]
            usage = chunk.usage
        assert "".join(parts) == "  Good **day\n"
        assert usage.completion_tokens > 0
        assert {"auto", "fast", "deep", "mock/m"} <= {model.id async for model in client.models.list()}
        assert (await client.models.retrieve("mock/m")).owned_by == "mock"
        vectors = await client.embeddings.create(model="mock/vectors", input=["one", "two", "one"])
        first, second, third = (row.embedding for row in vectors.data)
        assert first == third != second
        assert sum(each * each for each in first) == pytest.approx(1.0, abs=1e-5)


async def test_what_is_wrong_comes_as_the_clients_own_errors(tmp_path: Path, mock_model: MockModel) -> None:
    async with program(tmp_path, mock_model) as (running, client):
        with pytest.raises(openai.NotFoundError, match="Did you mean fast") as unknown:
            await client.chat.completions.create(model="fasst", messages=ASKED)
        assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
        assert "/models" not in str(unknown.value)
        with pytest.raises(openai.BadRequestError) as several:
            await client.chat.completions.create(model="auto", messages=ASKED, n=2)
        assert several.value.param == "n"
        with pytest.raises(openai.BadRequestError) as long:
            await client.chat.completions.create(
                model="auto", messages=[{"role": "user", "content": "many words " * 20_000}]
            )
        assert long.value.code == "context_length_exceeded"
        with pytest.raises(openai.NotFoundError):
            await client.embeddings.create(model="nobody", input="x")
        with pytest.raises(openai.NotFoundError, match="by its name") as anybody:
            await client.embeddings.create(model="auto", input="x")
        assert "Did you mean" not in str(anybody.value)
        wrong = client.with_options(api_key="wrong-token-0123456789")
        with pytest.raises(openai.AuthenticationError):
            await wrong.chat.completions.create(model="auto", messages=ASKED)
        assert mock_model.chats() == []
        assert TOKEN not in running.log


async def test_a_program_brings_its_own_history_and_nothing_is_added(
    tmp_path: Path, mock_model: MockModel
) -> None:
    messages: list[Any] = [
        {"role": "system", "content": "You are terse."},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "/model deep"},
    ]
    async with program(tmp_path, mock_model, models={"gpt-4o": "auto"}) as (running, client):
        for _ in range(2):  # what was said before is not remembered
            await client.chat.completions.create(
                model="gpt-4o",
                messages=messages,
                temperature=0.25,
                top_p=0.5,
                max_tokens=99,
                seed=7,
                stop=["END"],
                user="somebody",
                response_format={"type": "json_object"},
            )
        for chat in mock_model.chats():
            sent = chat["body"]
            assert sent["messages"] == messages
            wanted = {"temperature": 0.25, "top_p": 0.5, "seed": 7, "stop": ["END"], "max_tokens": 99}
            assert wanted.items() <= sent.items()
            assert (sent["model"], sent["response_format"]) == ("m", {"type": "json_object"})
            assert "tools" not in sent and "user" not in sent
        await client.chat.completions.create(model="auto", messages=ASKED)
        assert mock_model.chats()[-1]["body"]["messages"] == ASKED
        await until(running, "SELECT count(DISTINCT conversation) FROM turn WHERE outcome = 'done'", [(3,)])


async def test_an_owners_own_prompt_stands_where_the_program_brings_none(
    tmp_path: Path, mock_model: MockModel
) -> None:
    made = settings(mock_model, agent="clerk")
    made["agents"]["list"] = {"clerk": {"systemPrompt": "You are a clerk."}}
    async with daemon(tmp_path / "home", made) as running, wire(running) as client:
        system = [{"role": "system", "content": "Mine."}]
        for messages in (ASKED, system + ASKED):
            await client.post("/v1/chat/completions", json={"model": "auto", "messages": messages})
        first, second = (chat["body"]["messages"] for chat in mock_model.chats())
        assert first == [{"role": "system", "content": "You are a clerk."}, *ASKED]
        assert second == system + ASKED


async def test_a_programs_tools_make_the_round_trip(tmp_path: Path, mock_model: MockModel) -> None:
    call = {"name": "weather", "arguments": '{"city": "Hanoi"}', "id": "call_7"}
    mock_model.script(
        {"match": "weather?", "times": 1, "text": "Let me look.", "tool_calls": [call]},
        default={"text": "Warm."},
    )
    async with program(tmp_path, mock_model) as (_, client):
        asked: list[Any] = [{"role": "user", "content": "weather?"}]
        first = await client.chat.completions.create(
            model="auto", messages=asked, tools=[TOOL], tool_choice="auto", parallel_tool_calls=False
        )
        choice = first.choices[0]
        assert (choice.finish_reason, choice.message.content) == ("tool_calls", "Let me look.")
        assert choice.message.tool_calls is not None
        made = choice.message.tool_calls[0].model_dump(exclude_unset=True)
        assert made["function"] == {"name": "weather", "arguments": '{"city": "Hanoi"}'}
        asked += [
            choice.message.model_dump(exclude_none=True),
            {"role": "tool", "tool_call_id": made["id"], "content": "31 degrees"},
        ]
        second = await client.chat.completions.create(model="auto", messages=asked, tools=[TOOL])
        assert second.choices[0].message.content == "Warm."
        sent = [chat["body"] for chat in mock_model.chats()]
        assert sent[0]["tools"][0]["function"]["name"] == "weather"
        assert (sent[0]["tool_choice"], sent[0]["parallel_tool_calls"]) == ("auto", False)
        assert sent[1]["messages"][-1] | {"content": "31 degrees"} == sent[1]["messages"][-1]
        assert sent[1]["messages"][-1]["tool_call_id"] == sent[1]["messages"][-2]["tool_calls"][0]["id"]
        # Even without its tools the results stay in the prompt.
        await client.chat.completions.create(model="auto", messages=asked)
        last = mock_model.chats()[-1]["body"]
        assert len(last["messages"]) == 3 and last["tool_choice"] == "none"


async def test_calls_come_in_a_stream_too(tmp_path: Path, mock_model: MockModel) -> None:
    cities = ("Hue", "Da Nang")
    calls = [{"name": "weather", "arguments": json.dumps({"city": city}), "id": city} for city in cities]
    mock_model.script(default={"text": "", "tool_calls": calls})
    async with program(tmp_path, mock_model) as (_, client):
        found, finish = {}, None
        stream = await client.chat.completions.create(model="auto", messages=ASKED, tools=[TOOL], stream=True)
        async for chunk in stream:
            for call in chunk.choices[0].delta.tool_calls or ():
                assert call.function is not None
                found[call.index] = call.function.arguments
            finish = chunk.choices[0].finish_reason
        assert found == {0: '{"city": "Hue"}', 1: '{"city": "Da Nang"}'} and finish == "tool_calls"


async def test_pictures_reach_the_model_as_bytes(tmp_path: Path, mock_model: MockModel) -> None:
    made = settings(mock_model)
    made["models"]["providers"]["mock"]["models"][0]["input"] = ["text", "image"]
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    content = [{"type": "text", "text": "what is it?"}, {"type": "image_url", "image_url": {"url": url}}]
    asked = {"model": "auto", "messages": [{"role": "user", "content": content}]}
    async with daemon(tmp_path / "home", made) as running, wire(running) as client:
        assert (await client.post("/v1/chat/completions", json=asked)).status_code == 200
        parts = mock_model.chats()[0]["body"]["messages"][0]["content"]
        assert [part["image_url"]["url"] for part in parts if part["type"] == "image_url"] == [url]


@pytest.mark.parametrize("is_stream", [True, False])
async def test_the_way_stands_in_headers_and_usage(
    tmp_path: Path, mock_model: MockModel, *, is_stream: bool
) -> None:
    mock_model.script({"model": "m", "status": 503}, default={"text": "from the second"})
    async with program(tmp_path, mock_model, latency="semi-sync") as (running, _), wire(running) as client:
        request = {
            "model": "auto",
            "messages": ASKED,
            "stream": is_stream,
            "stream_options": {"include_usage": True},
        }
        response = await client.post("/v1/chat/completions", json=request)
        assert response.headers["x-firstword-model"] == "mock/slow"
        assert response.headers["x-firstword-failed"].startswith("mock/m=overloaded")
        assert int(response.headers["x-firstword-attempts"]) >= 2
        assert response.headers["x-firstword-latency"] == "semi-sync"
        answer = events(response.text)[-2] if is_stream else response.json()
        assert said(response.text) == "from the second" or not is_stream
        way = answer["usage"]["firstword"]
        assert (way["model"], way["latency"], way["failed"][0]["error"]) == (
            "mock/slow",
            "semi-sync",
            "overloaded",
        )
        # The next one stands behind a breaker or is tried again; either way the reason is told.
        again = await client.post(
            "/v1/chat/completions", json=request, headers={"x-firstword-latency": "sync"}
        )
        assert (again.status_code, again.headers["x-firstword-latency"]) == (200, "sync")


async def test_when_nobody_answers_the_status_says_so(tmp_path: Path, mock_model: MockModel) -> None:
    mock_model.script(default={"status": 503})
    async with program(tmp_path, mock_model) as (_, client):
        with pytest.raises(openai.InternalServerError) as down:
            await client.chat.completions.create(model="auto", messages=ASKED)
        assert (down.value.status_code, down.value.code) == (503, "no_model")
        assert "mock/m" in down.value.message and "/retry" not in down.value.message


async def test_an_answer_that_breaks_off_is_an_error_and_no_whole_one(
    tmp_path: Path, mock_model: MockModel
) -> None:
    mock_model.script(default={"tokens": ["one ", "two ", "three"], "gap": 0.2, "fault": "drop", "after": 2})
    async with program(tmp_path, mock_model) as (_, client):
        heard: list[str] = []
        stream = await client.chat.completions.create(model="auto", messages=ASKED, stream=True)
        with pytest.raises(openai.APIError, match="broke off"):
            async for chunk in stream:
                heard.append(chunk.choices[0].delta.content or "")  # noqa: PERF401 - until it fails
        assert "".join(heard) == "one two "


@pytest.mark.parametrize("is_stream", [True, False])
async def test_whoever_hangs_up_ends_the_models_request(
    tmp_path: Path, mock_model: MockModel, *, is_stream: bool
) -> None:
    mock_model.script(default={"tokens": ["a ", "b "], "hold": "open", "hold_after": 1})
    async with program(tmp_path, mock_model) as (running, client):
        asking = asyncio.create_task(_listen(client, is_stream=is_stream))
        await mock_model.wait("first_sent")
        asking.cancel()
        await asyncio.wait([asking])
        await mock_model.wait("closed_early", timeout=30)
        await until(running, "SELECT outcome FROM turn", [("withdrawn",)])
        assert (await running.ask("status"))["running"] == 0


async def _listen(client: openai.AsyncOpenAI, *, is_stream: bool) -> None:
    if is_stream:
        stream = await client.chat.completions.create(model="auto", messages=ASKED, stream=True)
        async for _ in stream:
            pass
    else:
        await client.chat.completions.create(model="auto", messages=ASKED)


async def test_thirty_two_requests_are_answered_side_by_side(tmp_path: Path, mock_model: MockModel) -> None:
    mock_model.script(default={"text": "{marker}", "hold": "all"})
    async with program(tmp_path, mock_model, maxRequests=32) as (_, client):
        asked = [
            asyncio.create_task(
                client.chat.completions.create(
                    model="auto", messages=[{"role": "user", "content": f"qid{number}q"}]
                )
            )
            for number in range(32)
        ]
        await mock_model.wait("arrived", count=32)  # nobody waits for anybody
        with pytest.raises(openai.RateLimitError):
            await client.chat.completions.create(model="auto", messages=ASKED)
        mock_model.release("all")
        answers = [answer.choices[0].message.content for answer in await asyncio.gather(*asked)]
        assert answers == [f"qid{number}q" for number in range(32)]


async def test_after_a_crash_no_request_is_asked_again(tmp_path: Path, mock_model: MockModel) -> None:
    mock_model.script({"match": "hello", "tokens": ["a ", "b "], "hold": "open", "hold_after": 1})
    async with program(tmp_path, mock_model) as (running, client):
        asking = asyncio.create_task(_listen(client, is_stream=True))
        await mock_model.wait("first_sent")
        await running.kept("inbox", 1)
        await running.kill()
        with pytest.raises(Exception, match=r"peer closed|onnection|incomplete"):
            await asking
        await running.start()
        await running.logged("unfinished turn ended")
        assert len(mock_model.chats()) == 1
        assert TOKEN not in json.dumps(rows(running, "SELECT * FROM inbox"), default=str)


async def test_a_stopping_daemon_lets_answers_end_and_takes_no_more(
    tmp_path: Path, mock_model: MockModel
) -> None:
    mock_model.script(default={"tokens": ["a ", "b "], "hold": "open", "hold_after": 1})
    async with program(tmp_path, mock_model) as (running, client):
        asking = asyncio.create_task(client.chat.completions.create(model="auto", messages=ASKED))
        await mock_model.wait("first_sent")
        ending = asyncio.create_task(running.stop())
        await running.logged("draining")
        async with wire(running) as bare:
            late = await bare.post("/v1/chat/completions", json={"model": "auto", "messages": ASKED})
            assert (late.status_code, late.json()["error"]["code"]) == (503, "unavailable")
        mock_model.release("open")
        assert (await asking).choices[0].message.content == "a b "
        assert await ending == 0
