"""Gemini's dialect against a model server that is not ours."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from providers.base import (
    CompletionRequest,
    Finished,
    FinishReason,
    ModelSpec,
    PromptMessage,
    Provider,
    Role,
    Tool,
    ToolCall,
    ToolCallDelta,
)
from providers.errors import ErrorKind
from providers.gemini import SPEC
from providers.http import Pools
from providers.profile import ModelProfile, ReasoningStyle
from tests.providers.aimock import (
    CUT,
    HELLO,
    LOOK_UP,
    SAID,
    THINK,
    TOO_BUSY,
    TOO_LONG,
    TOO_OFTEN,
    Aimock,
    aimock,
    aimock_process,
)
from tests.providers.ask import SECRET, ask

__all__ = ["aimock", "aimock_process"]

MODEL = ModelSpec("gemini", "gemini-3.8-flash", profile=ModelProfile(reasoning=ReasoningStyle.LEVEL))
WEATHER = Tool("weather", "Tells the weather", {"type": "object", "properties": {"city": {"type": "string"}}})


@pytest.fixture
async def gemini(pools: Pools, aimock: Aimock) -> AsyncIterator[Provider]:
    opened = SPEC.open("gemini", SPEC.settings.model_validate({"baseUrl": aimock.root_url}), pools)
    yield opened
    await opened.aclose()


async def test_an_answer_is_read_whole_and_the_key_stays_out_of_the_address(
    gemini: Provider, aimock: Aimock
) -> None:
    heard = await ask(gemini, HELLO, MODEL)
    assert heard.text == SAID
    assert isinstance(heard.events[-1], Finished)
    (asked,) = aimock.asked()
    assert asked["path"].startswith("/v1beta/models/gemini-3.8-flash:streamGenerateContent")
    assert SECRET not in asked["path"]


async def test_thoughts_are_not_text(gemini: Provider) -> None:
    heard = await ask(gemini, THINK, MODEL)
    assert (heard.thoughts, heard.text) == ("The person wants thoughts.", "Thought through.")


async def test_a_call_and_its_result_make_an_answer(gemini: Provider) -> None:
    question = PromptMessage(Role.USER, LOOK_UP)
    first = await ask(gemini, CompletionRequest((question,), tools=(WEATHER,)), MODEL)
    (call,) = [event for event in first.events if isinstance(event, ToolCallDelta)]
    assert (call.name, call.arguments) == ("weather", '{"city":"Oslo"}')
    assert first.finished is not None
    assert first.finished.reason is FinishReason.TOOL_CALLS
    spoke = PromptMessage(Role.ASSISTANT, "", calls=(ToolCall(call.id, call.name, call.arguments),))
    told = PromptMessage(Role.TOOL, "rain", call_id=call.id)
    second = await ask(gemini, CompletionRequest((question, spoke, told), tools=(WEATHER,)), MODEL)
    assert second.text == "It rains in Oslo."


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (TOO_OFTEN, ErrorKind.RATE_LIMIT),
        (TOO_BUSY, ErrorKind.OVERLOADED),
        (TOO_LONG, ErrorKind.CONTEXT_LENGTH),
        (CUT, ErrorKind.INCOMPLETE),
    ],
)
async def test_what_goes_wrong_has_its_kind(gemini: Provider, said: str, kind: ErrorKind) -> None:
    assert (await ask(gemini, said, MODEL)).kind is kind
