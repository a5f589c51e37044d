"""Where the prompt is marked for the cache."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from providers.anthropic_marks import LOOK_BACK, Caching
from providers.anthropic_memo import memo_of
from providers.anthropic_request import Style, request_body
from providers.base import CompletionRequest, GenerationOptions, ModelSpec, PromptMessage, Role, Tool
from tests.mock_model.dialects import anthropic_rules
from tests.providers.anthropic_peer import MODEL

SYSTEM = PromptMessage(Role.SYSTEM, "Be brief.")
TOOL = Tool("weather", "", {"type": "object"})
SHORT = {"type": "ephemeral"}
LONG = {"type": "ephemeral", "ttl": "1h"}


def chat(turns: int) -> tuple[PromptMessage, ...]:
    roles = (Role.USER, Role.ASSISTANT)
    return (SYSTEM, *(PromptMessage(roles[at % 2], f"line {at}") for at in range(turns)))


def made(
    messages: tuple[PromptMessage, ...],
    stable: int,
    *,
    tools: tuple[Tool, ...] = (),
    caching: Caching = Caching.STABLE,
    ttl: str = "",
    model: ModelSpec = MODEL,
) -> dict[str, Any]:
    params = {"cacheControlTtl": ttl} if ttl else {}
    request = CompletionRequest(messages, GenerationOptions(params=params), stable=stable, tools=tools)
    return request_body(model, request, Style({}, caching))


def marked(body: dict[str, Any]) -> list[str]:
    """The places of all marks, in the order in which the server counts them."""
    blocks = [(f"tool {one['name']}", one) for one in body.get("tools", [])]
    blocks += [(f"system {at}", one) for at, one in enumerate(body.get("system", []))]
    for message in body["messages"]:
        blocks += [(str(one.get("text", one["type"])), one) for one in message["content"]]
    return [name for name, block in blocks if "cache_control" in block]


def test_tools_system_and_stable_messages_are_marked_at_their_ends() -> None:
    body = made(chat(4), stable=4, tools=(TOOL,))
    assert marked(body) == ["tool weather", "system 0", "line 2"]
    assert all(mark == SHORT for mark in anthropic_rules.marks(body))


def test_what_is_not_said_to_be_stable_is_not_marked() -> None:
    assert marked(made(chat(4), stable=0, tools=(TOOL,))) == []
    assert marked(made(chat(4), stable=1)) == ["system 0"]


def test_an_hour_is_said_in_every_mark() -> None:
    body = made(chat(4), stable=5, ttl="1h")
    assert anthropic_rules.marks(body) == [LONG, LONG]


def test_five_minutes_need_no_word() -> None:
    assert anthropic_rules.marks(made(chat(2), stable=3, ttl="5m")) == [SHORT, SHORT]


def test_a_long_prompt_has_a_mark_further_back_and_never_more_than_four() -> None:
    body = made(chat(60), stable=61, tools=(TOOL,))
    assert marked(body) == ["tool weather", "system 0", f"line {60 - LOOK_BACK}", "line 59"]


def test_a_model_that_takes_fewer_marks_gets_the_ones_that_count_most() -> None:
    few = replace(MODEL, profile=replace(MODEL.profile, cache_marks=2))
    assert marked(made(chat(60), stable=61, tools=(TOOL,), model=few)) == ["system 0", "line 59"]


def test_the_servers_own_mark_counts_as_one() -> None:
    body = made(chat(60), stable=61, tools=(TOOL,), caching=Caching.AUTOMATIC, ttl="1h")
    assert body["cache_control"] == LONG
    assert len(anthropic_rules.marks(body)) == 4
    assert marked(body) == ["system 0", f"line {60 - LOOK_BACK}", "line 59"]


def test_caching_can_be_switched_off() -> None:
    body = made(chat(4), stable=5, caching=Caching.OFF)
    assert anthropic_rules.marks(body) == []


def test_what_is_below_the_models_minimum_is_not_marked() -> None:
    small = replace(MODEL, profile=replace(MODEL.profile, cache_min=512))
    assert marked(made(chat(4), stable=5, model=small)) == []
    large = (replace(SYSTEM, text="word " * 600), *chat(4)[1:])
    assert marked(made(large, stable=5, model=small)) == ["system 0", "line 3"]


@pytest.mark.parametrize("text", ["漢" * 600, "я" * 1000], ids=["chinese", "russian"])
def test_scripts_with_many_tokens_to_a_character_are_not_underrated(text: str) -> None:
    small = replace(MODEL, profile=replace(MODEL.profile, cache_min=512))
    messages = (replace(SYSTEM, text=text), *chat(1)[1:])
    assert marked(made(messages, stable=1, model=small)) == ["system 0"]


def test_thoughts_carry_no_mark() -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    memo = memo_of(MODEL.model, [{"type": "text", "length": 2}, thought])
    said = PromptMessage(Role.ASSISTANT, "Hi", memo=memo)
    body = made((SYSTEM, PromptMessage(Role.USER, "hi"), said, PromptMessage(Role.USER, "so?")), stable=3)
    assert marked(body) == ["system 0", "Hi"]
    assert anthropic_rules.broken(body) is None


@pytest.mark.parametrize("stable", range(62))
def test_every_way_of_marking_is_one_that_the_server_takes(stable: int) -> None:
    for caching in Caching:
        body = made(chat(61), stable=stable, tools=(TOOL,), caching=caching, ttl="1h")
        assert anthropic_rules.broken(body) is None
