"""A provider is used no more than the settings allow: what is over is refused without being sent."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from providers import anthropic, cerebras, gemini, openai_compatible
from providers.allowance import MINUTE, Limits, Window
from providers.base import CompletionRequest, Credential, Image, PromptMessage, Provider, Role, ToolCall
from providers.errors import ErrorKind, ProviderError
from providers.http import Pools
from providers.limits import Gate, tokens_of
from tests.mock_model.client import MockModel
from tests.providers.ask import KEY, MODEL, ask, question

OTHER = Credential("mock:other", SecretStr("sk-other-key-123456"))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def refusal(gate: Gate, key: str = "k", text: str = "hi") -> ProviderError | None:
    """Why a request that is over at once is not let through; None where it is."""
    try:
        with gate.admit(key, question(text)):
            return None
    except ProviderError as error:
        return error


def test_without_limits_everything_goes_through() -> None:
    gate = Gate()
    assert [refusal(gate) for _ in range(1000)] == [None] * 1000


def test_no_minute_has_more_requests_than_allowed_and_the_refusal_says_when_to_come_back() -> None:
    clock = Clock()
    gate = Gate(Limits(requests_per_minute=2), clock)
    assert refusal(gate) is None
    clock.now += 20
    assert refusal(gate) is None
    error = refusal(gate)
    assert error is not None
    assert (error.kind, error.retry_after) == (ErrorKind.RATE_LIMIT, 40.0)
    assert "2 requests a minute" in error.detail
    clock.now += 40
    assert refusal(gate) is None
    assert refusal(gate) is not None


def test_each_key_has_limits_of_its_own() -> None:
    gate = Gate(Limits(requests_per_minute=1), Clock())
    assert [refusal(gate, key) is None for key in ("a", "a", "b")] == [True, False, True]


def test_prompts_are_counted_by_their_size() -> None:
    clock = Clock()
    gate = Gate(Limits(tokens_per_minute=100), clock)
    assert refusal(gate, text="x" * 320) is None  # 80 tokens
    error = refusal(gate, text="x" * 120)
    assert error is not None
    assert "100 tokens a minute" in error.detail
    assert refusal(gate, text="x" * 80) is None


def test_a_prompt_that_is_larger_than_the_limit_is_sent_when_nothing_else_was() -> None:
    clock = Clock()
    gate = Gate(Limits(tokens_per_minute=100), clock)
    assert refusal(gate, text="x" * 4000) is None
    assert refusal(gate) is not None
    clock.now += MINUTE
    assert refusal(gate) is None


def test_a_days_tokens_are_a_quota() -> None:
    clock = Clock()
    gate = Gate(Limits(tokens_per_day=100), clock)
    assert refusal(gate, text="x" * 400) is None
    clock.now += 3600
    error = refusal(gate)
    assert error is not None
    assert (error.kind, error.retry_after) == (ErrorKind.QUOTA, 23 * 3600)


def test_a_place_is_free_again_when_its_answer_is_over_however_it_ended() -> None:
    gate = Gate(Limits(concurrent=1), Clock())
    with gate.admit("k", question()):
        error = refusal(gate)
        assert error is not None
        assert (error.kind, error.retry_after) == (ErrorKind.RATE_LIMIT, 1.0)
    with pytest.raises(RuntimeError), gate.admit("k", question()):
        raise RuntimeError
    assert refusal(gate) is None


def test_what_is_refused_is_not_counted() -> None:
    clock = Clock()
    gate = Gate(Limits(requests_per_minute=1), clock)
    assert refusal(gate) is None
    for _ in range(10):
        clock.now += 5.9
        assert refusal(gate) is not None
    clock.now += 1.1
    assert refusal(gate) is None


def test_pictures_tools_and_calls_are_part_of_a_prompt() -> None:
    message = PromptMessage(Role.USER, "x" * 40, (Image("image/png", b"x"),))
    call = PromptMessage(Role.ASSISTANT, "", calls=(ToolCall("1", "clock", "y" * 40),))
    assert tokens_of(CompletionRequest((message,))) == 1010
    assert tokens_of(CompletionRequest((message, call))) == 1020
    assert tokens_of(CompletionRequest(())) == 1


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 30)), max_size=60))
def test_no_window_ever_holds_more_than_its_limit(asked: list[tuple[float, int]]) -> None:
    window, now, taken = Window(50, MINUTE), 0.0, []
    for pause, amount in asked:
        now += pause
        if window.wait(now, amount) == 0:
            window.take(now, amount)
            taken.append((now, amount))
        within = sum(amount for at, amount in taken if at > now - MINUTE * 59 / 60)
        assert within <= 50


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(1, 30)), min_size=1, max_size=30), st.integers(1, 50))
def test_whoever_waits_as_long_as_is_said_is_let_through(asked: list[tuple[float, int]], amount: int) -> None:
    window, now = Window(50, MINUTE), 0.0
    for pause, each in asked:
        now += pause
        if window.wait(now, each) == 0:
            window.take(now, each)
    wait = window.wait(now, amount)
    assert 0 <= wait <= MINUTE
    assert window.wait(now + wait + 1e-6, amount) <= 1e-3


DIALECTS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "openai": (openai_compatible.SPEC, "/v1", {}),
    "cerebras over HTTP": (cerebras.SPEC, "/v1", {"transport": "http"}),
    "cerebras by SDK": (cerebras.SPEC, "/v1", {"transport": "sdk"}),
    "anthropic": (anthropic.SPEC, "", {"transport": "http"}),
    "gemini": (gemini.SPEC, "", {}),
}


@pytest.fixture(params=list(DIALECTS.values()), ids=list(DIALECTS))
def limited(request: pytest.FixtureRequest, pools: Pools, mock_model: MockModel) -> Provider:
    """A provider of each dialect whose keys may ask one thing at a time and twice a minute."""
    spec, path, more = request.param
    root = mock_model.base_url.removesuffix("/v1")
    limits = {"maxConcurrent": 1, "requestsPerMinute": 2}
    settings = spec.settings.model_validate({"baseUrl": root + path, "limits": limits, **more})
    opened: Provider = spec.open("mock", settings, pools)
    return opened


async def test_what_is_over_the_limits_never_reaches_the_server(
    limited: Provider, mock_model: MockModel
) -> None:
    mock_model.script(default={"text": "fine", "hold": "go"})
    model = replace(MODEL, model="gemini-2.5-flash")
    first = asyncio.create_task(ask(limited, "one", model, KEY))
    await mock_model.wait("arrived", count=1)
    busy = await ask(limited, "two", model, KEY)
    assert busy.error is not None
    assert "1 requests at once" in busy.error.detail
    other = asyncio.create_task(ask(limited, "of another key", model, OTHER))
    await mock_model.wait("arrived", count=2)
    mock_model.release("go")
    assert (await first).text == (await other).text == "fine"
    mock_model.script(default={"text": "fine"})
    assert (await ask(limited, "three", model, KEY)).text == "fine"
    late = await ask(limited, "four", model, KEY)
    assert late.kind is ErrorKind.RATE_LIMIT
    assert len(mock_model.chats()) == 3


@pytest.mark.parametrize("wrong", [{"maxConcurrent": 0}, {"rpm": 3}, {"tokensPerDay": -1}])
def test_a_wrong_limit_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        openai_compatible.SPEC.settings.model_validate({"limits": wrong})
