"""Sick models over the real wire: people get a whole answer or a plain reason within seconds, and few calls are wasted.

One daemon a story, its page, and a mock model that stands for two providers: `sick`, asked first, and `well`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.canary import canary
from tests.mock_model.client import MockModel
from tests.story.running import Daemon, config, daemon
from tests.story.test_web import Page, page

pytestmark = pytest.mark.slow  # each starts a real daemon, about a second

WHOLE = "well, this is the whole answer"
BACK = "sick no more, this is the whole answer"
TOKEN = f"a-{canary('failures')}-of-the-failure-stories"
SIXTY = [f"w{number} " for number in range(60)]
EVENTS = {"Content-Type": "text/event-stream"}


def settings(address: str, *, alone: bool = False) -> dict[str, Any]:
    """Two providers behind one address; `alone`: only the sick one is asked."""
    providers = {
        "sick": {"id": "s", "contextWindow": 32_000},
        "well": {"id": "w", "contextWindow": 64_000},
    }
    whole = config("", api={"accounts": {"main": {"token": TOKEN}}})
    whole["models"] = {
        "detectLocal": False,
        "providers": {
            name: {"baseUrl": address, "api": "openai-completions", "models": [model]}
            for name, model in providers.items()
        },
    }
    ladder = {"primary": "sick/s", "fallbacks": [] if alone else ["well/w"]}
    whole["agents"] = {"defaults": {"model": ladder}}
    return whole


@asynccontextmanager
async def asking(
    home: Path, model: MockModel, *sick: Mapping[str, Any], alone: bool = False
) -> AsyncIterator[tuple[Daemon, Page]]:
    """A daemon and its page; `sick`: what the sick provider does with each request in turn."""
    model.config(models=["s", "w"])
    model.script(*({"model": "s", **each} for each in sick), {"model": "w", "text": WHOLE})
    async with daemon(home, settings(model.base_url, alone=alone)) as running, page(running) as shown:
        yield running, shown


def calls(model: MockModel, name: str = "s") -> int:
    """Requests for an answer that reached one of the two."""
    return sum(one["body"]["model"] == name for one in model.chats())


async def ask(shown: Page, number: int, within: float = 20.0) -> str:
    """A question; what stands there when its answer is over."""
    before = set(shown.shown)
    async with asyncio.timeout(within):
        await shown.say(f"question {number}", number)
        await shown.until(lambda frame: frame["t"] == "note", within)
    return "".join(text for key, text in shown.shown.items() if key not in before)


@dataclass(frozen=True, slots=True)
class Case:
    """What the sick one does, what a person reads within so many seconds, and the most calls that it costs."""

    does: Sequence[Mapping[str, Any]]
    reads: str = WHOLE
    calls: int = 1
    within: float = 20.0
    alone: bool = False


FOR_EVER: Mapping[str, Any] = {"times": 1000}
ENDS_WELL = {"text": BACK}
LIMITED = {"status": 429, "headers": {"Retry-After": "1"}}
CASES = {
    "one 429 with a short Retry-After": Case([{**LIMITED, "times": 1}, ENDS_WELL], BACK, 2, alone=True),
    "429 for ever": Case([{"status": 429, "headers": {"Retry-After": "60"}}]),
    "429 for ever, without saying how long": Case([{"status": 429}]),
    "500 once": Case([{"status": 500, "times": 1}, ENDS_WELL], BACK, 2, alone=True),
    "500 for ever": Case([{"status": 500}], calls=2),
    "503 for ever": Case([{"status": 503}]),
    "a reset before the first word": Case([{"fault": "reset", "text": BACK}], calls=2),
    "a reset after ten words": Case([{"fault": "reset", "tokens": SIXTY, "after": 10, "gap": 0.02}], calls=2),
    "silence": Case([{"fault": "silent"}]),
    "a first word after a minute": Case([{"ttft": 60.0, "text": BACK}]),
    "cut at 40 of 60 words": Case([{"fault": "drop", "tokens": SIXTY, "after": 40, "gap": 0.01}], calls=2),
    "a stall in the middle": Case(
        [{"fault": "stall", "tokens": SIXTY, "after": 10, "gap": 0.01}], within=30.0
    ),
    "a bad chunk": Case([{"fault": "malformed", "tokens": SIXTY, "after": 5}], calls=2),
    "bytes that are no text": Case([{"fault": "garbage", "tokens": SIXTY, "after": 5}], calls=2),
    "no end marker": Case([{"fault": "eof", "tokens": SIXTY, "after": 30}], calls=2),
    "a context that is too long for it": Case([{"problem": "too_long"}]),
}


@pytest.mark.parametrize("name", CASES)
async def test_people_get_a_whole_answer(name: str, tmp_path: Path, mock_model: MockModel) -> None:
    case = CASES[name]
    async with asking(tmp_path / "home", mock_model, *case.does, alone=case.alone) as (_, shown):
        assert await ask(shown, 1, case.within) == case.reads
        assert calls(mock_model) <= case.calls


PLAIN: Mapping[str, tuple[Mapping[str, Any], str, int]] = {
    "429 for ever": ({"status": 429, "headers": {"Retry-After": "60"}}, "its rate limit is reached", 1),
    "503 for ever": ({"status": 503}, "it is overloaded", 1),
    "500 for ever": ({"status": 500}, "its server failed", 2),
    "a context that is too long": ({"problem": "too_long"}, "the conversation is too long for it", 1),
    "a content filter": ({"problem": "filtered"}, "content filter", 1),
}


@pytest.mark.parametrize("name", PLAIN)
async def test_where_nobody_else_is_left_people_read_why(
    name: str, tmp_path: Path, mock_model: MockModel
) -> None:
    does, reason, most = PLAIN[name]
    async with asking(tmp_path / "home", mock_model, does, alone=True) as (_, shown):
        await shown.say("question", 1)
        await shown.until_shown(reason)
        assert calls(mock_model) <= most


async def test_a_refused_question_is_told_nobody_else(tmp_path: Path, mock_model: MockModel) -> None:
    async with asking(tmp_path / "home", mock_model, {"problem": "filtered"}) as (_, shown):
        await shown.say("question", 1)
        await shown.until_shown("content filter")
        assert (calls(mock_model), calls(mock_model, "w")) == (1, 0)


async def test_a_model_that_is_down_is_soon_left_alone(tmp_path: Path, mock_model: MockModel) -> None:
    async with asking(tmp_path / "home", mock_model, {"status": 503}) as (_, shown):
        for number in range(15):
            assert await ask(shown, number) == WHOLE
        assert calls(mock_model) <= 5, "five failures open its breaker"


async def test_while_a_model_flaps_everybody_is_answered(tmp_path: Path, mock_model: MockModel) -> None:
    flaps = [
        each
        for _ in range(10)
        for each in ({"status": 503, "times": 1}, {"text": BACK, "times": 1}, {"fault": "reset", "times": 1})
    ]
    async with asking(tmp_path / "home", mock_model, *flaps, {"text": BACK}) as (_, shown):
        for number in range(20):
            assert await ask(shown, number) in (WHOLE, BACK)
        assert calls(mock_model) <= 30


async def test_silence_costs_one_second_rather_than_the_deadline(
    tmp_path: Path, mock_model: MockModel
) -> None:
    async with asking(tmp_path / "home", mock_model, {"fault": "silent"}) as (running, shown):
        assert await ask(shown, 1) == WHOLE
        assert calls(mock_model, "w") == 1
        await running.logged("turn finished")
        won = {"provider": "well", "outcome": "won"}
        assert await running.metric("firstword_hedges_total", **won) == 1, "asked beside it, not after it"


async def test_what_is_told_to_a_program_is_what_the_answer_took(
    tmp_path: Path, mock_model: MockModel
) -> None:
    counted = {"model": "w", "text": WHOLE, "prompt_tokens": 120, "completion_tokens": 9}
    mock_model.config(models=["s", "w"])
    mock_model.script({"model": "s", "fault": "drop", "tokens": SIXTY, "after": 40}, counted)
    async with daemon(tmp_path / "home", settings(mock_model.base_url)) as running:
        body = {"model": "auto", "messages": [{"role": "user", "content": "hello"}]}
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            where = f"{running.address}/v1/chat/completions"
            async with session.post(where, json=body, timeout=aiohttp.ClientTimeout(30)) as response:
                said = await response.json()
    assert response.status == 200, said
    assert said["choices"][0]["message"]["content"] == WHOLE
    assert (said["usage"]["prompt_tokens"], said["usage"]["completion_tokens"]) == (120, 9)


@pytest.mark.parametrize("name", CASES)
async def test_programs_get_a_whole_answer(name: str, tmp_path: Path, mock_model: MockModel) -> None:
    case = CASES[name]
    async with asking(tmp_path / "home", mock_model, *case.does, alone=case.alone) as (running, _):
        body = {"model": "auto", "messages": [{"role": "user", "content": "question"}]}
        headers = {"Authorization": f"Bearer {TOKEN}", "X-Firstword-Latency": "semi-sync"}
        limit = aiohttp.ClientTimeout(case.within)
        where = f"{running.address}/v1/chat/completions"
        async with (
            aiohttp.ClientSession(headers=headers, timeout=limit) as session,
            session.post(where, json=body) as response,
        ):
            said = await response.json()
        assert response.status == 200, said
        assert said["choices"][0]["message"]["content"] == case.reads
        assert said["choices"][0]["finish_reason"] == "stop"
        assert calls(mock_model) <= case.calls


async def test_a_fallback_that_refuses_to_continue_answers_from_the_start(
    tmp_path: Path, mock_model: MockModel
) -> None:
    """Its profile says that it continues an answer; its server says no."""
    chosen = "claude-haiku-4-5"
    made = settings(mock_model.base_url)
    made["models"]["providers"]["well"] = {
        "baseUrl": mock_model.root_url,
        "api": "anthropic-messages",
        "apiKey": "key-of-the-well-one",
        "models": [{"id": chosen}],
    }
    made["agents"]["defaults"]["model"]["fallbacks"] = [f"well/{chosen}"]
    mock_model.config(models=["s", chosen])
    mock_model.script(
        {"model": "s", "fault": "drop", "tokens": SIXTY, "after": 40, "gap": 0.01},
        {"model": chosen, "status": 400, "error": {"message": "it does not support prefill"}, "times": 1},
        {"model": chosen, "text": WHOLE},
    )
    async with daemon(tmp_path / "home", made) as running, page(running) as shown:
        assert await ask(shown, 1) == WHOLE
    ends = [
        one["body"]["messages"][-1]["role"] for one in mock_model.chats() if one["body"]["model"] == chosen
    ]
    assert ends == ["assistant", "user"]
