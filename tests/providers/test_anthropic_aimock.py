"""Anthropic's dialect against aimock, a server that is not ours."""

from __future__ import annotations

import pytest

from providers.anthropic_client import Anthropic
from providers.base import (
    CompletionRequest,
    Effort,
    FinishReason,
    GenerationOptions,
    PromptMessage,
    Role,
    Tool,
    ToolCall,
    ToolCallDelta,
)
from providers.errors import ErrorKind
from providers.http import Pools
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
from tests.providers.anthropic_peer import ADAPTIVE, MODEL, TRANSPORTS, anthropic
from tests.providers.ask import SECRET, ask

__all__ = ["aimock", "aimock_process"]

WEATHER = Tool("weather", "Tells it", {"type": "object", "properties": {"city": {"type": "string"}}})


@pytest.fixture(params=TRANSPORTS)
def provider(request: pytest.FixtureRequest, pools: Pools, aimock: Aimock) -> Anthropic:
    return anthropic(pools, aimock.root_url, transport=request.param)


def asked(*messages: PromptMessage) -> CompletionRequest:
    return CompletionRequest(messages, tools=(WEATHER,))


async def test_an_answer_arrives_whole(provider: Anthropic, aimock: Aimock) -> None:
    heard = await ask(provider, HELLO, MODEL)
    assert heard.text == SAID
    assert heard.finished is not None
    assert heard.finished.reason is FinishReason.STOP
    (seen,) = aimock.asked()
    assert seen["path"] == "/v1/messages"
    assert SECRET not in seen["path"] + str(seen["body"])


async def test_thoughts_come_apart_from_the_answer(provider: Anthropic) -> None:
    options = GenerationOptions(effort=Effort.LOW)
    heard = await ask(provider, CompletionRequest((PromptMessage(Role.USER, THINK),), options), ADAPTIVE)
    assert (heard.thoughts, heard.text) == ("The person wants thoughts.", "Thought through.")


async def test_a_call_and_its_result_go_round(provider: Anthropic) -> None:
    question = PromptMessage(Role.USER, LOOK_UP)
    heard = await ask(provider, asked(question), MODEL)
    pieces = [event for event in heard.events if isinstance(event, ToolCallDelta)]
    call = ToolCall(pieces[0].id, pieces[0].name, "".join(piece.arguments for piece in pieces))
    assert (call.name, call.arguments) == ("weather", '{"city":"Oslo"}')
    said = PromptMessage(Role.ASSISTANT, heard.text, calls=(call,))
    result = PromptMessage(Role.TOOL, "rain", call_id=call.id)
    assert (await ask(provider, asked(question, said, result), MODEL)).text == "It rains in Oslo."


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (TOO_OFTEN, ErrorKind.RATE_LIMIT),
        (TOO_BUSY, ErrorKind.OVERLOADED),
        (TOO_LONG, ErrorKind.CONTEXT_LENGTH),
        (CUT, ErrorKind.INCOMPLETE),
    ],
)
async def test_what_goes_wrong_has_its_kind(provider: Anthropic, text: str, kind: ErrorKind) -> None:
    heard = await ask(provider, text, MODEL)
    assert heard.kind is kind
    assert heard.finished is None
