"""Anthropic's dialect on the wire, by its SDK and over our own HTTP: every rule holds for both."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from providers.anthropic_client import Anthropic
from providers.base import (
    CompletionRequest,
    Credential,
    Effort,
    Finished,
    FinishReason,
    GenerationOptions,
    Memo,
    PromptMessage,
    Role,
    Schema,
    Started,
    Tool,
    ToolCall,
    Usage,
    WarmsPrompts,
)
from providers.errors import ErrorKind, ProviderError
from providers.http import Pools
from providers.profile import ReasoningStyle
from tests.mock_model.client import MockModel
from tests.mock_model.record import hidden
from tests.providers.anthropic_peer import ADAPTIVE, BUDGET, MODEL, TRANSPORTS, anthropic
from tests.providers.ask import KEY, SECRET, ask
from tests.providers.peer import END, Do, Peer, chunk, head, whole

SYSTEM = PromptMessage(Role.SYSTEM, "Be brief.")
ASKED = PromptMessage(Role.USER, "what is the secret of the alligator?")
WEATHER = Tool("weather", "Tells it", {"type": "object", "properties": {"city": {"type": "string"}}})

Make = Callable[..., Anthropic]


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    sending: str = request.param
    return sending


@pytest.fixture
def make(pools: Pools, transport: str) -> Make:
    """A provider at an address, with settings."""

    def made(base_url: str, **settings: Any) -> Anthropic:
        return anthropic(pools, base_url, transport=transport, **settings)

    return made


@pytest.fixture
def provider(make: Make, mock_model: MockModel) -> Anthropic:
    return make(mock_model.root_url)


def requested(*messages: PromptMessage, **more: Any) -> CompletionRequest:
    return CompletionRequest(messages or (ASKED,), **more)


async def test_the_key_stands_in_one_header_and_nowhere_else(
    provider: Anthropic, mock_model: MockModel
) -> None:
    assert (await ask(provider, model=MODEL)).finished is not None
    (chat,) = mock_model.chats()
    assert chat["path"] == "/v1/messages"
    headers = dict(chat["headers"])
    assert headers.pop("x-api-key") == hidden(SECRET)
    assert "authorization" not in headers
    assert headers["anthropic-version"] == "2023-06-01"
    assert "anthropic-beta" not in headers
    assert headers["accept-encoding"] == "identity"
    assert SECRET not in str(headers) + str(chat["body"]) + chat["path"]


async def test_without_a_key_none_is_sent_and_none_is_looked_for(
    provider: Anthropic, mock_model: MockModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "from-the-environment")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "from-the-environment")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
    assert (await ask(provider, model=MODEL, credential=Credential("mock:none"))).finished is not None
    headers = mock_model.chats()[0]["headers"]
    assert "x-api-key" not in headers
    assert "authorization" not in headers


async def test_headers_and_betas_of_the_settings_are_sent(make: Make, mock_model: MockModel) -> None:
    provider = make(mock_model.root_url, headers={"x-team": "seven"}, betas=["one", "two"])
    await ask(provider, model=MODEL)
    headers = mock_model.chats()[0]["headers"]
    assert headers["x-team"] == "seven"
    assert headers["anthropic-beta"] == "one,two"


async def test_an_address_may_end_with_the_version_and_hold_a_path(make: Make, peer: Peer) -> None:
    peer.play([whole(b"{}", status="400 Bad Request")])
    await ask(make(f"{peer.origin}/anthropic/v1"), model=MODEL)
    assert peer.requests[0].startswith(b"POST /anthropic/v1/messages HTTP/1.1")


async def test_the_body_is_the_one_that_was_made(provider: Anthropic, mock_model: MockModel) -> None:
    options = GenerationOptions(effort=Effort.LOW, max_output=100, params={"cacheControlTtl": "1h"})
    request = requested(SYSTEM, ASKED, options=options, stable=1, tools=(WEATHER,), parallel_tools=False)
    assert (await ask(provider, request, ADAPTIVE)).finished is not None
    body = mock_model.chats()[0]["body"]
    assert list(body) == [
        *("model", "max_tokens", "stream", "thinking", "output_config"),
        *("tools", "tool_choice", "system", "messages"),
    ]
    assert body["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert body["tools"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert body["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert body["output_config"] == {"effort": "low"}


async def test_the_servers_own_mark_stands_at_the_top(make: Make, mock_model: MockModel) -> None:
    await ask(make(mock_model.root_url, caching="automatic"), requested(stable=1), MODEL)
    await ask(make(mock_model.root_url, caching="off"), requested(stable=1), MODEL)
    first, second = (chat["body"] for chat in mock_model.chats())
    assert first["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" not in str(second)


async def test_what_is_kept_for_an_hour_is_counted_apart_where_it_is_told(
    provider: Anthropic, mock_model: MockModel
) -> None:
    mock_model.script(
        {
            "text": "Hi",
            "prompt_tokens": 1000,
            "cache_write_tokens": 200,
            "cache_write_1h_tokens": 300,
            "times": 1,
        },
        default={"text": "Hi", "prompt_tokens": 1000},
    )
    first, second = (await ask(provider, model=MODEL)).finished, (await ask(provider, model=MODEL)).finished
    assert first is not None and first.usage is not None
    assert second is not None and second.usage is not None
    assert (first.usage.input_tokens, first.usage.cache_write_tokens) == (1000, 500)
    assert first.usage.cache_write_hour_tokens == 300
    assert second.usage.cache_write_hour_tokens == 0


async def test_counts_include_what_was_cached(provider: Anthropic, mock_model: MockModel) -> None:
    mock_model.script(
        default={
            "text": "Hi",
            "prompt_tokens": 1000,
            "cached_tokens": 700,
            "cache_write_tokens": 200,
            "completion_tokens": 5,
            "headers": {"request-id": "req_9"},
        }
    )
    heard = await ask(provider, model=MODEL)
    assert heard.events[0] == Started("req_9", MODEL.model)
    assert heard.finished == Finished(
        FinishReason.STOP, Usage(1000, 5, 700, 0, None, 200, None, 0), "end_turn"
    )


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("content_filter", FinishReason.CONTENT_FILTER),
        ("context", FinishReason.CONTEXT),
        ("length", FinishReason.LENGTH),
        ("pause_turn", FinishReason.LENGTH),
    ],
)
async def test_every_end_of_an_answer_is_told(
    provider: Anthropic, mock_model: MockModel, finish: str, reason: FinishReason
) -> None:
    mock_model.script(default={"text": "Hi", "finish": finish})
    heard = await ask(provider, model=MODEL)
    assert heard.finished is not None
    assert heard.finished.reason is reason


async def test_thoughts_come_back_signed_in_the_next_step(provider: Anthropic, mock_model: MockModel) -> None:
    mock_model.script(
        default={
            "text": "I look.",
            "reasoning": "They want rain.",
            "signature": "c2ln",
            "tool_calls": [{"name": "weather", "arguments": '{"city": "Oslo"}', "id": "toolu_1"}],
        }
    )
    options = GenerationOptions(effort=Effort.LOW)
    heard = await ask(provider, requested(ASKED, options=options, tools=(WEATHER,)), ADAPTIVE)
    memo = next(one.data for one in heard.events if isinstance(one, Memo))
    assert heard.thoughts == "They want rain."
    said = PromptMessage(
        Role.ASSISTANT, heard.text, calls=(ToolCall("toolu_1", "weather", '{"city": "Oslo"}'),), memo=memo
    )
    result = PromptMessage(Role.TOOL, "rain", call_id="toolu_1")
    await ask(provider, requested(ASKED, said, result, options=options, tools=(WEATHER,)), ADAPTIVE)
    content = mock_model.chats()[1]["body"]["messages"][1]["content"]
    assert content[0] == {"type": "thinking", "thinking": "They want rain.", "signature": "c2ln"}
    assert [block["type"] for block in content] == ["thinking", "text", "tool_use"]


async def test_calls_whose_thoughts_are_gone_are_gone_on_from_without_thinking(
    provider: Anthropic, mock_model: MockModel
) -> None:
    called = PromptMessage(Role.ASSISTANT, "", calls=(ToolCall("functions.weather:0", "weather", "{}"),))
    result = PromptMessage(Role.TOOL, "rain", call_id="functions.weather:0")
    options = GenerationOptions(effort=Effort.HIGH)
    heard = await ask(provider, requested(ASKED, called, result, options=options, tools=(WEATHER,)), BUDGET)
    assert (heard.kind, heard.finished is not None) == (None, True)
    assert "thinking" not in mock_model.chats()[0]["body"]


async def test_a_schema_without_support_comes_as_a_tool_and_is_read_as_text(
    provider: Anthropic, mock_model: MockModel
) -> None:
    mock_model.script(
        default={"tokens": [], "tool_calls": [{"name": "answer", "arguments": '{"yes": true}'}]}
    )
    heard = await ask(provider, requested(schema=Schema("answer", {"type": "object"})), BUDGET)
    assert heard.text == '{"yes": true}'
    assert heard.finished is not None
    assert heard.finished.reason is FinishReason.STOP


async def test_a_parameter_that_a_model_does_not_take_is_left_out_from_then_on(
    provider: Anthropic, mock_model: MockModel
) -> None:
    unaware = replace(ADAPTIVE, profile=replace(ADAPTIVE.profile, sampling=True))
    request = requested(options=GenerationOptions(temperature=0.5))
    for _ in range(2):
        assert (await ask(provider, request, unaware)).finished is not None
    assert ["temperature" in chat["body"] for chat in mock_model.chats()] == [True, False, False]


async def test_a_way_of_thinking_that_a_model_does_not_know_is_left_out(
    provider: Anthropic, mock_model: MockModel
) -> None:
    unaware = replace(ADAPTIVE, profile=replace(ADAPTIVE.profile, reasoning=ReasoningStyle.BUDGET))
    request = requested(options=GenerationOptions(effort=Effort.LOW))
    assert (await ask(provider, request, unaware)).finished is not None
    assert ["thinking" in chat["body"] for chat in mock_model.chats()] == [True, False]


async def test_an_error_about_the_prompt_is_not_sent_again(
    provider: Anthropic, mock_model: MockModel
) -> None:
    heard = await ask(provider, requested(PromptMessage(Role.TOOL, "x", call_id="lost")), MODEL)
    assert heard.kind is ErrorKind.BAD_REQUEST
    assert len(mock_model.chats()) == 1


async def test_a_model_that_cannot_continue_is_never_asked_to(
    provider: Anthropic, mock_model: MockModel
) -> None:
    begun = PromptMessage(Role.ASSISTANT, "Hello ")
    assert (await ask(provider, requested(ASKED, begun), ADAPTIVE)).kind is ErrorKind.BAD_REQUEST
    assert mock_model.chats() == []
    assert (await ask(provider, requested(ASKED, begun), BUDGET)).finished is not None


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        ({"status": 529}, ErrorKind.OVERLOADED),
        ({"status": 500}, ErrorKind.SERVER),
        ({"status": 502, "body": "<html>Bad gateway</html>"}, ErrorKind.SERVER),
        ({"status": 413}, ErrorKind.TOO_LARGE),
        ({"status": 402}, ErrorKind.QUOTA),
        ({"status": 200, "body": "<html>Please log in</html>"}, ErrorKind.MALFORMED),
        ({"problem": "wrong_key"}, ErrorKind.AUTH),
        ({"problem": "no_quota"}, ErrorKind.QUOTA),
        ({"problem": "filtered"}, ErrorKind.CONTENT_FILTER),
        ({"fault": "error_event", "after": 2, "error_status": 429}, ErrorKind.RATE_LIMIT),
        ({"fault": "error_event", "after": 0, "error_status": 500}, ErrorKind.SERVER),
        ({"fault": "malformed", "after": 2}, ErrorKind.MALFORMED),
        ({"fault": "flood", "after": 2}, ErrorKind.MALFORMED),
        ({"fault": "half_character", "after": 2}, ErrorKind.INCOMPLETE),
        ({"fault": "reset", "after": 2}, ErrorKind.INCOMPLETE),
        ({"fault": "eof", "after": 0}, ErrorKind.INCOMPLETE),
    ],
    ids=str,
)
async def test_what_goes_wrong_has_its_kind(
    provider: Anthropic, mock_model: MockModel, behaviour: dict[str, Any], kind: ErrorKind
) -> None:
    mock_model.script(default=behaviour)
    assert (await ask(provider, model=MODEL)).kind is kind


async def test_bytes_that_are_cut_anywhere_make_the_same_answer(
    provider: Anthropic, mock_model: MockModel
) -> None:
    mock_model.script(default={"text": "Grüße \U0001f469 aus Oslo", "split": 5, "split_gap": 0.001})
    assert (await ask(provider, model=MODEL)).text == "Grüße \U0001f469 aus Oslo"


async def test_nobody_asks_twice_by_himself(provider: Anthropic, mock_model: MockModel) -> None:
    for status in (429, 500, 529):
        mock_model.script(default={"status": status, "headers": {"retry-after": "0"}})
        await ask(provider, model=MODEL)
    assert len(mock_model.chats()) == 3


async def test_ten_answers_and_errors_in_a_row_use_one_connection(
    provider: Anthropic, mock_model: MockModel
) -> None:
    for number in range(10):
        mock_model.script(default={"status": 500} if number % 3 == 2 else {"text": "Hi"})
        await ask(provider, model=MODEL)
    assert len({chat["connection"] for chat in mock_model.chats()}) == 1


async def test_a_body_that_ends_a_moment_later_gives_its_connection_back(make: Make, peer: Peer) -> None:
    released = asyncio.Event()
    peer.play(
        [head(), chunk(ANSWER), released, END, Do.NEXT, whole(b"{}", status="400 Bad Request"), Do.HANG]
    )
    provider = make(peer.origin)
    assert (await ask(provider, model=MODEL)).finished is not None
    released.set()
    while pending := [task for task in asyncio.all_tasks() if task.get_name().startswith("end of an answer")]:
        await asyncio.wait(pending)
    await ask(provider, model=MODEL)
    assert len(peer.connections) == 1


async def test_a_body_that_never_ends_holds_nothing_up(make: Make, peer: Peer) -> None:
    peer.play([head(), chunk(ANSWER), Do.HANG])
    provider = make(peer.origin)
    assert (await ask(provider, model=MODEL)).finished is not None
    await provider.aclose()
    await asyncio.wait_for(peer.connections[0].gone.wait(), 30)


async def test_an_end_mark_that_never_comes_is_not_waited_for(make: Make, peer: Peer) -> None:
    peer.play([head(), chunk(ANSWER.partition(b"event: message_stop")[0]), Do.RESET])
    assert (await ask(make(peer.origin), model=MODEL)).finished is not None


async def test_the_stable_part_of_a_prompt_is_put_into_the_cache(
    provider: Anthropic, mock_model: MockModel
) -> None:
    mock_model.script(default={"prompt_tokens": 1200, "cache_write_tokens": 1190})
    assert isinstance(provider, WarmsPrompts)
    usage = await provider.warm_prompt(ADAPTIVE, requested(SYSTEM, ASKED, stable=1), KEY)
    assert (usage.input_tokens, usage.cache_write_tokens, usage.output_tokens) == (1200, 1190, 0)
    body = mock_model.chats()[0]["body"]
    assert (body["max_tokens"], body["stream"]) == (0, False)
    assert body["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert "alligator" not in str(body)


async def test_a_prompt_that_cannot_be_warmed_says_why(provider: Anthropic, mock_model: MockModel) -> None:
    mock_model.script(default={"status": 529})
    with pytest.raises(ProviderError) as caught:
        await provider.warm_prompt(ADAPTIVE, requested(stable=1), KEY)
    assert caught.value.kind is ErrorKind.OVERLOADED
    mock_model.script(default={"body": "[]"})
    with pytest.raises(ProviderError) as caught:
        await provider.warm_prompt(ADAPTIVE, requested(stable=1), KEY)
    assert caught.value.kind is ErrorKind.MALFORMED


async def test_warming_opens_the_connection_that_the_first_question_takes(
    provider: Anthropic, mock_model: MockModel
) -> None:
    await provider.warm()
    await ask(provider, model=MODEL)
    first, second = mock_model.requests()
    assert (first["method"], first["path"].partition("?")[0]) == ("GET", "/v1/models")
    assert "x-api-key" not in first["headers"]
    assert first["connection"] == second["connection"]


async def test_warming_where_nobody_listens_does_no_harm(make: Make) -> None:
    await make("http://127.0.0.1:1").warm()


CAPABLE = {
    "id": "claude-new-9",
    "display_name": "Claude New 9",
    "lifecycle": "active",
    "max_input_tokens": 2_000_000,
    "max_tokens": 64_000,
    "capabilities": {
        "image_input": {"supported": True},
        "structured_outputs": {"supported": True},
        "effort": {
            "supported": True,
            "low": {"supported": True},
            "medium": {"supported": False},
            "high": {"supported": True},
            "max": {"supported": True},
            "xhigh": None,
        },
        "thinking": {
            "supported": True,
            "types": {
                "adaptive": {"supported": True},
                "enabled": {"supported": False},
                "disabled": {"supported": False},
                "between_tools": {"supported": False},
            },
        },
    },
}


async def test_every_page_of_the_list_is_read_and_says_what_models_can(make: Make, peer: Peer) -> None:
    gone = {"id": "claude-gone", "lifecycle": "retired", "display_name": "Gone"}
    pages = [
        {"data": [{"id": "claude-haiku-4-5"}], "has_more": True, "last_id": "claude-haiku-4-5"},
        {"data": [CAPABLE, gone], "has_more": False, "last_id": "claude-gone"},
    ]
    first, second = (whole(orjson.dumps(page)) for page in pages)
    peer.play([first, Do.NEXT, second])
    listed = await make(peer.origin).list_models(KEY)
    assert [spec.model for spec in listed] == ["claude-haiku-4-5", "claude-new-9"]
    new = listed[1]
    assert (new.title, new.context_window, new.max_output) == ("Claude New 9", 2_000_000, 64_000)
    assert new.profile.images and new.profile.schema
    assert new.profile.reasoning is ReasoningStyle.ADAPTIVE
    assert (new.profile.efforts, new.profile.effort_off) == (("low", "high", "max"), "low")
    assert b"after_id=claude-haiku-4-5" in peer.requests[1].splitlines()[0]
    assert f"x-api-key: {SECRET}".encode() in peer.requests[0]


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"data": [7]}', b'{"data": null}'])
async def test_a_list_that_is_none_is_malformed(make: Make, peer: Peer, body: bytes) -> None:
    peer.play([whole(body)])
    with pytest.raises(ProviderError) as caught:
        await make(peer.origin).list_models(KEY)
    assert caught.value.kind is ErrorKind.MALFORMED


async def test_no_log_and_no_error_tells_the_key_or_the_prompt(
    make: Make, peer: Peer, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    message = {"message": f"{ASKED.text} cannot be said with {SECRET}", "type": "invalid_request_error"}
    peer.play([whole(orjson.dumps({"type": "error", "error": message}), status="400 Bad Request")])
    provider = make(peer.origin)
    heard = await ask(provider, requested(), MODEL)
    assert heard.error is not None
    told = f"{heard.error} {heard.error.__cause__!r} {provider!r} {vars(provider)} {caplog.text}"
    told += "".join(capsys.readouterr())
    assert SECRET not in told
    assert "alligator" not in told


EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"id": "msg_1", "model": "m", "usage": {"input_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "Hi"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
    {"type": "message_stop"},
]
ANSWER = b"".join(b"event: %b\ndata: %b\n\n" % (one["type"].encode(), orjson.dumps(one)) for one in EVENTS)
