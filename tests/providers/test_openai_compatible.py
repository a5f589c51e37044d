"""The dialect against a model server in a process of its own, and against exact bytes."""

from __future__ import annotations

import asyncio
import gzip
import socket
from dataclasses import replace
from typing import Any

import orjson
import pytest
from pydantic import SecretStr, ValidationError

from providers.base import (
    CompletionRequest,
    Credential,
    Effort,
    FinishReason,
    GenerationOptions,
    ModelSpec,
    PromptMessage,
    Role,
    Started,
    TextDelta,
    Tool,
    ToolCallDelta,
    Usage,
    complete,
)
from providers.errors import ErrorKind, ProviderError
from providers.http import Pools
from providers.openai_compatible import SPEC, OpenAICompatibleSettings
from providers.profile import ModelProfile, ReasoningStyle
from tests.mock_model.client import MockModel, hidden
from tests.providers.ask import KEY, MODEL, SECRET, ask, compatible, question
from tests.providers.peer import Do, Peer, chunk, head, streamed, whole


async def test_an_answer_arrives_word_by_word_with_its_usage(pools: Pools, mock_model: MockModel) -> None:
    mock_model.script(default={"text": "Hello **you**", "prompt_tokens": 7, "cached_tokens": 5})
    heard = await ask(compatible(pools, mock_model.base_url))
    assert heard.text == "Hello **you**"
    assert isinstance(heard.events[0], Started) and heard.events[0].model_reported == "m"
    assert heard.finished is not None
    assert (heard.finished.reason, heard.finished.raw) == (FinishReason.STOP, "stop")
    assert heard.finished.usage == Usage(7, 2, 5)


async def test_the_first_word_is_handed_out_while_the_model_still_speaks(
    pools: Pools, mock_model: MockModel
) -> None:
    mock_model.script(default={"tokens": ["one", "two"], "hold": "second", "hold_after": 1})
    provider = compatible(pools, mock_model.base_url)
    async with provider.stream(MODEL, question(), KEY) as events:
        said = [await anext(events), await anext(events)]
        assert said[-1] == TextDelta("one")
        mock_model.release("second")
        said += [event async for event in events]
    assert TextDelta("two") in said


async def test_the_whole_answer_at_once_comes_over_the_same_stream(
    pools: Pools, mock_model: MockModel
) -> None:
    mock_model.script(default={"text": "all of it"})
    text, finished = await complete(compatible(pools, mock_model.base_url), MODEL, question(), KEY)
    assert (text, finished.reason) == ("all of it", FinishReason.STOP)


async def test_the_request_on_the_wire(pools: Pools, mock_model: MockModel) -> None:
    provider = compatible(
        pools, mock_model.base_url, "openai", defaultParams={"top_p": 0.5}, headers={"X-Title": "Firstword"}
    )
    profile = ModelProfile(reasoning=ReasoningStyle.EFFORT, max_output_field="max_completion_tokens")
    options = GenerationOptions(Effort.HIGH, 99, 0.25, {"seed": 1})
    await ask(provider, question("hi", options, "conversation-1"), replace(MODEL, profile=profile))
    asked = mock_model.chats()[0]
    assert asked["body"] == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.25,
        "max_completion_tokens": 99,
        "reasoning_effort": "high",
        "top_p": 0.5,
        "seed": 1,
        "prompt_cache_key": "conversation-1",
    }
    headers = {name.lower(): value for name, value in asked["headers"].items()}
    assert headers["authorization"] == f"Bearer {hidden(SECRET)}"
    assert headers["x-title"] == "Firstword"
    assert headers["accept-encoding"] == "identity"
    assert headers["content-type"] == "application/json"


async def test_a_server_without_a_key_gets_no_authorization(pools: Pools, mock_model: MockModel) -> None:
    await ask(compatible(pools, mock_model.base_url), credential=Credential("mock:none"))
    assert "authorization" not in {name.lower() for name in mock_model.chats()[0]["headers"]}


