"""What goes to Cerebras on the wire, over our own HTTP and through its package."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from providers.base import (
    CompletionRequest,
    Credential,
    Effort,
    GenerationOptions,
    ModelSpec,
    PromptMessage,
    Role,
    Schema,
    Usage,
)
from providers.cerebras import COMPRESS_FROM, SPEC, CerebrasSettings
from providers.cerebras_client import PACK_ELSEWHERE
from providers.conformance_abilities import CLOCK, WEATHER
from providers.errors import ErrorKind
from providers.http import Pools
from tests.mock_model.client import MockModel, hidden
from tests.providers.ask import SECRET, ask, question
from tests.providers.cerebras_peer import FLAG, MODEL, PLAIN, SUFFIX, TRANSPORTS, cerebras
from tests.providers.peer import Do, Peer, streamed, whole

pytestmark = pytest.mark.parametrize("transport", TRANSPORTS)
LONG = "one long rule after another. " * 1000
DONE = b'{"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}],"usage":{}}'


@pytest.fixture
def server(mock_model: MockModel) -> MockModel:
    mock_model.config(kind="cerebras")
    return mock_model


def shown(request: dict[str, Any]) -> dict[str, str]:
    """A recorded request's headers by small names."""
    return {name.lower(): value for name, value in request["headers"].items()}


async def test_the_request_on_the_wire(pools: Pools, server: MockModel, transport: str) -> None:
    provider = cerebras(
        pools, server.base_url, transport=transport, defaultParams={"top_p": 0.5}, headers={"X-Title": "F"}
    )
    options = GenerationOptions(Effort.HIGH, 99, 0.25, {"seed": 1})
    request = replace(
        question("hi", options, "conversation-1"),
        tools=(WEATHER, CLOCK),
        tool_choice="weather",
        parallel_tools=False,
    )
    assert (await ask(provider, request, MODEL)).finished is not None
    asked = server.chats()[0]
    tools = asked["body"].pop("tools")
    assert [tool["function"]["name"] for tool in tools] == ["weather", "clock"]
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
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "parallel_tool_calls": False,
    }
    headers = shown(asked)
    assert headers["authorization"] == f"Bearer {hidden(SECRET)}"
    assert headers["x-title"] == "F"
    assert headers["user-agent"] == "firstword"
    assert headers["accept-encoding"] == "identity"
    assert headers["content-type"] == "application/json"
    assert "content-encoding" not in headers
    assert "service_tier" not in asked["body"]


async def test_without_a_key_there_is_no_authorization(
    pools: Pools, server: MockModel, transport: str
) -> None:
    await ask(cerebras(pools, server.base_url, transport=transport), model=MODEL, credential=Credential("x"))
    assert "authorization" not in shown(server.chats()[0])


async def test_seconds_in_the_queue_and_on_the_prompt_come_back(
    pools: Pools, server: MockModel, transport: str
) -> None:
    server.script(
        default={
            "text": "one two",
            "queue_time": 0.25,
            "prompt_time": 0.5,
            "prompt_tokens": 200,
            "cached_tokens": 128,
        }
    )
    heard = await ask(cerebras(pools, server.base_url, transport=transport), model=MODEL)
    assert heard.finished is not None
    assert heard.finished.usage == Usage(200, 2, 128, queued=0.25, prompt_time=0.5)


