"""The stand-in for a model."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from providers.base import (
    CompletionRequest,
    Credential,
    FinishReason,
    GenerationOptions,
    Image,
    PromptMessage,
    Role,
    Started,
    TextDelta,
)
from providers.demo import SPEC, DemoProvider, DemoSettings, spec
from providers.demo_words import reply
from providers.http import Pools
from tests.providers.ask import Heard, ask, question

NOBODY = Credential("demo:none")


def fast(**settings: float) -> DemoProvider:
    given = DemoSettings.model_validate({"ttft": 0, "tokensPerSecond": 100_000, **settings})
    return DemoProvider("demo", given.played())


async def hear(request: CompletionRequest | str) -> Heard:
    return await ask(fast(), request, spec("demo"), NOBODY)


async def test_it_says_in_its_first_sentence_what_it_is_and_how_to_connect_a_real_model() -> None:
    first = (await hear("hi")).text.split("\n")[0]
    assert first.count(". ") == 0
    for word in ("demo model", "CEREBRAS_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "Ollama"):
        assert word in first


async def test_it_repeats_what_was_said_and_the_same_question_gets_the_same_answer() -> None:
    one, two = await hear("Where is Oslo?"), await hear("Where is Oslo?")
    assert "> Where is Oslo?" in one.text
    assert one.text == two.text


async def test_it_writes_bold_and_lists_and_code_when_the_question_is_about_code() -> None:
    plain, code = (await hear("hello there")).text, (await hear("show me a python function")).text
    assert "**" in plain and "\n- " in plain and "```" not in plain
    assert code.count("```") == 2 and "```python\n" in code


async def test_it_knows_which_message_of_the_conversation_this_is() -> None:
    messages = (
        PromptMessage(Role.USER, "one"),
        PromptMessage(Role.ASSISTANT, "…"),
        PromptMessage(Role.USER, "two", (Image("image/png", b"x"),)),
    )
    text = (await hear(CompletionRequest(messages))).text
    assert "message 2" in text and "> two" in text and "1 picture" in text


async def test_it_continues_an_answer_where_it_was_cut() -> None:
    asked = question("Where is Oslo?")
    whole = (await hear(asked)).text
    begun = PromptMessage(Role.ASSISTANT, whole[:80])
    rest = (await hear(replace(asked, messages=(*asked.messages, begun)))).text
    assert whole[:80] + rest == whole


async def test_it_stops_at_the_limit_and_says_so() -> None:
    heard = await hear(question("hi", GenerationOptions(max_output=3)))
    assert heard.finished is not None
    assert heard.finished.reason is FinishReason.LENGTH
    assert sum(isinstance(event, TextDelta) for event in heard.events) == 3


async def test_it_speaks_at_the_given_speed() -> None:
    loop = asyncio.get_running_loop()
    provider = fast(ttft=0.05, tokensPerSecond=200)
    began = loop.time()
    async with provider.stream(spec("demo"), question("hi"), NOBODY) as events:
        assert isinstance(await anext(events), Started)
        words = [loop.time() - began async for event in events if isinstance(event, TextDelta)]
    assert words[0] >= 0.05
    assert words[-1] >= 0.05 + (len(words) - 1) / 200 * 0.99


async def test_an_empty_question_gets_an_answer_too() -> None:
    assert "demo model" in (await hear(" ")).text
    assert (await hear(CompletionRequest(()))).finished is not None


@given(st.text(max_size=600))
def test_no_question_breaks_its_markdown(text: str) -> None:
    answer = reply((PromptMessage(Role.USER, text),))
    fences = [line for line in answer.splitlines() if line.startswith("```")]
    assert len(fences) in {0, 2}


async def test_it_opens_like_every_provider(pools: Pools) -> None:
    provider = SPEC.open("demo", SPEC.settings(), pools)
    await provider.warm()
    assert [one.ref for one in await provider.list_models(NOBODY)] == ["demo/demo"]
    await provider.aclose()


@pytest.mark.parametrize("wrong", [{"ttft": -1}, {"tokensPerSecond": 0}, {"speed": 3}])
def test_a_wrong_setting_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        DemoSettings.model_validate(wrong)