async def test_lone_surrogates_and_nul_do_not_stop_a_question(pools: Pools, mock_model: MockModel) -> None:
    heard = await ask(compatible(pools, mock_model.base_url), "a\ud800b\x00c")
    assert heard.finished is not None
    assert mock_model.chats()[0]["body"]["messages"][0]["content"] == "a\ufffdb\x00c"


async def test_thoughts_and_tool_calls_arrive_beside_the_text(pools: Pools, mock_model: MockModel) -> None:
    mock_model.script(
        default={
            "text": "I look it up.",
            "reasoning": "the weather, hm",
            "reasoning_field": "reasoning_content",
            "tool_calls": [{"name": "weather", "arguments": '{"city": "Oslo"}', "id": "c1"}],
        }
    )
    heard = await ask(compatible(pools, mock_model.base_url))
    calls = [event for event in heard.events if isinstance(event, ToolCallDelta)]
    assert (heard.text, heard.thoughts) == ("I look it up.", "the weather, hm")
    assert [(one.id, one.name) for one in calls if one.id] == [("c1", "weather")]
    assert "".join(one.arguments for one in calls) == '{"city": "Oslo"}'
    assert heard.finished is not None and heard.finished.reason is FinishReason.TOOL_CALLS


async def test_only_thoughts_is_an_answer_without_text(pools: Pools, mock_model: MockModel) -> None:
    mock_model.script(default={"tokens": [], "reasoning": "hm"})
    heard = await ask(compatible(pools, mock_model.base_url))
    assert (heard.text, heard.thoughts) == ("", "hm")
    assert heard.finished is not None


@pytest.mark.parametrize(
    "behaviour", [{"split": 1}, {"split": 3, "newline": "\r\n"}, {"keepalive": 0.01, "ttft": 0.05}]
)
async def test_slow_bytes_cut_anywhere_are_the_same_answer(
    pools: Pools, mock_model: MockModel, behaviour: dict[str, Any]
) -> None:
    mock_model.script(default={"text": "naïve \U0001f600 done", "split_gap": 0.001, **behaviour})
    heard = await ask(compatible(pools, mock_model.base_url))
    assert heard.text == "naïve \U0001f600 done"
    assert heard.finished is not None


FAULTS = {
    "refuse": ErrorKind.INCOMPLETE,
    "reset": ErrorKind.INCOMPLETE,
    "drop": ErrorKind.INCOMPLETE,
    "eof": ErrorKind.INCOMPLETE,
    "half_character": ErrorKind.INCOMPLETE,
    "garbage": ErrorKind.MALFORMED,
    "error_event": ErrorKind.OVERLOADED,
}


@pytest.mark.parametrize(("fault", "kind"), FAULTS.items())
async def test_what_goes_wrong_has_a_kind_and_what_was_said_before_is_kept(
    pools: Pools, mock_model: MockModel, fault: str, kind: ErrorKind
) -> None:
    mock_model.script(default={"tokens": ["one ", "two ", "three"], "fault": fault, "after": 2})
    heard = await ask(compatible(pools, mock_model.base_url))
    assert heard.kind is kind
    assert heard.finished is None
    assert heard.text == ("" if fault == "refuse" else "one two ")


async def test_nobody_at_home_means_never_sent(pools: Pools) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert (await ask(compatible(pools, f"http://127.0.0.1:{port}/v1"))).kind is ErrorKind.CONNECT


async def test_an_answer_that_is_not_http_is_malformed(pools: Pools, peer: Peer) -> None:
    peer.play([b"220 mail.example ESMTP\r\n\r\n", Do.CLOSE])
    assert (await ask(compatible(pools, peer.base_url))).kind is ErrorKind.MALFORMED


async def test_a_page_instead_of_an_answer_is_malformed(pools: Pools, peer: Peer) -> None:
    peer.play([whole(b"<html>Sign in</html>", kind="text/html")])
    assert (await ask(compatible(pools, peer.base_url))).kind is ErrorKind.MALFORMED


