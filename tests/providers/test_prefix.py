"""The prompt of a turn stays, byte for byte, the beginning of the next turn's: whatever is said, in every dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from providers import anthropic_request, cerebras_request, gemini_request, openai_request
from providers.base import (
    CompletionRequest,
    Effort,
    GenerationOptions,
    Image,
    ModelSpec,
    PromptMessage,
    Role,
    Tool,
    ToolCall,
)
from providers.conformance_abilities import CLOCK, WEATHER
from providers.profile import CacheStyle, ModelProfile, ReasoningStyle
from tests.generated import generated
from tests.mock_model.views import unmarked
from tests.providers import anthropic_peer, cerebras_peer, gemini_peer
from tests.providers.dialects import DIALECTS

Body = Mapping[str, Any]
Way = Callable[[CompletionRequest], Body]

MARKED = ModelSpec(
    "openrouter", "anthropic/claude", profile=ModelProfile(images=True, cache=CacheStyle.MARKS, cache_marks=4)
)
NO_THINK = ModelSpec("mock", "qwen", profile=ModelProfile(reasoning=ReasoningStyle.NO_THINK))


def openai(model: ModelSpec) -> Way:
    return lambda request: openai_request.request_body(model, request, {"top_p": 0.9}, "session_id")


def cerebras(model: ModelSpec) -> Way:
    return lambda request: cerebras_request.request_body(model, request, cerebras_request.Style({"seed": 7}))


def anthropic(model: ModelSpec) -> Way:
    return lambda request: anthropic_request.request_body(model, request, anthropic_request.Style({}))


def gemini(model: ModelSpec) -> Way:
    return lambda request: gemini_request.request_body(
        model, request, gemini_request.prompt_of(model, request.messages), {"topP": 0.9}
    )


WAYS: Mapping[str, tuple[Way, str]] = {
    "openai": (openai(DIALECTS["openai"].model), "messages"),
    "openrouter with marks": (openai(MARKED), "messages"),
    "a model with a suffix": (openai(NO_THINK), "messages"),
    "ollama": (openai(DIALECTS["ollama"].model), "messages"),
    "cerebras": (cerebras(cerebras_peer.MODEL), "messages"),
    "cerebras with a suffix": (cerebras(cerebras_peer.SUFFIX), "messages"),
    "anthropic": (anthropic(anthropic_peer.MODEL), "messages"),
    "anthropic, adaptive": (anthropic(anthropic_peer.ADAPTIVE), "messages"),
    "anthropic, budget": (anthropic(anthropic_peer.BUDGET), "messages"),
    "gemini, levels": (gemini(gemini_peer.MODEL), "contents"),
    "gemini, budget": (gemini(gemini_peer.FLASH_25), "contents"),
}

TEXTS = st.text(st.characters(codec=None), max_size=30) | st.sampled_from(
    ["", " ", "\n", '"]}', "/no_think", "é\ud800", "\x00", "{}"]
)
ARGUMENTS = st.sampled_from(['{"city": "Oslo"}', "{}", "", '{"city": "Os', "[1]"])


@st.composite
def turn(draw: st.DrawFn) -> list[PromptMessage]:
    """What somebody says, the calls of the model and their results, and what it says to that."""
    pictures = draw(st.sampled_from([(), (), (), (Image("image/png", b"\x89PNG"),)]))
    said = [PromptMessage(Role.USER, draw(TEXTS), pictures)]
    for step in range(draw(st.integers(0, 2))):
        calls = tuple(
            ToolCall(f"c{step}{at}", draw(st.sampled_from(["weather", "clock"])), draw(ARGUMENTS))
            for at in range(draw(st.integers(1, 2)))
        )
        said.append(
            PromptMessage(Role.ASSISTANT, draw(TEXTS), calls=calls, memo=draw(st.sampled_from(["", "{}"])))
        )
        said += [PromptMessage(Role.TOOL, draw(TEXTS), call_id=call.id) for call in calls]
    return [*said, PromptMessage(Role.ASSISTANT, draw(TEXTS))]


@st.composite
def conversations(draw: st.DrawFn) -> tuple[list[PromptMessage], list[list[PromptMessage]]]:
    """What stands before it all, and the turns."""
    rules = [PromptMessage(Role.SYSTEM, text) for text in draw(st.lists(TEXTS, max_size=2))]
    return rules, draw(st.lists(turn(), min_size=2, max_size=5))


def requests(
    rules: Sequence[PromptMessage], turns: Sequence[Sequence[PromptMessage]], tools: tuple[Tool, ...]
) -> list[tuple[CompletionRequest, bool]]:
    """Every request of a conversation, as the daemon makes them, and whether all of it comes again.

    A picture is sent with its own question alone.
    """
    options = GenerationOptions(effort=Effort.OFF, temperature=0.5, max_output=16_000)
    made: list[tuple[CompletionRequest, bool]] = []
    past = list(rules)
    for said in turns:
        for at, message in enumerate(said):
            if message.role is Role.ASSISTANT:
                messages, is_stable = (*past, *said[:at]), not said[0].images
                stable = len(messages) if is_stable else len(past)
                made.append((CompletionRequest(messages, options, "c1", stable, tools=tools), is_stable))
        past += [replace(message, images=()) for message in said]
    return made


def bytes_of(body: Body, field: str) -> bytes:
    """The body up to its messages, which the server's cache goes by: marks are no part of it."""
    front = {name: value for name, value in body.items() if name not in {field, "stream"}}
    return openai_request.encode(unmarked(front)) + openai_request.encode({field: unmarked(body[field])})


@generated
@given(conversation=conversations(), has_tools=st.booleans())
def test_the_stable_beginning_of_a_turn_begins_the_next(
    conversation: tuple[list[PromptMessage], list[list[PromptMessage]]], has_tools: bool
) -> None:
    made = requests(*conversation, tools=(WEATHER, CLOCK) if has_tools else ())
    for name, (way, field) in WAYS.items():
        beginning = b""
        for request, is_stable in made:
            body = bytes_of(way(request), field)
            assert body.startswith(beginning), name
            if is_stable:
                beginning = body.rstrip(b'"]}')
