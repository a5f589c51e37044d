"""Local servers and routers behind OpenAI's dialect: what each says in its own words, and what it is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from providers.base import (
    CompletionRequest,
    FinishReason,
    ModelSpec,
    PromptMessage,
    Role,
    Tool,
    ToolCall,
    ToolCallDelta,
)
from providers.errors import ErrorKind, ProviderError
from providers.http import Pools
from providers.openai_audio import form
from providers.openai_servers import Question, Row, helped, questions, windows
from providers.profile import CacheStyle, ModelProfile
from tests.mock_model.client import MockModel
from tests.mock_model.multipart import parts
from tests.providers.ask import KEY, MODEL, ask, compatible, question
from tests.providers.peer import Peer, whole

WINDOWS = [
    ("ollama", 2048),
    ("lmstudio", 16384),
    ("llamacpp", 2048),
    ("vllm", 65536),
    ("openrouter", 200_000),
]


@pytest.mark.parametrize(("kind", "window"), WINDOWS)
async def test_a_models_window_is_what_its_server_says(
    pools: Pools, mock_model: MockModel, kind: str, window: int
) -> None:
    mock_model.config(kind=kind, context_tokens=window, models=["llama3.2"])
    (spec,) = await compatible(pools, mock_model.base_url).list_models(KEY)
    assert (spec.model, spec.context_window) == ("llama3.2", window)


async def test_a_model_that_ollama_has_not_loaded_gets_no_more_than_ollama_serves(
    pools: Pools, mock_model: MockModel
) -> None:
    mock_model.config(kind="ollama", context_tokens=131_072, models=["llama3.2"])
    (spec,) = await compatible(pools, mock_model.base_url, "ollama").list_models(KEY)
    assert spec.context_window == 4096


async def test_a_server_that_tells_no_window_is_listed_all_the_same(pools: Pools, peer: Peer) -> None:
    listed = b'{"data": [{"id": "m", "owned_by": "llamacpp"}]}'
    peer.play([whole(listed, more="Connection: close\r\n")], [whole(b"{}", status="501 Off")])
    (spec,) = await compatible(pools, peer.base_url).list_models(KEY)
    assert (spec.model, spec.context_window) == ("m", 8192)
    assert peer.requests[1].startswith(b"GET /props HTTP")


async def test_an_answer_of_http_1_0_with_tools_is_read(pools: Pools, mock_model: MockModel) -> None:
    mock_model.config(kind="mlx")
    call = {"name": "weather", "arguments": '{"city": "Oslo"}', "id": "c1"}
    mock_model.script(default={"tokens": [], "tool_calls": [call]})
    asked = replace(question(), tools=(Tool("weather", "", {"properties": {}}),))
    for _ in range(2):
        heard = await ask(compatible(pools, mock_model.base_url), asked)
        assert heard.finished is not None and heard.finished.reason is FinishReason.TOOL_CALLS
        assert (
            "".join(e.arguments for e in heard.events if isinstance(e, ToolCallDelta)) == '{"city": "Oslo"}'
        )


OLLAMA = [Row("a", None, "library"), Row("b", None, "someone")]
ANSWERS: dict[str, tuple[Question, Any, dict[str, int]]] = {
    "a model's own file": (
        Question("/api/show", {}, "a"),
        {"parameters": "num_gpu 1\nnum_ctx    8192\n", "model_info": {}},
        {"a": 8192},
    ),
    "more in its file than the model takes": (
        Question("/api/show", {}, "a"),
        {
            "parameters": "num_ctx 8192",
            "model_info": {"general.architecture": "llama", "llama.context_length": 2048},
        },
        {"a": 2048},
    ),
    "what a small model takes": (
        Question("/api/show", {}, "a"),
        {"model_info": {"general.architecture": "bert", "bert.context_length": 512}},
        {"a": 512},
    ),
    "what a large model takes is not what it gets": (
        Question("/api/show", {}, "a"),
        {"model_info": {"general.architecture": "qwen3", "qwen3.context_length": 40960}},
        {},
    ),
    "a model that is loaded": (
        Question("/api/ps"),
        {"models": [{"name": "a", "context_length": 4096}, {"name": "b"}]},
        {"a": 4096},
    ),
    "an error": (Question("/api/show", {}, "a"), {"error": "no"}, {}),
    "a list": (Question("/props"), [], {}),
    "no number": (Question("/props"), {"default_generation_settings": {"n_ctx": "many"}}, {}),
    "nothing": (Question("/props"), {"default_generation_settings": {"n_ctx": 0}}, {}),
    "Ollama's word for nothing": (Question("/api/ps"), {"models": None}, {}),
}


@pytest.mark.parametrize(("asked", "answer", "found"), ANSWERS.values(), ids=ANSWERS)
def test_a_window_is_read_or_left_out(asked: Question, answer: Any, found: dict[str, int]) -> None:
    assert windows(asked, answer, OLLAMA) == found


def test_a_server_is_asked_only_what_its_list_leaves_out() -> None:
    assert questions([Row("m", 4096, "library")]) == ()
    assert questions([Row("m", None, "openai")]) == ()
    assert [one.path for one in questions(OLLAMA)] == ["/api/show", "/api/show", "/api/ps"]
    assert questions([Row("a", None, "llamacpp"), Row("b", None, "llamacpp")]) == ()


async def test_a_model_that_was_not_pulled_is_told_with_what_to_do(
    pools: Pools, mock_model: MockModel
) -> None:
    mock_model.config(kind="ollama", models=["other"])
    model = ModelSpec("ollama", "llama3.2:3b", is_local=True)
    heard = await ask(compatible(pools, mock_model.base_url, "ollama"), model=model)
    assert heard.error is not None
    assert heard.error.kind is ErrorKind.MODEL_GONE
    assert heard.error.detail.endswith("ollama pull llama3.2:3b")


def test_other_errors_hint_at_nothing() -> None:
    gone = ProviderError(ErrorKind.MODEL_GONE, "HTTP 404")
    assert helped(gone, "The model `m` does not exist.", "m") is gone
    broken = ProviderError(ErrorKind.SERVER, "HTTP 500")
    assert helped(broken, "model 'm' not found", "m") is broken


async def test_a_model_is_kept_loaded_as_long_as_the_settings_say(
    pools: Pools, mock_model: MockModel
) -> None:
    mock_model.config(kind="ollama")
    provider = compatible(pools, mock_model.base_url, "ollama", defaultParams={"keep_alive": "1h"})
    assert (await ask(provider)).finished is not None
    await mock_model.wait("ended", count=2)
    asked = mock_model.requests()[-1]
    assert (asked["path"], asked["body"]["model"], asked["body"]["keep_alive"]) == (
        "/api/generate",
        "m",
        "1h",
    )
    await provider.aclose()


async def test_another_server_is_not_asked_to_keep_a_model(pools: Pools, mock_model: MockModel) -> None:
    provider = compatible(pools, mock_model.base_url, "vllm", defaultParams={"keep_alive": "1h"})
    await ask(provider)
    await provider.aclose()
    assert [one["path"] for one in mock_model.requests()] == ["/v1/chat/completions"]


CLAUDE = ModelSpec("openrouter", "anthropic/claude-haiku-5.5", profile=ModelProfile(sampling=False))


async def test_a_conversation_at_openrouter_stays_with_one_provider_and_marks_its_cache(
    pools: Pools, mock_model: MockModel
) -> None:
    mock_model.config(kind="openrouter")
    provider = compatible(pools, mock_model.base_url, "openrouter")
    messages = [PromptMessage(Role.SYSTEM, "Be brief.")]
    for turn in range(40):
        messages += [PromptMessage(Role.USER, f"q{turn}"), PromptMessage(Role.ASSISTANT, f"a{turn}")]
    messages.append(PromptMessage(Role.USER, "and now?"))
    asked = CompletionRequest(tuple(messages), conversation="telegram:1", stable=len(messages) - 1)
    assert (await ask(provider, asked, CLAUDE)).finished is not None
    body = mock_model.chats()[0]["body"]
    assert body["session_id"] == "telegram:1"
    marks = [place for place, one in enumerate(body["messages"]) if "cache_control" in one["content"][-1]]
    assert marks == [0, 61, 80]


async def test_a_model_at_openrouter_that_caches_by_itself_carries_no_marks(
    pools: Pools, mock_model: MockModel
) -> None:
    mock_model.config(kind="openrouter")
    asked = replace(question(), stable=1)
    await ask(
        compatible(pools, mock_model.base_url, "openrouter"), asked, replace(CLAUDE, model="qwen/qwen3.8-27b")
    )
    assert mock_model.chats()[0]["body"]["messages"] == [{"role": "user", "content": "hi"}]


CODES = [
    (402, ErrorKind.QUOTA),
    (403, ErrorKind.PERMISSION),
    (408, ErrorKind.SERVER),
    (429, ErrorKind.RATE_LIMIT),
    (502, ErrorKind.SERVER),
    (503, ErrorKind.OVERLOADED),
]


@pytest.mark.parametrize(("code", "kind"), CODES)
async def test_an_error_inside_a_stream_of_openrouter_has_the_kind_of_its_code(
    pools: Pools, mock_model: MockModel, code: int, kind: ErrorKind
) -> None:
    mock_model.config(kind="openrouter")
    mock_model.script(default={"text": "one two", "fault": "error_event", "after": 1, "error_status": code})
    heard = await ask(compatible(pools, mock_model.base_url, "openrouter"))
    assert heard.kind is kind
    assert heard.text


async def test_a_conversation_at_openai_is_named_for_its_cache(pools: Pools, mock_model: MockModel) -> None:
    profile = ModelProfile(cache=CacheStyle.AUTO)
    asked = replace(question(conversation="c1"), stable=1)
    await ask(compatible(pools, mock_model.base_url, "openai"), asked, replace(MODEL, profile=profile))
    body = mock_model.chats()[0]["body"]
    assert body["prompt_cache_key"] == "c1"
    assert "cache_control" not in str(body)


async def test_the_wait_that_google_asks_for_is_read_from_its_details(pools: Pools, peer: Peer) -> None:
    body = b"""[{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED",
        "message": "You exceeded your current quota, please check your plan and billing details.",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36s"}]}}]"""
    peer.play([whole(body, status="429 Too Many Requests")])
    heard = await ask(compatible(pools, peer.base_url, "gemini"))
    assert heard.error is not None
    assert (heard.error.kind, heard.error.retry_after) == (ErrorKind.RATE_LIMIT, 36.0)


async def test_speech_goes_out_as_a_form_with_a_file(pools: Pools, peer: Peer) -> None:
    peer.play([whole(b'{"text": " hello "}')])
    provider = compatible(pools, peer.base_url)
    said = await provider.transcribe(ModelSpec("mock", "whisper-1"), b"\x00\r\n--x", "audio/x-wav", KEY)
    assert said == "hello"
    top, _, raw = peer.requests[0].partition(b"\r\n\r\n")
    assert top.startswith(b"POST /v1/audio/transcriptions HTTP")
    kind = next(line for line in top.decode().split("\r\n") if line.lower().startswith("content-type:"))
    sent = parts(kind, raw)
    assert sent["model"].data == b"whisper-1"
    file = sent["file"]
    assert (file.filename, file.data, file.mime) == ("speech.wav", b"\x00\r\n--x", "audio/x-wav")


@pytest.mark.parametrize("answer", [b"[]", b'{"text": 1}', b"", b"<html>"])
async def test_a_transcription_that_is_none_is_an_error(pools: Pools, peer: Peer, answer: bytes) -> None:
    peer.play([whole(answer)])
    with pytest.raises(ProviderError) as caught:
        await compatible(pools, peer.base_url).transcribe(MODEL, b"x", "audio/ogg", KEY)
    assert caught.value.kind is ErrorKind.MALFORMED


async def test_speech_that_is_refused_has_its_kind(pools: Pools, mock_model: MockModel) -> None:
    provider = compatible(pools, mock_model.base_url)
    with pytest.raises(ProviderError) as caught:
        await provider.transcribe(MODEL, b"x" * (25 * 1024 * 1024 + 1), "audio/ogg", KEY)
    assert caught.value.kind is ErrorKind.TOO_LARGE


def test_a_media_type_cannot_break_out_of_its_header() -> None:
    sent = form("m", b"x", "audio/ogg\r\nX-Evil: 1", "edge")
    assert b"X-Evil" not in sent


async def test_no_secret_stands_in_an_error_of_a_transcription(pools: Pools, mock_model: MockModel) -> None:
    mock_model.config(keys=["another"])
    with pytest.raises(ProviderError) as caught:
        await compatible(pools, mock_model.base_url).transcribe(MODEL, b"x", "audio/ogg", KEY)
    assert caught.value.kind is ErrorKind.AUTH
    assert (
        KEY.secret is not None
        and KEY.secret.get_secret_value() not in f"{caught.value!r} {caught.value.detail}"
    )


async def test_what_a_tool_was_called_with_stands_in_no_error(pools: Pools, mock_model: MockModel) -> None:
    told = 'cannot read {"city": "the address of my neighbour"} or her diary of last winter'
    mock_model.script(default={"status": 422, "error": {"message": told}})
    call = ToolCall("c1", "weather", '{"city": "the address of my neighbour"}')
    messages = (
        PromptMessage(Role.USER, "hi"),
        PromptMessage(Role.ASSISTANT, "", calls=(call,)),
        PromptMessage(Role.TOOL, "rain", call_id="c1"),
    )
    asked = CompletionRequest(
        messages, tools=(Tool("weather", "", {}),), prediction="her diary of last winter"
    )
    heard = await ask(compatible(pools, mock_model.base_url), asked)
    assert heard.error is not None and heard.kind is ErrorKind.BAD_REQUEST
    assert "neighbour" not in heard.error.detail and "diary" not in heard.error.detail