async def test_an_answer_that_is_not_streamed_is_an_answer(pools: Pools, peer: Peer) -> None:
    answer = {"choices": [{"message": {"content": "whole"}, "finish_reason": "stop"}]}
    peer.play([whole(orjson.dumps(answer))])
    heard = await ask(compatible(pools, peer.base_url))
    assert heard.text == "whole"
    assert heard.finished is not None


async def test_an_error_in_a_200_that_is_not_streamed_is_an_error(pools: Pools, peer: Peer) -> None:
    peer.play([whole(b'{"error": {"type": "overloaded_error"}}')])
    assert (await ask(compatible(pools, peer.base_url))).kind is ErrorKind.OVERLOADED


async def test_an_answer_of_http_1_0_without_a_length_is_whole_at_its_end(pools: Pools, peer: Peer) -> None:
    top = b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    events = b'data: {"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}\n\n'
    peer.play([top, events, Do.CLOSE])
    heard = await ask(compatible(pools, peer.base_url))
    assert heard.text == "x"
    assert heard.finished is not None


async def test_an_answer_whose_end_never_comes_is_handed_out_all_the_same(pools: Pools, peer: Peer) -> None:
    events = b'data: {"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}\n\n'
    peer.play([head(), chunk(events), Do.HANG])
    heard = await ask(compatible(pools, peer.base_url))
    assert heard.text == "x"
    assert heard.finished is not None
    await asyncio.wait_for(peer.connections[0].gone.wait(), 30)


async def test_a_connection_lost_after_the_finish_reason_loses_nothing(pools: Pools, peer: Peer) -> None:
    events = b'data: {"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}\n\n'
    peer.play([head(), chunk(events), Do.CLOSE])
    heard = await ask(compatible(pools, peer.base_url))
    assert heard.text == "x"
    assert heard.finished is not None


async def test_a_compressed_stream_is_read(pools: Pools, peer: Peer) -> None:
    body = gzip.compress(b'data: {"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}\n\n')
    peer.play([whole(body, kind="text/event-stream", more="Content-Encoding: gzip\r\n")])
    assert (await ask(compatible(pools, peer.base_url))).text == "x"


async def test_an_http_error_carries_kind_status_and_the_wait_asked_for(
    pools: Pools, mock_model: MockModel
) -> None:
    mock_model.script(default={"status": 429, "headers": {"Retry-After": "7"}})
    heard = await ask(compatible(pools, mock_model.base_url))
    assert heard.error is not None
    assert (heard.error.kind, heard.error.status, heard.error.retry_after) == (ErrorKind.RATE_LIMIT, 429, 7.0)


async def test_an_error_whose_body_never_ends_is_an_error_in_time(pools: Pools, peer: Peer) -> None:
    peer.play([head(status="500 Oops", kind="application/json"), chunk(b'{"error":'), Do.HANG])
    heard = await ask(compatible(pools, peer.base_url))
    assert heard.kind is ErrorKind.SERVER


async def test_no_secret_and_no_word_of_a_person_stands_in_an_error(
    pools: Pools, mock_model: MockModel
) -> None:
    told = f"Incorrect API key {SECRET}: cannot answer 'my neighbour keeps an alligator', Bearer {SECRET}"
    mock_model.script(default={"status": 401, "error": {"message": told}})
    heard = await ask(compatible(pools, mock_model.base_url), "my neighbour keeps an alligator in the bath")
    assert heard.error is not None
    shown = f"{heard.error!r} {heard.error} {heard.error.detail}"
    assert heard.kind is ErrorKind.AUTH
    assert SECRET not in shown
    assert "alligator" not in shown


async def test_a_question_that_is_too_large_is_told_so_while_it_is_still_being_sent(
    pools: Pools, peer: Peer
) -> None:
    peer.read_bodies = False
    peer.play([whole(b'{"error": {"code": "request_too_large"}}', status="413 Too Large"), Do.HANG])
    heard = await ask(compatible(pools, peer.base_url), "x" * 8_000_000)
    assert heard.kind is ErrorKind.TOO_LARGE
    assert heard.error is not None and "request_too_large" in heard.error.detail


