"""Requests over a real connection: token, limits, streams, problems, hanging up."""

from __future__ import annotations

import asyncio
import base64
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from hypothesis import given

from channels.api.channel import ApiChannel
from channels.capabilities import LatencyClass, Streaming
from channels.events import Event, Message, MessageDeleted
from channels.fake_daemon import RecordingHost
from channels.programs import Call, Conclusion, Failure, Finish, Picture, RouteTaken, Spent
from tests.channels.api.site import (
    BEARER,
    Site,
    body,
    events,
    finish,
    open_site,
    reply_to,
    said,
    served,
    settings,
)
from tests.channels.api.test_parse import PNG, REQUEST
from tests.generated import generated

ROUTE = RouteTaken("mock/m", "default", "async", (("mock/a", "overloaded"),), 2)


class AnsweringHost(RecordingHost):
    """A daemon that answers everything at once."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.channel: ApiChannel | None = None
        self._answers: set[asyncio.Task[None]] = set()

    async def accept(self, event: Event) -> bool:
        if isinstance(event, Message):
            self._answers.add(asyncio.create_task(self._answer(event)))
        return await super().accept(event)

    async def _answer(self, message: Message) -> None:
        assert self.channel is not None
        async with reply_to(self.channel, message.address) as reply:
            await finish(reply, "fine")


@pytest.fixture
def host(tmp_path: Path) -> RecordingHost:
    return RecordingHost(tmp_path)


@pytest_asyncio.fixture
async def site(host: RecordingHost) -> AsyncIterator[Site]:
    async with open_site(host) as site:
        yield site


async def ask(
    site: Site, host: RecordingHost, **request: Any
) -> tuple[asyncio.Task[httpx.Response], Message]:
    """A request under way, and the message that it became."""
    count = len(host.messages) + 1
    task = asyncio.create_task(site.client.post("/v1/chat/completions", json=body(**request)))
    return task, (await host.until_messages(count))[-1]


async def test_a_whole_answer_has_text_usage_and_way(site: Site, host: RecordingHost) -> None:
    task, message = await ask(site, host)
    assert site.channel.capabilities(message.address).streaming is Streaming.NONE
    spent = Spent(10, 5, 4, 2, 0.25)
    async with site.answering(message) as reply:
        await finish(reply, " Hel\n", Conclusion(route=ROUTE, spent=spent, ttft=0.5))
    response = await task
    answer = response.json()
    assert response.headers["x-request-id"] == answer["id"] == message.message_id
    assert response.headers["x-firstword-model"] == answer["model"] == "mock/m"
    assert response.headers["x-firstword-failed"] == "mock/a=overloaded"
    assert (answer["choices"][0]["message"]["content"], answer["choices"][0]["finish_reason"]) == (
        " Hel\n",
        "stop",
    )
    assert answer["usage"] | {"firstword": None} == {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
        "firstword": None,
    }
    assert answer["usage"]["firstword"] == {
        "model": "mock/m",
        "reason": "default",
        "latency": "async",
        "attempts": 2,
        "failed": [{"model": "mock/a", "error": "overloaded"}],
        "ttft": 0.5,
        "cost_usd": 0.25,
    }  # fmt: skip


async def test_a_stream_begins_with_the_role_and_ends_with_usage(site: Site, host: RecordingHost) -> None:
    task, message = await ask(site, host, stream=True, stream_options={"include_usage": True})
    assert site.channel.capabilities(message.address).streaming is Streaming.NATIVE
    async with site.answering(message) as reply:
        reply.spoken_by(ROUTE)
        for delta in ("  one", " two ", "\n"):
            reply.write(delta)
            await asyncio.sleep(0.01)
        await reply.finish(conclusion=Conclusion(Finish.LENGTH, route=ROUTE))
    response = await task
    found = events(response.text)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-firstword-attempts"] == "2"
    assert found[0]["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert said(response.text) == "  one two \n"
    assert [each["choices"][0]["finish_reason"] for each in found[:-2]] == [None] * (len(found) - 3) + [
        "length"
    ]
    assert found[-2]["choices"] == [] and found[-2]["usage"]["firstword"]["model"] == "mock/m"
    assert found[-1] == "[DONE]"
    assert {each["id"] for each in found[:-1]} == {message.message_id}


@pytest.mark.parametrize("is_stream", [True, False])
async def test_calls_are_handed_to_the_program(site: Site, host: RecordingHost, *, is_stream: bool) -> None:
    task, message = await ask(site, host, stream=is_stream)
    calls = (Call("c1", "look", '{"at": 1}'), Call("c2", "look", "{}"))
    async with site.answering(message) as reply:
        await finish(reply, "", Conclusion(Finish.CALLS, calls=calls, route=ROUTE))
    response = await task
    if is_stream:
        chunks = events(response.text)[:-1]
        found = chunks[1]["choices"][0]["delta"]["tool_calls"]
        assert [each.pop("index") for each in found] == [0, 1]
        assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    else:
        choice = response.json()["choices"][0]
        assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", None)
        found = choice["message"]["tool_calls"]
    assert found == [
        {"id": each.id, "type": "function", "function": {"name": each.name, "arguments": each.arguments}}
        for each in calls
    ]


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (Failure.UNKNOWN_MODEL, 404, "model_not_found"),
        (Failure.TOO_LONG, 400, "context_length_exceeded"),
        (Failure.UNFIT, 400, "unsupported_request"),
        (Failure.REFUSED, 400, "refused"),
        (Failure.FILTERED, 400, "content_filter"),
        (Failure.LIMITED, 429, "rate_limit_exceeded"),
        (Failure.SLOW, 504, "timeout"),
        (Failure.UNAVAILABLE, 503, "no_model"),
        (Failure.STOPPED, 503, "stopped"),
        (Failure.BROKEN, 500, "internal_error"),
    ],
)
@pytest.mark.parametrize("is_stream", [True, False])
async def test_before_the_first_byte_a_failure_is_a_status(
    site: Site, host: RecordingHost, failure: Failure, status: int, code: str, *, is_stream: bool
) -> None:
    task, message = await ask(site, host, stream=is_stream)
    async with site.answering(message) as reply:
        await reply.finish(conclusion=Conclusion(failure=failure, words="why it is", route=ROUTE))
    response = await task
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert response.json()["error"]["message"] == "why it is"
    assert ("retry-after" in response.headers) == (failure in {Failure.LIMITED, Failure.UNAVAILABLE})


async def test_after_the_first_byte_a_failure_is_an_event(site: Site, host: RecordingHost) -> None:
    task, message = await ask(site, host, stream=True)
    async with site.answering(message) as reply:
        reply.write("half an ans")
        await asyncio.sleep(0.05)
        await reply.finish(
            closing="(broke off)", conclusion=Conclusion(failure=Failure.UNAVAILABLE, words="gone")
        )
    response = await task
    assert response.status_code == 200 and said(response.text) == "half an ans"
    last = events(response.text)[-1]
    assert last["error"]["code"] == "no_model" and "[DONE]" not in response.text


async def test_a_silent_stream_says_that_it_is_still_there(host: RecordingHost) -> None:
    channel = ApiChannel("main", settings(), host, silence=0.02)
    running = asyncio.create_task(channel.run())
    async with served(channel) as url, httpx.AsyncClient(base_url=url, headers=BEARER) as client:
        async with client.stream("POST", "/v1/chat/completions", json=body(stream=True)) as response:
            lines = response.aiter_lines()
            assert [await anext(lines) for _ in range(4)] == [": waiting", ""] * 2
            async with reply_to(channel, host.messages[0].address) as reply:
                await reply.finish(conclusion=Conclusion(failure=Failure.SLOW))
            rest = "\n".join([line async for line in lines])
        assert response.status_code == 200 and events(rest)[-1]["error"]["code"] == "timeout"
    running.cancel()


@pytest.mark.parametrize("given", ["", "Bearer wrong-token-0123456", "Basic YTpi", "Bearer"])
async def test_without_the_token_nothing_is_told(site: Site, host: RecordingHost, given: str) -> None:
    async with httpx.AsyncClient(
        base_url=site.url, headers={"Authorization": given} if given else {}
    ) as client:
        for method, path in (("POST", "chat/completions"), ("GET", "models"), ("GET", "nothing")):
            response = await client.request(method, f"/v1/{path}")
            assert (response.status_code, response.json()["error"]["code"]) == (401, "invalid_api_key")
    assert host.events == [] and set(host.signals) == {"request_refused"}


async def test_more_requests_than_the_limit_are_told_to_wait(host: RecordingHost) -> None:
    async with open_site(host, settings(maxRequests=2)) as site:
        tasks = [(await ask(site, host))[0] for _ in range(2)]
        response = await site.ask()
        assert (response.status_code, response.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        assert response.headers["retry-after"] == "1"
        for message in host.messages:
            async with site.answering(message) as reply:
                await finish(reply, "fine")
        assert [(await task).status_code for task in tasks] == [200, 200]
        task, message = await ask(site, host)
        async with site.answering(message) as reply:
            await finish(reply, "fine")
        assert (await task).status_code == 200


async def test_a_request_that_is_too_large_is_refused(host: RecordingHost) -> None:
    async with open_site(host, settings(maxBodyBytes=1000)) as site:
        assert (await site.ask(**body("x" * 2000))).status_code == 413

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield b" " * 100

        response = await site.client.post("/v1/chat/completions", content=pieces())
        assert (response.status_code, response.json()["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize("is_stream", [True, False])
async def test_whoever_hangs_up_takes_the_question_back(
    site: Site, host: RecordingHost, *, is_stream: bool
) -> None:
    task, message = await ask(site, host, stream=is_stream)
    task.cancel()
    gone = await host.until_event(MessageDeleted)
    assert (gone.message_id, gone.address) == (message.message_id, message.address)
    async with site.answering(message) as reply:  # what still comes goes nowhere
        await finish(reply, "too late")
    assert site.channel.request(message.message_id) is None


async def test_without_room_a_request_is_told_to_come_again(site: Site, host: RecordingHost) -> None:
    host.refuse = 1
    response = await site.ask()
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")


async def test_at_the_end_open_requests_are_told(site: Site, host: RecordingHost) -> None:
    waiting, _ = await ask(site, host)
    streaming, message = await ask(site, host, stream=True)
    async with site.answering(message) as reply:
        reply.write("half")
        await asyncio.sleep(0.05)
        site.running.cancel()
        assert (await waiting).status_code == 503
        assert events((await streaming).text)[-1]["error"]["code"] == "unavailable"
    assert (await site.ask()).status_code == 503


@pytest.mark.parametrize(
    ("given", "wanted"), [("voice", "voice"), ("Semi_Sync", "semi-sync"), (None, "batch")]
)
async def test_the_class_is_the_headers_or_the_accounts(
    host: RecordingHost, given: str | None, wanted: str
) -> None:
    async with open_site(host, settings(latency="batch")) as site:
        if given is not None:
            site.client.headers["x-firstword-latency"] = given
        task, message = await ask(site, host)
        assert site.channel.capabilities(message.address).latency is LatencyClass(wanted)
        task.cancel()
        await host.until_event(MessageDeleted)


async def test_a_class_that_there_is_not_is_refused(site: Site) -> None:
    site.client.headers["x-firstword-latency"] = "soon"
    response = await site.ask()
    assert (response.status_code, response.json()["error"]["param"]) == (400, "x-firstword-latency")


async def test_the_kind_of_work_is_the_headers(site: Site, host: RecordingHost) -> None:
    site.client.headers["x-firstword-task"] = "extraction"
    task, message = await ask(site, host)
    assert message.asked is not None
    assert message.asked.task == "extraction"
    task.cancel()
    await host.until_event(MessageDeleted)


async def test_pictures_are_fetched_before_anybody_is_asked(site: Site, host: RecordingHost) -> None:
    host.pages["https://a.example/b.png"] = PNG
    content = [{"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}]
    task, message = await ask(site, host, messages=[{"role": "user", "content": content}])
    assert message.asked is not None
    assert message.asked.said[0].pictures == (Picture("image/png", PNG),)
    task.cancel()
    content[0]["image_url"] = {"url": "https://a.example/none.png"}
    response = await site.ask(**body(messages=[{"role": "user", "content": content}]))
    assert (response.status_code, response.json()["error"]["param"]) == (400, "messages")


async def test_models_are_listed_and_found(site: Site) -> None:
    listed = (await site.client.get("/v1/models")).json()
    assert [(each["id"], each["owned_by"]) for each in listed["data"]] == [("demo/demo", "demo")]
    assert (await site.client.get("/v1/models/demo/demo")).json()["id"] == "demo/demo"
    missing = await site.client.get("/v1/models/nobody")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")
    assert (await site.client.get("/v1/completions")).json()["error"]["code"] == "unknown_url"


async def test_vectors_come_as_numbers_or_packed(site: Site) -> None:
    plain = (await site.ask("embeddings", model="demo/vectors", input=["ab", "c"])).json()
    assert [each["embedding"] for each in plain["data"]] == [[1.0, 0.0], [1.0, 0.0]]
    assert (plain["model"], plain["usage"]) == ("demo/vectors", {"prompt_tokens": 3, "total_tokens": 3})
    packed = (await site.ask("embeddings", model="demo/vectors", input="ab", encoding_format="base64")).json()
    assert struct.unpack("<2f", base64.b64decode(packed["data"][0]["embedding"])) == (1.0, 0.0)
    missing = await site.ask("embeddings", model="nobody", input="a")
    assert (missing.status_code, missing.json()["error"]["param"]) == (404, "model")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def answering(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """An endpoint that answers everything."""
    host = AnsweringHost(tmp_path_factory.mktemp("host"))
    async with open_site(host) as site:
        host.channel = site.channel
        yield site


@pytest.mark.asyncio(loop_scope="module")
@generated
@given(request_=REQUEST)
async def test_no_generated_request_gives_a_fault_of_ours(answering: Site, request_: dict[str, Any]) -> None:
    response = await answering.client.post("/v1/chat/completions", json=request_)
    assert response.status_code in {200, 400}
    if response.status_code == 400:
        assert response.json()["error"]["param"]
    elif request_.get("stream") is True:
        assert response.text.endswith("data: [DONE]\n\n")
    else:
        assert response.json()["choices"][0]["message"]["content"] == "fine"
