"""Gemini over the wire: the rules of the contract, and what stands in its requests.

The server is the mock model; it refuses what the API's documentation says it refuses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from providers.base import (
    CompletionRequest,
    Effort,
    Embeds,
    FinishReason,
    GenerationOptions,
    Image,
    Memo,
    PromptMessage,
    Role,
    Schema,
    Tool,
    ToolCall,
    ToolCallDelta,
)
from providers.conformance import CONFIDENTIAL
from providers.errors import ErrorKind, ProviderError
from providers.gemini import SPEC
from providers.gemini_client import Gemini
from providers.profile import ReasoningStyle
from tests.mock_model.client import MockModel
from tests.providers.ask import KEY, SECRET, ask, question
from tests.providers.gemini_peer import EMBEDDER, FLASH_25, MODEL, gemini, opened
from tests.providers.peer import Do, Peer, streamed, whole

__all__ = ["gemini", "opened"]

WEATHER = Tool("weather", "Tells the weather", {"type": "object", "properties": {"city": {"type": "string"}}})


def sent(server: MockModel) -> list[dict[str, Any]]:
    """The bodies of the requests for an answer."""
    return [chat["body"] for chat in server.chats()]


async def test_the_key_stands_in_its_header_and_never_in_the_address(
    gemini: Gemini, mock_model: MockModel
) -> None:
    mock_model.config(keys=[SECRET], models=["m"])
    assert (await ask(gemini, "hi", MODEL)).finished is not None
    assert len(await gemini.list_models(KEY)) == 1
    await gemini.embed(EMBEDDER, ["one"], KEY)
    requests = mock_model.requests()
    assert len(requests) == 3
    assert {request["key_in"] for request in requests} == {"x-goog-api-key"}
    assert requests[0]["path"] == "/v1beta/models/gemini-3.8-flash:streamGenerateContent"
    assert requests[0]["query"] == {"alt": "sse"}
    assert not any("key" in request["query"] for request in requests)
    assert "authorization" not in requests[0]["headers"]


async def test_a_wrong_key_is_a_400_and_told_as_such(gemini: Gemini, mock_model: MockModel) -> None:
    mock_model.script(default={"problem": "wrong_key"})
    heard = await ask(gemini, "hi", MODEL)
    assert heard.kind is ErrorKind.AUTH
    assert SECRET not in repr(heard.error)


async def test_thoughts_come_where_they_are_asked_for(gemini: Gemini, mock_model: MockModel) -> None:
    mock_model.script(default={"text": "Yes.", "reasoning": "Let me think."})
    thinks = await ask(gemini, question(options=GenerationOptions(effort=Effort.HIGH)), MODEL)
    off = await ask(gemini, question(options=GenerationOptions(effort=Effort.OFF)), FLASH_25)
    assert (thinks.thoughts, thinks.text, off.thoughts, off.text) == ("Let me think.", "Yes.", "", "Yes.")
    assert thinks.finished is not None
    assert thinks.finished.usage is not None
    assert thinks.finished.usage.reasoning_tokens > 0
    configs = [body["generationConfig"]["thinkingConfig"] for body in sent(mock_model)]
    assert configs == [{"thinkingLevel": "HIGH", "includeThoughts": True}, {"thinkingBudget": 0}]


async def test_a_tool_loop_hands_back_what_the_model_signed(gemini: Gemini, mock_model: MockModel) -> None:
    calls = [{"name": "weather", "arguments": '{"city": "Oslo"}', "id": "fc1"}]
    mock_model.script(
        {"match": "rain?", "times": 1, "text": "Let me see.", "tool_calls": calls, "signature": "c2ln"},
        default={"text": "Yes, it rains."},
    )
    asked = PromptMessage(Role.USER, "Does it rain?")
    first = await ask(gemini, CompletionRequest((asked,), tools=(WEATHER,)), MODEL)
    memo = next(event.data for event in first.events if isinstance(event, Memo))
    call = next(event for event in first.events if isinstance(event, ToolCallDelta))
    made = ToolCall(call.id, call.name, call.arguments)
    answer = PromptMessage(Role.ASSISTANT, first.text, calls=(made,), memo=memo)
    told = PromptMessage(Role.TOOL, "rain", call_id=call.id)
    second = await ask(gemini, CompletionRequest((asked, answer, told), tools=(WEATHER,)), MODEL)
    assert second.text == "Yes, it rains."
    before, after = sent(mock_model)
    assert after["contents"][: len(before["contents"])] == before["contents"]
    assert after["contents"][1:] == [
        {
            "role": "model",
            "parts": [
                {"text": "Let me see."},
                {
                    "functionCall": {"name": "weather", "id": "fc1", "args": {"city": "Oslo"}},
                    "thoughtSignature": "c2ln",
                },
            ],
        },
        {
            "role": "user",
            "parts": [{"functionResponse": {"name": "weather", "id": "fc1", "response": {"output": "rain"}}}],
        },
    ]


async def test_calls_of_another_provider_are_taken_by_gemini_3(gemini: Gemini, mock_model: MockModel) -> None:
    foreign = PromptMessage(
        Role.ASSISTANT, "", calls=(ToolCall("x", "weather", "{}"),), memo="somebody else's"
    )
    messages = (PromptMessage(Role.USER, "hi"), foreign, PromptMessage(Role.TOOL, "rain", call_id="x"))
    assert (await ask(gemini, CompletionRequest(messages, tools=(WEATHER,)), MODEL)).finished is not None


async def test_a_call_without_an_id_gets_one(gemini: Gemini, mock_model: MockModel) -> None:
    mock_model.script(
        default={"tokens": [], "tool_calls": [{"name": "weather", "arguments": "{}", "id": ""}]}
    )
    ids = [
        event.id
        for heard in (await ask(gemini, "hi", MODEL), await ask(gemini, "hi", MODEL))
        for event in heard.events
        if isinstance(event, ToolCallDelta)
    ]
    assert len(set(ids)) == 2
    assert all(ids)


async def test_a_schema_tools_and_a_picture_are_taken_as_they_are_sent(
    gemini: Gemini, mock_model: MockModel
) -> None:
    message = PromptMessage(Role.USER, "what is it?", (Image("image/png", b"\x89PNG"),))
    schema = Schema("thing", {"type": "object", "properties": {"name": {"type": "string"}}})
    request = CompletionRequest((message,), tools=(WEATHER,), tool_choice="required", schema=schema)
    assert (await ask(gemini, request, MODEL)).finished is not None
    assert mock_model.chats()[0]["status"] == 200


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ({"text": "Well", "finish": "SAFETY"}, FinishReason.CONTENT_FILTER),
        ({"text": "Well", "finish": "RECITATION"}, FinishReason.CONTENT_FILTER),
        ({"blocked": "PROHIBITED_CONTENT"}, FinishReason.CONTENT_FILTER),
        ({"text": "Well", "finish": "length"}, FinishReason.LENGTH),
    ],
)
async def test_what_a_filter_stops_says_so(
    gemini: Gemini, mock_model: MockModel, behaviour: dict[str, Any], reason: FinishReason
) -> None:
    mock_model.script(default=behaviour)
    heard = await ask(gemini, "hi", MODEL)
    assert heard.finished is not None
    assert heard.finished.reason is reason


async def test_a_call_that_the_model_got_wrong_is_tried_again_elsewhere(
    gemini: Gemini, mock_model: MockModel
) -> None:
    mock_model.script(default={"text": "Well", "finish": "MALFORMED_FUNCTION_CALL"})
    heard = await ask(gemini, "hi", MODEL)
    assert (heard.kind, heard.text) == (ErrorKind.MALFORMED, "Well")


async def test_cached_tokens_are_part_of_the_prompt(gemini: Gemini, mock_model: MockModel) -> None:
    mock_model.script(default={"text": "Hi", "prompt_tokens": 5000, "cached_tokens": 4096})
    heard = await ask(gemini, "hi", MODEL)
    assert heard.finished is not None
    assert heard.finished.usage is not None
    assert (heard.finished.usage.input_tokens, heard.finished.usage.cached_tokens) == (5000, 4096)


async def test_a_parameter_that_the_model_does_not_know_is_left_out_from_then_on(
    mock_model: MockModel, opened: Callable[..., Gemini]
) -> None:
    gemini = opened(mock_model.root_url, defaultParams={"top_p": 0.9, "wonder": 1})
    assert (await ask(gemini, "hi", MODEL)).finished is not None
    assert (await ask(gemini, "hi", MODEL)).finished is not None
    configs = [body["generationConfig"] for body in sent(mock_model)]
    assert ["wonder" in config for config in configs] == [True, False, False]
    assert all(config["topP"] == 0.9 for config in configs)


async def test_an_error_says_when_to_come_back_and_tells_no_word_of_the_prompt(
    gemini: Gemini, peer: Peer, opened: Callable[..., Gemini]
) -> None:
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12s"}
    error = {
        "code": 429,
        "message": f"no: {CONFIDENTIAL}",
        "status": "RESOURCE_EXHAUSTED",
        "details": [retry],
    }
    peer.play([whole(orjson.dumps([{"error": error}]), status="429 Too Many Requests"), Do.CLOSE])
    heard = await ask(opened(peer.origin), CONFIDENTIAL, MODEL)
    assert heard.error is not None
    assert (heard.kind, heard.error.retry_after) == (ErrorKind.RATE_LIMIT, 12.0)
    assert "alligator" not in repr(heard.error)


async def test_a_body_that_goes_on_after_the_end_is_read_so_that_the_connection_serves_again(
    peer: Peer, opened: Callable[..., Gemini]
) -> None:
    candidate = {"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}
    last = orjson.dumps({"candidates": [candidate], "usageMetadata": {"promptTokenCount": 1}})
    peer.play([streamed(last, b"{}"), Do.NEXT, streamed(last), Do.HANG])
    gemini = opened(peer.origin)
    for _ in range(2):
        assert (await ask(gemini, "hi", MODEL)).text == "Hi"
    assert len(peer.connections) == 1


async def test_every_page_of_the_list_is_read_and_only_what_talks_is_listed(
    gemini: Gemini, mock_model: MockModel, peer: Peer, opened: Callable[..., Gemini]
) -> None:
    mock_model.config(models=["gemini-9-new", "gemini-2.5-flash", "gemini-embedding-001"])
    listed = {spec.model: spec for spec in await gemini.list_models(KEY)}
    assert sorted(listed) == ["gemini-2.5-flash", "gemini-9-new"]
    new = listed["gemini-9-new"]
    assert (new.context_window, new.max_output) == (1_048_576, 65_536)
    assert new.profile.reasoning is not ReasoningStyle.NONE
    pages = [
        b'{"models": [{"name": "models/a"}], "nextPageToken": "p/2="}',
        b'{"models": [{"name": "models/b"}]}',
    ]
    peer.play([whole(pages[0]), Do.NEXT, whole(pages[1]), Do.CLOSE])
    assert [spec.model for spec in await opened(peer.origin).list_models(KEY)] == ["a", "b"]
    assert b"pageToken=p%2F2%3D" in peer.requests[1].partition(b"\r\n")[0]


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"models": [1]}', b'{"models": [{}]}'])
async def test_what_is_no_list_is_malformed(peer: Peer, opened: Callable[..., Gemini], body: bytes) -> None:
    peer.play([whole(body), Do.CLOSE])
    with pytest.raises(ProviderError) as caught:
        await opened(peer.origin).list_models(KEY)
    assert caught.value.kind is ErrorKind.MALFORMED


async def test_warming_opens_the_connection_that_the_answer_uses(
    gemini: Gemini, mock_model: MockModel
) -> None:
    await gemini.warm()
    await ask(gemini, "hi", MODEL)
    warmed, asked = mock_model.requests()
    assert warmed["connection"] == asked["connection"]
    assert warmed["key_in"] == ""


async def test_texts_become_vectors_in_batches_of_100_in_their_order(
    gemini: Gemini, mock_model: MockModel
) -> None:
    texts = [f"text {number}" for number in range(230)]
    found = await gemini.embed(EMBEDDER, texts, KEY)
    alone = await gemini.embed(EMBEDDER, ["text 229"], KEY)
    assert isinstance(gemini, Embeds)
    assert list(found[229]) == pytest.approx(list(alone[0]))
    assert sum(value * value for value in found[0]) == pytest.approx(1, abs=1e-5)
    asked = [request["body"]["requests"] for request in mock_model.requests()]
    assert [len(requests) for requests in asked] == [100, 100, 30, 1]
    assert asked[0][0] == {
        "model": "models/gemini-embedding-001",
        "content": {"parts": [{"text": "text 0"}]},
    }


async def test_vectors_may_be_shorter_and_are_of_unit_length_all_the_same(
    mock_model: MockModel, opened: Callable[..., Gemini]
) -> None:
    gemini = opened(mock_model.root_url, embeddingDimensions=256)
    (found,) = await gemini.embed(EMBEDDER, ["one"], KEY)
    assert len(found) == 256
    assert sum(value * value for value in found) == pytest.approx(1, abs=1e-5)


BOOK = PromptMessage(Role.USER, "word " * 4000)


def about(*asked: str) -> CompletionRequest:
    """Questions on a document; all but the last have come before."""
    messages = [PromptMessage(Role.SYSTEM, "Be brief."), BOOK, PromptMessage(Role.ASSISTANT, "Read.")]
    for place, text in enumerate(asked):
        messages.append(PromptMessage(Role.ASSISTANT if place % 2 else Role.USER, text))
    return CompletionRequest(tuple(messages), stable=len(messages) - 1, tools=(WEATHER,), tool_choice="auto")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def caches(server: MockModel) -> list[dict[str, Any]]:
    return [one for one in server.requests() if one["path"] == "/v1beta/cachedContents"]


@pytest.fixture
def reader(mock_model: MockModel, opened: Callable[..., Gemini]) -> Gemini:
    return opened(mock_model.root_url, cacheMinTokens=4096)


async def ask_until_cached(reader: Gemini, server: MockModel) -> None:
    await ask(reader, about("What is it about?"), MODEL)
    assert caches(server) == []
    await ask(reader, about("Who wrote it?"), MODEL)
    await until(lambda: any("ended" in cache["stages"] for cache in caches(server)))


async def test_a_long_document_that_comes_again_gets_a_cache_that_the_next_request_uses(
    reader: Gemini, mock_model: MockModel
) -> None:
    await ask_until_cached(reader, mock_model)
    (made,) = caches(mock_model)
    plain = sent(mock_model)[0]
    assert made["body"]["contents"] == plain["contents"][:2]
    assert made["body"]["systemInstruction"] == plain["systemInstruction"]
    assert made["key_in"] == "x-goog-api-key"
    await until_used(reader, mock_model)
    used = sent(mock_model)[-1]
    assert used["contents"] == [{"role": "user", "parts": [{"text": "When?"}]}]
    assert not {"systemInstruction", "tools", "toolConfig"} & used.keys()
    assert len(caches(mock_model)) == 1


async def until_used(reader: Gemini, server: MockModel) -> None:
    """The client learns of the cache a moment after the server has answered."""
    async with asyncio.timeout(30):
        while "cachedContent" not in sent(server)[-1]:
            assert (await ask(reader, about("When?"), MODEL)).finished is not None


async def test_a_cache_that_is_gone_costs_one_more_request_and_no_answer(
    reader: Gemini, mock_model: MockModel
) -> None:
    await ask_until_cached(reader, mock_model)
    await until_used(reader, mock_model)
    before = len(sent(mock_model))
    mock_model.reset()  # forgets its caches
    heard = await ask(reader, about("Still there?"), MODEL)
    assert heard.finished is not None
    assert before >= 3
    assert ["cachedContent" in body for body in sent(mock_model)] == [True, False]


async def test_a_cache_that_cannot_be_made_harms_nobody(reader: Gemini, mock_model: MockModel) -> None:
    mock_model.config(cache_min=10**9)
    await ask_until_cached(reader, mock_model)
    for _ in range(3):
        assert (await ask(reader, about("When?"), MODEL)).finished is not None
    assert len(caches(mock_model)) == 1
    assert not any("cachedContent" in body for body in sent(mock_model))


async def test_short_talks_get_no_cache(reader: Gemini, mock_model: MockModel) -> None:
    short = CompletionRequest((PromptMessage(Role.USER, "hi"), PromptMessage(Role.USER, "there")), stable=1)
    for _ in range(4):
        await ask(reader, short, MODEL)
    assert caches(mock_model) == []


async def test_closing_stops_a_cache_that_is_being_made(peer: Peer, opened: Callable[..., Gemini]) -> None:
    candidate = {"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}
    answer = streamed(orjson.dumps({"candidates": [candidate], "usageMetadata": {}}))
    peer.play([answer, Do.NEXT, answer, Do.NEXT, Do.HANG], [Do.HANG])
    gemini = opened(peer.origin, cacheMinTokens=4096)
    for _ in range(2):
        await ask(gemini, about("?"), MODEL)
    await peer.until_asked(3)
    making = next(each for each in peer.connections if b"/v1beta/cachedContents" in each.requests[-1])
    await gemini.aclose()
    async with asyncio.timeout(30):
        await making.gone.wait()


@pytest.mark.parametrize(
    ("address", "root"),
    [
        (None, "https://generativelanguage.googleapis.com"),
        (
            "https://generativelanguage.googleapis.com/v1beta/openai/",
            "https://generativelanguage.googleapis.com",
        ),
        ("http://127.0.0.1:9/v1beta", "http://127.0.0.1:9"),
        ("http://127.0.0.1:9/gateway", "http://127.0.0.1:9/gateway"),
    ],
)
def test_an_address_is_taken_with_and_without_its_version(address: str | None, root: str) -> None:
    settings = SPEC.settings.model_validate({"baseUrl": address})
    assert settings.root == root  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"baseUrl": "ftp://x"}, "http://"),
        ({"defaultParams": {"contents": []}}, "contents"),
        ({"headers": {"Host": "x"}}, "HTTP client"),
        ({"headers": {"a": "\n"}}, "printable"),
        ({"headers": {"X-Goog-Api-Key": "k"}}, "apiKey"),
        ({"cacheTtl": 1}, "60"),
        ({"api": "openai-completions"}, "google-generative-ai"),
    ],
)
def test_a_wrong_setting_says_what_is_allowed(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        SPEC.settings.model_validate(settings)
