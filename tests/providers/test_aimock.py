"""Every dialect against a model server that somebody else wrote."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from providers.base import (
    CompletionRequest,
    FinishReason,
    Memo,
    PromptMessage,
    Provider,
    Role,
    Started,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)
from providers.conformance_abilities import WEATHER, Ability
from providers.errors import ErrorKind
from providers.http import Pools
from tests.providers.aimock import (
    CUT,
    HELLO,
    LOOK_UP,
    SAID,
    SLOWLY,
    THINK,
    TOO_BUSY,
    TOO_LONG,
    TOO_OFTEN,
    Aimock,
)
from tests.providers.ask import KEY, SECRET, ask, question
from tests.providers.dialects import DIALECTS, Dialect

THINKERS = ("openai", "anthropic by SDK", "anthropic over HTTP", "gemini")
CALLERS = tuple(
    name for name, one in DIALECTS.items() if one.speaks_to_aimock and Ability.TOOLS in one.abilities
)


@pytest.fixture(params=sorted(name for name, one in DIALECTS.items() if one.speaks_to_aimock))
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return DIALECTS[str(request.param)]


@pytest.fixture
async def provider(dialect: Dialect, pools: Pools, aimock: Aimock) -> AsyncIterator[Provider]:
    opened = dialect.open(pools, aimock.root_url)
    yield opened
    await opened.aclose()


async def test_an_answer_arrives_whole(provider: Provider, dialect: Dialect) -> None:
    heard = await ask(provider, HELLO, dialect.model)
    assert heard.text == SAID
    assert isinstance(heard.events[0], Started)
    assert heard.finished is not None and heard.finished.reason is FinishReason.STOP


async def test_the_server_can_read_a_conversation(
    provider: Provider, dialect: Dialect, aimock: Aimock
) -> None:
    said = (
        PromptMessage(Role.SYSTEM, "Be brief."),
        PromptMessage(Role.USER, "hi"),
        PromptMessage(Role.ASSISTANT, "Hello."),
        PromptMessage(Role.USER, HELLO),
    )
    assert (await ask(provider, CompletionRequest(said), dialect.model)).text == SAID
    read = aimock.asked()[-1]["body"]["messages"]
    assert [message["role"] for message in read] == ["system", "user", "assistant", "user"]


async def test_no_key_stands_in_an_address(provider: Provider, dialect: Dialect, aimock: Aimock) -> None:
    await ask(provider, HELLO, dialect.model)
    asked = aimock.asked()[-1]
    assert "key" not in asked["path"]
    assert SECRET not in asked["path"]


@pytest.mark.parametrize("dialect", [DIALECTS[name] for name in THINKERS], ids=THINKERS)
async def test_thoughts_come_apart_from_the_answer(provider: Provider, dialect: Dialect) -> None:
    heard = await ask(provider, THINK, dialect.model)
    assert (heard.thoughts, heard.text) == ("The person wants thoughts.", "Thought through.")


@pytest.mark.parametrize("dialect", [DIALECTS[name] for name in CALLERS], ids=CALLERS)
async def test_a_call_and_its_result_make_a_whole_turn(provider: Provider, dialect: Dialect) -> None:
    asked = replace(question(LOOK_UP), tools=(WEATHER,))
    heard = await ask(provider, asked, dialect.model)
    calls = [event for event in heard.events if isinstance(event, ToolCallDelta)]
    assert [call.name for call in calls if call.name] == ["weather"]
    arguments = "".join(call.arguments for call in calls)
    assert json.loads(arguments) == {"city": "Oslo"}
    assert heard.finished is not None and heard.finished.reason is FinishReason.TOOL_CALLS
    call = ToolCall("".join(one.id for one in calls), "weather", arguments)
    memo = next((event.data for event in heard.events if isinstance(event, Memo)), "")
    spoke = PromptMessage(Role.ASSISTANT, "", calls=(call,), memo=memo)
    told = PromptMessage(Role.TOOL, "rain", call_id=call.id)
    again = await ask(provider, replace(asked, messages=(*asked.messages, spoke, told)), dialect.model)
    assert again.text == "It rains in Oslo."


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (TOO_OFTEN, ErrorKind.RATE_LIMIT),
        (TOO_BUSY, ErrorKind.OVERLOADED),
        (TOO_LONG, ErrorKind.CONTEXT_LENGTH),
    ],
)
async def test_what_goes_wrong_has_its_kind(
    provider: Provider, dialect: Dialect, said: str, kind: ErrorKind
) -> None:
    heard = await ask(provider, said, dialect.model)
    assert heard.kind is kind
    if kind is ErrorKind.RATE_LIMIT:
        assert heard.error is not None and heard.error.retry_after == 9


async def test_a_cut_answer_is_never_taken_for_whole(provider: Provider, dialect: Dialect) -> None:
    heard = await ask(provider, CUT, dialect.model)
    assert heard.text
    assert heard.finished is None
    assert heard.kind is ErrorKind.INCOMPLETE


async def test_an_answer_can_be_cancelled(provider: Provider, dialect: Dialect) -> None:
    spoke = asyncio.Event()

    async def listen() -> None:
        async with provider.stream(dialect.model, question(SLOWLY), KEY) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    spoke.set()

    task = asyncio.create_task(listen())
    await asyncio.wait_for(spoke.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await ask(provider, HELLO, dialect.model)).text == SAID


async def test_many_answers_at_once_are_each_whole(provider: Provider, dialect: Dialect) -> None:
    heard = await asyncio.gather(*(ask(provider, HELLO, dialect.model) for _ in range(20)))
    assert {one.text for one in heard} == {SAID}