def rejecting(name: str, message: str) -> dict[str, Any]:
    return {"status": 400, "error": {"message": message, "param": name}, "times": 1}


async def test_a_parameter_that_the_model_does_not_know_is_left_out_and_the_question_sent_again(
    pools: Pools, mock_model: MockModel
) -> None:
    mock_model.script(
        rejecting("temperature", "Unsupported parameter: 'temperature'"), default={"text": "ok"}
    )
    provider = compatible(pools, mock_model.base_url)
    options = GenerationOptions(temperature=0.5)
    assert (await ask(provider, question(options=options))).text == "ok"
    assert (await ask(provider, question(options=options))).text == "ok"
    assert ["temperature" in chat["body"] for chat in mock_model.chats()] == [True, False, False]


async def test_a_server_that_was_started_without_tools_answers_all_the_same(
    pools: Pools, mock_model: MockModel
) -> None:
    told = {"status": 500, "error": {"message": "tools param requires --jinja flag"}, "times": 1}
    mock_model.script(told, default={"text": "ok"})
    provider = compatible(pools, mock_model.base_url)
    asked = replace(question(), tools=(Tool("weather", "", {"type": "object"}),))
    assert [(await ask(provider, asked)).text for _ in range(2)] == ["ok", "ok"]
    assert ["tools" in chat["body"] for chat in mock_model.chats()] == [True, False, False]


async def test_what_one_model_does_not_know_another_may(pools: Pools, mock_model: MockModel) -> None:
    mock_model.script(
        rejecting("temperature", "Unsupported parameter: 'temperature'"), default={"text": "ok"}
    )
    provider = compatible(pools, mock_model.base_url)
    options = GenerationOptions(temperature=0.5)
    await ask(provider, question(options=options))
    await ask(provider, question(options=options), ModelSpec("mock", "other"))
    assert [("temperature" in chat["body"]) for chat in mock_model.chats()] == [True, False, True]


async def test_the_output_limit_is_sent_under_the_name_that_the_model_takes(
    pools: Pools, mock_model: MockModel
) -> None:
    told = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    mock_model.script(rejecting("max_tokens", told), default={"text": "ok"})
    provider = compatible(pools, mock_model.base_url)
    assert (await ask(provider, question(options=GenerationOptions(max_output=9)))).text == "ok"
    assert mock_model.chats()[1]["body"]["max_completion_tokens"] == 9


async def test_another_bad_request_is_not_sent_again(pools: Pools, mock_model: MockModel) -> None:
    mock_model.script(default={"status": 400, "error": {"message": "temperature is too high"}})
    heard = await ask(
        compatible(pools, mock_model.base_url), question(options=GenerationOptions(temperature=9))
    )
    assert heard.kind is ErrorKind.BAD_REQUEST
    assert len(mock_model.chats()) == 1


async def test_a_server_that_rejects_everything_is_asked_a_few_times_only(
    pools: Pools, mock_model: MockModel
) -> None:
    names = ["temperature", "stream_options", "top_p", "seed", "stop", "n"]
    options = GenerationOptions(temperature=1, params={"top_p": 1, "seed": 1, "stop": "x", "n": 1})
    mock_model.script(*(rejecting(name, f"Unknown parameter: '{name}'") for name in names))
    heard = await ask(compatible(pools, mock_model.base_url), question(options=options))
    assert heard.kind is ErrorKind.BAD_REQUEST
    assert len(mock_model.chats()) == 4


async def test_a_model_that_cannot_continue_an_answer_is_not_asked_to(
    pools: Pools, mock_model: MockModel
) -> None:
    begun = CompletionRequest((PromptMessage(Role.USER, "hi"), PromptMessage(Role.ASSISTANT, "Hel")))
    provider = compatible(pools, mock_model.base_url)
    assert (await ask(provider, begun)).kind is ErrorKind.BAD_REQUEST
    assert mock_model.chats() == []
    able = replace(MODEL, profile=ModelProfile(prefill=True))
    assert (await ask(provider, begun, able)).finished is not None