@pytest.mark.parametrize("size", [len(LONG), PACK_ELSEWHERE])
async def test_a_long_request_travels_packed(
    pools: Pools, server: MockModel, transport: str, size: int
) -> None:
    text = (LONG * (size // len(LONG) + 1))[:size]
    provider = cerebras(pools, server.base_url, transport=transport)
    assert (await ask(provider, text, MODEL)).finished is not None
    asked = server.chats()[0]
    assert shown(asked)["content-encoding"] == "gzip"
    assert asked["body"]["messages"][0]["content"] == text
    assert asked["sent_bytes"] < size / 10


@pytest.mark.parametrize("settings", [{"compressFrom": None}, {}])
async def test_a_request_that_gains_nothing_is_not_packed(
    pools: Pools, server: MockModel, transport: str, settings: dict[str, Any]
) -> None:
    text = LONG if settings else LONG[: COMPRESS_FROM // 2]
    provider = cerebras(pools, server.base_url, transport=transport, **settings)
    await ask(provider, text, MODEL)
    assert "content-encoding" not in shown(server.chats()[0])


async def test_a_server_that_takes_nothing_packed_gets_plain_requests_from_then_on(
    pools: Pools, peer: Peer, transport: str
) -> None:
    refused = whole(b"{}", status="415 Unsupported Media Type")
    peer.play((refused, Do.NEXT, streamed(DONE), Do.NEXT, streamed(DONE)))
    provider = cerebras(pools, peer.base_url, transport=transport)
    for _ in range(2):
        assert (await ask(provider, LONG, MODEL)).text == "hi"
    assert [b"gzip" in request.partition(b"\r\n\r\n")[0] for request in peer.requests] == [True, False, False]


@pytest.mark.parametrize(
    ("model", "effort", "said"),
    [
        (MODEL, Effort.OFF, {"reasoning_effort": "none"}),
        (MODEL, Effort.MEDIUM, {"reasoning_effort": "medium"}),
        (FLAG, Effort.OFF, {"disable_reasoning": True}),
        (FLAG, Effort.LOW, {"disable_reasoning": False}),
        (SUFFIX, Effort.OFF, {}),
        (PLAIN, Effort.HIGH, {}),
        (MODEL, None, {}),
    ],
)
async def test_how_hard_to_think_is_said_in_the_models_own_way(
    pools: Pools,
    server: MockModel,
    transport: str,
    model: ModelSpec,
    effort: Effort | None,
    said: dict[str, Any],
) -> None:
    provider = cerebras(pools, server.base_url, transport=transport)
    await ask(provider, question("hi", GenerationOptions(effort)), model)
    body = server.chats()[0]["body"]
    assert {key: body[key] for key in ("reasoning_effort", "disable_reasoning") if key in body} == said
    assert body["messages"][0]["content"] == ("hi /no_think" if model is SUFFIX else "hi")


async def test_the_form_of_thoughts_is_asked_for_where_a_model_thinks(
    pools: Pools, server: MockModel, transport: str
) -> None:
    server.script(default={"text": "one", "reasoning": "hm"})
    provider = cerebras(pools, server.base_url, transport=transport, thoughts="raw")
    heard = await ask(provider, model=MODEL)
    assert (heard.text, heard.thoughts) == ("one", "hm")
    await ask(provider, model=PLAIN)
    asked = [chat["body"].get("reasoning_format") for chat in server.chats()]
    assert asked == ["raw", None]


async def test_a_predicted_text_goes_alone_and_at_temperature_0(
    pools: Pools, server: MockModel, transport: str
) -> None:
    provider = cerebras(pools, server.base_url, transport=transport)
    request = replace(question(), prediction="def f(): ...")
    await ask(provider, request, MODEL)
    await ask(provider, replace(request, options=GenerationOptions(temperature=0.5)), MODEL)
    assert (await ask(provider, replace(request, tools=(CLOCK,)), MODEL)).finished is not None
    bodies = [chat["body"] for chat in server.chats()]
    assert bodies[0]["prediction"] == {"type": "content", "content": "def f(): ..."}
    assert [body.get("temperature") for body in bodies] == [0, 0.5, None]
    assert "prediction" not in bodies[2]


async def test_what_was_taken_and_what_was_rejected_of_a_predicted_text_is_counted(
    pools: Pools, server: MockModel, transport: str
) -> None:
    server.script(default={"text": "x", "completion_tokens": 20, "accepted_tokens": 7, "rejected_tokens": 2})
    provider = cerebras(pools, server.base_url, transport=transport)
    heard = await ask(provider, replace(question(), prediction="def f(): ..."), MODEL)
    assert heard.finished is not None and heard.finished.usage is not None
    usage = heard.finished.usage
    assert (usage.output_tokens, usage.predicted_tokens, usage.rejected_tokens) == (20, 7, 2)


@pytest.mark.parametrize(
    ("request_", "place"),
    [
        (replace(question(), schema=Schema("a", {"type": "object"})), "schema.additionalProperties"),
        (replace(question(), tools=(CLOCK, CLOCK)), "tools[1]"),
        (CompletionRequest((PromptMessage(Role.TOOL, "rain", call_id="c"),)), "messages[0]"),
    ],
    ids=["schema", "tools", "pairs"],
)
async def test_what_would_be_refused_is_not_sent(
    pools: Pools, server: MockModel, transport: str, request_: CompletionRequest, place: str
) -> None:
    heard = await ask(cerebras(pools, server.base_url, transport=transport), request_, MODEL)
    assert heard.error is not None
    assert (heard.error.kind, heard.events) == (ErrorKind.BAD_REQUEST, [])
    assert place in heard.error.detail
    assert server.chats() == []


async def test_a_queue_that_is_too_long_is_left_for_the_next_model(
    pools: Pools, server: MockModel, transport: str
) -> None:
    server.config(service_tiers=["flex"], queue_seconds=3)
    flex: dict[str, Any] = {"transport": transport, "defaultParams": {"service_tier": "flex"}}
    heard = await ask(cerebras(pools, server.base_url, queueThreshold=1000, **flex), model=MODEL)
    assert heard.kind is ErrorKind.OVERLOADED
    heard = await ask(cerebras(pools, server.base_url, queueThreshold=5000, **flex), model=MODEL)
    assert heard.finished is not None
    assert [shown(chat)["queue_threshold"] for chat in server.chats()] == ["1000", "5000"]


async def test_a_tier_that_is_not_ones_own_is_left_out_with_its_limit_of_the_queue(
    pools: Pools, server: MockModel, transport: str
) -> None:
    flex: dict[str, Any] = {
        "transport": transport,
        "defaultParams": {"service_tier": "flex"},
        "queueThreshold": 500,
    }
    provider = cerebras(pools, server.base_url, **flex)
    for _ in range(2):
        assert (await ask(provider, model=MODEL)).finished is not None
    tiers = [chat["body"].get("service_tier") for chat in server.chats()]
    limits = [shown(chat).get("queue_threshold") for chat in server.chats()]
    assert (tiers, limits) == (["flex", None, None], ["500", None, None])


async def test_warming_opens_the_connection_that_the_question_takes(
    pools: Pools, server: MockModel, transport: str
) -> None:
    provider = cerebras(pools, server.base_url, transport=transport)
    await provider.warm()
    await ask(provider, model=MODEL)
    warmed, asked = server.requests()
    assert (warmed["path"], warmed["key_in"]) == ("/v1/tcp_warming", "")
    assert warmed["connection"] == asked["connection"]


async def test_a_refused_request_is_sent_once(pools: Pools, server: MockModel, transport: str) -> None:
    server.script(default={"status": 500})
    heard = await ask(cerebras(pools, server.base_url, transport=transport), model=MODEL)
    assert heard.kind is ErrorKind.SERVER
    assert len(server.requests()) == 1


def test_the_package_is_not_loaded_before_it_is_needed(transport: str) -> None:
    code = (
        "import sys; from providers.cerebras import SPEC; from providers.http import Pools;"
        f"SPEC.open('cerebras', SPEC.settings(transport={transport!r}), Pools(trust_env=False));"
        "print('cerebras.cloud.sdk' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    "wrong",
    [
        {"queueThreshold": 20},
        {"headers": {"Authorization": "Bearer x"}},
        {"defaultParams": {"messages": []}},
        {"transport": "carrier pigeon"},
        {"compressFrom": -1},
    ],
)
def test_wrong_settings_are_named(transport: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        CerebrasSettings.model_validate({"transport": transport, **wrong})
    assert next(iter(wrong)) in str(caught.value)


def test_only_its_own_name_has_an_address_of_its_own(transport: str) -> None:
    settings = CerebrasSettings.model_validate({"transport": transport})
    with pytest.raises(ValueError, match=r"models\.providers\.mine\.baseUrl is missing"):
        SPEC.open("mine", settings, Pools(trust_env=False))
