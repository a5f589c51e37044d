"""Thoughts that a router wants back go back as they came, to the model that had them, and to no other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest

from providers.base import (
    CompletionRequest,
    Memo,
    ModelSpec,
    PromptMessage,
    ReasoningDelta,
    Role,
    TextDelta,
    Tool,
    ToolCall,
)
from providers.http import Pools
from providers.openai_memo import MAX_MEMO_CHARS, Keeper, recalled
from tests.mock_model.client import MockModel
from tests.providers.ask import MODEL, Heard, ask, compatible, question

CLAUDE = replace(MODEL, provider="openrouter", model="anthropic/claude-haiku-5.5")
HI = PromptMessage(Role.USER, "hi")
AGAIN = PromptMessage(Role.USER, "and now?")


def memo_of(heard: Heard) -> str:
    return next((event.data for event in heard.events if isinstance(event, Memo)), "")


def conversation(heard: Heard, **changes: Any) -> CompletionRequest:
    spoke = PromptMessage(Role.ASSISTANT, heard.text, memo=memo_of(heard))
    return CompletionRequest((HI, replace(spoke, **changes), AGAIN))


def details(mock_model: MockModel) -> list[Any]:
    """What went along with each message of the last request."""
    return [each.get("reasoning_details") for each in mock_model.chats()[-1]["body"]["messages"]]


@pytest.fixture
def server(mock_model: MockModel) -> MockModel:
    mock_model.config(kind="openrouter")
    mock_model.script(default={"text": "Hello you.", "reasoning": "The person greets me."})
    return mock_model


async def test_thoughts_go_back_whole_and_signed_as_they_came(pools: Pools, server: MockModel) -> None:
    provider = compatible(pools, server.base_url, "openrouter")
    heard = await ask(provider, question(), CLAUDE)
    assert heard.thoughts == "The person greets me."
    assert (await ask(provider, conversation(heard), CLAUDE)).finished is not None
    _, (block,), _ = details(server)
    assert block["text"] == "The person greets me."
    assert block["signature"].startswith("sig-")
    assert (block["type"], block["index"], block["format"]) == ("reasoning.text", 0, "anthropic-claude-v1")


async def test_thoughts_beside_a_call_go_back_with_it(pools: Pools, server: MockModel) -> None:
    call = {"name": "clock", "arguments": "{}", "id": "call_1"}
    server.script(
        {"tool_calls": [call], "reasoning": "I look.", "tokens": [], "times": 1}, default={"text": "ok"}
    )
    provider = compatible(pools, server.base_url, "openrouter")
    asked = replace(question(), tools=(Tool("clock", "", {}),))
    heard = await ask(provider, asked, CLAUDE)
    spoke = PromptMessage(Role.ASSISTANT, "", calls=(ToolCall("call_1", "clock", "{}"),), memo=memo_of(heard))
    result = PromptMessage(Role.TOOL, "noon", call_id="call_1")
    again = replace(asked, messages=(HI, spoke, result))
    assert (await ask(provider, again, CLAUDE)).text == "ok"
    assert [block["text"] for block in details(server)[1]] == ["I look."]


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        (replace(CLAUDE, model="anthropic/claude-sonnet-5.5"), {}),
        (replace(CLAUDE, provider="other"), {}),
        (CLAUDE, {"text": "Hello you, changed."}),
        (CLAUDE, {"memo": '{"model":"anthropic/claude-haiku-5.5","blocks":[]}'}),
        (CLAUDE, {"memo": '{"gemini":"x","parts":[]}'}),
        (CLAUDE, {"memo": "no JSON"}),
        (CLAUDE, {"memo": "[]"}),
    ],
    ids=["another model", "another provider", "changed", "Claude's own", "Gemini's", "damaged", "no object"],
)
async def test_what_is_not_this_models_own_is_left_out(
    pools: Pools, server: MockModel, model: ModelSpec, changes: dict[str, Any]
) -> None:
    provider = compatible(pools, server.base_url, "openrouter")
    heard = await ask(provider, question(), CLAUDE)
    assert memo_of(heard)
    assert (await ask(provider, conversation(heard, **changes), model)).finished is not None
    assert details(server) == [None, None, None]


async def test_white_space_that_was_trimmed_is_no_change(pools: Pools, server: MockModel) -> None:
    server.script(default={"text": "Hello you.\n ", "reasoning": "Hm."})
    provider = compatible(pools, server.base_url, "openrouter")
    heard = await ask(provider, question(), CLAUDE)
    await ask(provider, conversation(heard, text="Hello you."), CLAUDE)
    assert details(server)[1] is not None


async def test_a_server_of_its_own_gets_no_thoughts_back_that_it_never_gave(
    pools: Pools, mock_model: MockModel
) -> None:
    mock_model.script(default={"text": "x", "reasoning": "y"})
    heard = await ask(compatible(pools, mock_model.base_url))
    assert heard.thoughts == "y"
    assert memo_of(heard) == ""


async def test_an_answer_that_is_continued_goes_without_its_thoughts(pools: Pools, server: MockModel) -> None:
    provider = compatible(pools, server.base_url, "openrouter")
    model = replace(CLAUDE, profile=replace(CLAUDE.profile, prefill=True))
    heard = await ask(provider, question(), model)
    begun = replace(conversation(heard), messages=conversation(heard).messages[:2])
    assert (await ask(provider, begun, model)).finished is not None
    assert details(server) == [None, None]


def kept(*pieces: dict[str, Any]) -> Sequence[dict[str, Any]]:
    keeper = Keeper("p/m")
    keeper.add(pieces)
    keeper.note([TextDelta("x")])
    found = recalled(PromptMessage(Role.ASSISTANT, "x", memo=keeper.memo()), "p/m")
    assert found is not None
    return found


def text(words: str, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"type": "reasoning.text", "text": words, "index": index, "signature": None, **more}


def test_pieces_of_one_block_become_one_and_blocks_stay_apart_and_in_order() -> None:
    secret = {"type": "reasoning.encrypted", "data": "AbC=", "id": "r1", "index": 1}
    summary = {"type": "reasoning.summary", "summary": "So", "index": 3}
    found = kept(
        text("Let "),
        text("me."),
        text("", signature="s1"),
        secret,
        {**secret, "id": "r2"},
        text("More", 2),
        text(" yet.", 2),
        summary,
        {**summary, "summary": " it is."},
    )
    assert found == [
        {"type": "reasoning.text", "text": "Let me.", "index": 0, "signature": "s1"},
        secret,
        {**secret, "id": "r2"},
        {"type": "reasoning.text", "text": "More yet.", "index": 2},
        {"type": "reasoning.summary", "summary": "So it is.", "index": 3},
    ]


def test_thoughts_that_would_fill_the_store_are_not_kept() -> None:
    keeper = Keeper("p/m")
    keeper.add([text("x" * (MAX_MEMO_CHARS + 1))])
    assert keeper.memo() == ""


async def test_thoughts_without_words_beside_them_are_shown_all_the_same(
    pools: Pools, mock_model: MockModel
) -> None:
    delta = {"reasoning_details": [text("I think.")]}
    chunks = [
        {"choices": [{"delta": delta}]},
        {"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]},
    ]
    body = "".join(f"data: {orjson.dumps(chunk).decode()}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    mock_model.script(default={"body": body, "headers": {"Content-Type": "text/event-stream"}})
    heard = await ask(
        compatible(pools, mock_model.base_url, "mine"), question(), replace(MODEL, provider="mine")
    )
    assert [event.text for event in heard.events if isinstance(event, ReasoningDelta)] == ["I think."]
    assert memo_of(heard)