async def test_the_models_of_a_server_are_listed_with_their_windows(
    start_mock_model: Any, pools: Pools
) -> None:
    server: MockModel = start_mock_model("--kind", "vllm", "--models", "a/b,c")
    listed = await compatible(pools, server.base_url).list_models(KEY)
    assert [(spec.ref, spec.context_window, spec.is_local) for spec in listed] == [
        ("mock/a/b", 32768, True),
        ("mock/c", 32768, True),
    ]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (whole(b"[1]"), ErrorKind.MALFORMED),
        (whole(b"nonsense"), ErrorKind.MALFORMED),
        (whole(b'{"error": {}}', status="401 No"), ErrorKind.AUTH),
        (Do.CLOSE, ErrorKind.INCOMPLETE),
    ],
)
async def test_a_list_of_models_that_is_none_is_an_error(
    pools: Pools, peer: Peer, answer: bytes | Do, kind: ErrorKind
) -> None:
    peer.play([answer])
    with pytest.raises(ProviderError) as caught:
        await compatible(pools, peer.base_url).list_models(KEY)
    assert caught.value.kind is kind


async def test_warming_opens_the_connection_that_the_first_question_uses(pools: Pools, peer: Peer) -> None:
    events = b'{"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}'
    peer.play([whole(b"{}", status="401 No"), Do.NEXT, streamed(events), Do.HANG])
    provider = compatible(pools, peer.base_url)
    await provider.warm()
    assert (await ask(provider)).text == "x"
    assert len(peer.connections) == 1
    assert SECRET.encode() not in peer.requests[0]


async def test_warming_never_raises(pools: Pools, peer: Peer) -> None:
    peer.play([Do.CLOSE])
    await compatible(pools, peer.base_url).warm()
    await compatible(pools, "http://127.0.0.1:1/v1").warm()


def test_the_documents_example_loads() -> None:
    settings = OpenAICompatibleSettings.model_validate(
        {
            "baseUrl": "https://api.cerebras.ai/v1",
            "api": "openai-completions",
            "models": [
                {
                    "id": "llama-3.3-70b",
                    "name": "Llama 3.3 70B",
                    "reasoning": False,
                    "input": ["text"],
                    "contextWindow": 128000,
                    "maxTokens": 8192,
                    "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
                }
            ],
            "defaultParams": {"service_tier": "priority"},
        }
    )
    (spec,) = settings.specs("cerebras")
    assert (spec.ref, spec.context_window, spec.max_output) == ("cerebras/llama-3.3-70b", 128000, 8192)
    assert spec.profile.max_output_field == "max_completion_tokens"
    assert not spec.profile.images


WRONG = {
    "an unknown key": ({"baseURL": "http://x/v1"}, "baseURL"),
    "an address that is none": ({"baseUrl": "localhost:8000"}, "localhost:8000"),
    "a parameter that must not be set": ({"defaultParams": {"messages": []}}, "messages"),
    "a window of nothing": ({"models": [{"id": "m", "contextWindow": 0}]}, "contextWindow"),
    "a price below nothing": ({"models": [{"id": "m", "cost": {"input": -1}}]}, "cost"),
    "a header that breaks out": ({"headers": {"X": "a\r\nB: c"}}, "'X'"),
    "a header of the client's own": ({"headers": {"Host": "x"}}, "Host"),
    "another dialect": ({"api": "anthropic-messages"}, "api"),
}


@pytest.mark.parametrize(("given", "named"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting_is_refused_by_name(given: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        OpenAICompatibleSettings.model_validate(given)


def test_a_key_in_the_settings_shows_nowhere() -> None:
    settings = OpenAICompatibleSettings(api_key=SecretStr(SECRET))
    assert SECRET not in repr(settings) and SECRET not in settings.model_dump_json()


async def test_a_name_without_a_preset_needs_an_address(pools: Pools) -> None:
    with pytest.raises(ValueError, match=r"models\.providers\.mine\.baseUrl"):
        SPEC.open("mine", OpenAICompatibleSettings(), pools)
    assert SPEC.open("ollama", OpenAICompatibleSettings(), pools).name == "ollama"
