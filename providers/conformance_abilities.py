"""The rules for what only some models can: a second test class, switched by what yours can.

    class TestMyAbilities(AbilityConformance):
        abilities = frozenset({Ability.TOOLS, Ability.CACHE_MARKS})

        @pytest.fixture
        def peer(self): ...        # a SeesRequests: answers, and tells what it was asked
        @pytest.fixture
        def provider(self, peer): ...
        @pytest.fixture
        def model(self): ...       # its profile must say so too: images, schema, prediction, cache_marks, reasoning
        @pytest.fixture
        def credential(self): ...  # with a secret

The fixtures `embedder` and `hearer` are asked for with Ability.EMBEDDINGS and Ability.TRANSCRIPTION alone: the models
that make vectors and write speech down. Rules of abilities that yours has not are not collected.
"""

# ruff: noqa: S101 - a test kit asserts

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any, ClassVar, TypeVar

from providers.base import (
    CompletionRequest,
    Credential,
    Effort,
    Embeds,
    Finished,
    FinishReason,
    GenerationOptions,
    Image,
    Memo,
    ModelSpec,
    PromptMessage,
    Provider,
    ReasoningDelta,
    Role,
    Schema,
    StreamEvent,
    Tool,
    ToolCall,
    ToolCallDelta,
    Transcribes,
    Usage,
    WarmsPrompts,
)
from providers.conformance_peers import PATIENCE, Scene, Seen, SeesRequests, question, read_all, text_of

WEATHER = Tool(
    "weather",
    "Tells the weather of a city",
    {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
)
CLOCK = Tool(
    "clock",
    "Tells the time",
    {"type": "object", "properties": {}, "required": [], "additionalProperties": False},
)
MOVIE = Schema(
    "movie",
    {
        "type": "object",
        "properties": {"title": {"type": "string"}, "year": {"type": "integer"}},
        "required": ["title", "year"],
        "additionalProperties": False,
    },
)
RULES = "You are a friendly helper. " * 1200
"""Some 30,000 characters: above every smallest prefix that a cache takes."""

PICTURE = Image("image/png", b"\x89PNG\r\n\x1a\nmade up")
MANY = 250
"""Texts to embed: more than any documented batch (100 of Gemini, 96 of Cohere; API references, 2026-11)."""


class Ability(StrEnum):
    """What a dialect can do beyond answering."""

    TOOLS = "tools"
    FORCED_TOOLS = "forced_tools"  # a call can be demanded
    SCHEMA = "schema"
    IMAGES = "images"
    CACHE = "cache"  # what was asked before costs less, and the usage says so
    CACHE_MARKS = "cache_marks"
    REASONING = "reasoning"
    PREDICTION = "prediction"
    EMBEDDINGS = "embeddings"
    TRANSCRIPTION = "transcription"
    WARMING = "warming"  # the prompt cache can be filled ahead of need


Rule = TypeVar("Rule", bound=Callable[..., Any])


def _needs(ability: Ability) -> Callable[[Rule], Rule]:
    def mark(rule: Rule) -> Rule:
        rule.ability = ability  # type: ignore[attr-defined]
        return rule

    return mark


class AbilityConformance:
    """Every rule of the abilities that a dialect has."""

    abilities: ClassVar[frozenset[Ability]] = frozenset(Ability)
    heard: ClassVar[str] = "hello from a voice note"
    """What the peer understands, whatever is played to it."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Leave out the rules of what it cannot."""
        super().__init_subclass__(**options)
        for name in dir(AbilityConformance):
            needed = getattr(getattr(AbilityConformance, name), "ability", None)
            if name.startswith("test_") and needed is not None and needed not in cls.abilities:
                setattr(cls, name, None)

    async def test_the_key_stands_in_a_header_and_not_in_the_address(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: SeesRequests
    ) -> None:
        """Addresses are logged by every proxy on the way."""
        await read_all(provider, model, credential)
        assert peer.seen()[-1].key_in not in ("", "query")

    async def test_what_the_conversation_says_stands_on_the_wire_in_its_order(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: SeesRequests
    ) -> None:
        """Nothing is lost, merged or moved."""
        asked = CompletionRequest((_system("Be brief."), *_turns(3), _user("and now?")))
        await read_all(provider, model, credential, asked)
        seen = peer.seen()[-1]
        assert "Be brief." in seen.system
        assert "".join(seen.texts) == "".join(message.text for message in asked.messages[1:])

    async def test_a_prompt_is_the_beginning_of_the_next_turns_prompt(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: SeesRequests
    ) -> None:
        """Byte for byte, marks aside: otherwise no cache is ever hit."""
        for turns in range(4):
            messages = (_system(RULES), *_turns(turns), _user(f"question {turns}"))
            request = CompletionRequest(
                messages, conversation="c1", stable=len(messages) - 1, tools=self._tools_of(model)
            )
            await read_all(provider, model, credential, request)
        seen = peer.seen()
        for earlier, later in itertools.pairwise(seen):
            assert earlier.prefix
            assert later.prefix.startswith(earlier.prefix)

    @_needs(Ability.TOOLS)
    async def test_tools_are_offered_by_their_names_in_their_order(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: SeesRequests
    ) -> None:
        """A changed order would miss the cache."""
        request = replace(question(), tools=(WEATHER, CLOCK), tool_choice="auto")
        await read_all(provider, model, credential, request)
        assert peer.seen()[-1].tools == ("weather", "clock")

    @_needs(Ability.TOOLS)
    async def test_no_choice_of_a_tool_is_refused(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: SeesRequests
    ) -> None:
        """Nor a choice without tools, which some servers answer with 400."""
        choices: tuple[str | None, ...] = ("auto", "none", None)
        if Ability.FORCED_TOOLS in self.abilities:
            choices += ("required", "weather")
        for choice in choices:
            request = replace(question(), tools=(WEATHER,), tool_choice=choice, parallel_tools=True)
            assert isinstance((await read_all(provider, model, credential, request))[-1], Finished)
        bare = replace(question(), tool_choice="auto", parallel_tools=True)
        assert isinstance((await read_all(provider, model, credential, bare))[-1], Finished)

    @_needs(Ability.TOOLS)
    async def test_the_result_of_a_call_goes_back_to_the_model(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: SeesRequests
    ) -> None:
        """Call and result are a pair on the wire, with what the provider wanted back."""
        peer.play(Scene.TOOL_CALL)
        request = replace(question("weather?"), tools=(WEATHER,))
        request = _answered(request, await read_all(provider, model, credential, request), "it rains")
        peer.play(Scene.ANSWER)
        last = (await read_all(provider, model, credential, request))[-1]
        assert isinstance(last, Finished)
        assert last.reason is FinishReason.STOP
        assert len(peer.seen()[-1].results) == 1
        assert "it rains" in peer.seen()[-1].results[0]

    @_needs(Ability.TOOLS)
    async def test_the_results_of_two_calls_go_back_in_their_order(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: SeesRequests
    ) -> None:
        """Also over two steps of one turn."""
        peer.play(Scene.TWO_CALLS)
        request = replace(question("weather?"), tools=(WEATHER,))
        request = _answered(request, await read_all(provider, model, credential, request), "rain", "sun")
        peer.play(Scene.TOOL_CALL)
        request = _answered(request, await read_all(provider, model, credential, request), "snow")
        peer.play(Scene.ANSWER)
        assert isinstance((await read_all(provider, model, credential, request))[-1], Finished)
        results = peer.seen()[-1].results
        assert len(results) == 3
        assert all(word in result for word, result in zip(("rain", "sun", "snow"), results, strict=True))

    @_needs(Ability.TOOLS)
    async def test_calls_that_another_model_made_can_be_read_by_this_one(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: SeesRequests
    ) -> None:
        """The rung may change between two steps: no memo, a foreign id, arguments that are no JSON."""
        call = ToolCall("chatcmpl-tool-0a1b2c:0", "weather", '{"city": "Os')
        spoke = PromptMessage(Role.ASSISTANT, "I look.", calls=(call,))
        result = PromptMessage(Role.TOOL, "it rains", call_id=call.id)
        request = CompletionRequest((_user("weather?"), spoke, result), tools=(WEATHER,))
        assert isinstance((await read_all(provider, model, credential, request))[-1], Finished)

    @_needs(Ability.SCHEMA)
    async def test_a_schema_reaches_the_model(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: SeesRequests
    ) -> None:
        """With its fields."""
        await read_all(provider, model, credential, replace(question(), schema=MOVIE))
        schema = peer.seen()[-1].schema
        assert schema is not None
        assert set(schema["properties"]) == {"title", "year"}

    @_needs(Ability.IMAGES)
    async def test_a_picture_arrives_byte_for_byte(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: SeesRequests
    ) -> None:
        """Also without a word beside it."""
        for text in ("what is it?", ""):
            message = PromptMessage(Role.USER, text, (PICTURE,))
            await read_all(provider, model, credential, CompletionRequest((message,)))
            assert peer.seen()[-1].images == (PICTURE.data,)

    @_needs(Ability.CACHE_MARKS)
    async def test_the_stable_beginning_is_marked_and_never_too_often(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: SeesRequests
    ) -> None:
        """At most as often as the profile allows, however long the conversation."""
        for turns in (0, 1, 30):
            messages = (_system(RULES), *_turns(turns), _user("and now?"))
            request = CompletionRequest(
                messages, conversation="c1", stable=len(messages) - 1, tools=self._tools_of(model)
            )
            await read_all(provider, model, credential, request)
            assert 1 <= peer.seen()[-1].marks <= model.profile.cache_marks

    @_needs(Ability.CACHE)
    async def test_a_turn_reads_from_the_cache_what_the_turn_before_wrote(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: SeesRequests
    ) -> None:
        """All but the newest messages, turn after turn; needs a peer that keeps a cache."""
        counted: list[Usage] = []
        for turns in range(5):
            messages = (_system(RULES), *_turns(turns), _user(f"question {turns}"))
            request = CompletionRequest(
                messages, conversation="c1", stable=len(messages) - 1, tools=self._tools_of(model)
            )
            last = (await read_all(provider, model, credential, request))[-1]
            assert isinstance(last, Finished)
            assert last.usage is not None
            counted.append(last.usage)
        assert counted[0].cached_tokens == 0
        assert all(usage.cached_tokens >= 0.9 * usage.input_tokens for usage in counted[1:])

    @_needs(Ability.REASONING)
    async def test_every_effort_is_taken_and_off_differs_from_high(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: SeesRequests
    ) -> None:
        """In whatever words the model's family has for it."""
        said: dict[Effort | None, Seen] = {}
        for effort in (None, *Effort):
            request = replace(question(), options=GenerationOptions(effort=effort, max_output=32_000))
            assert isinstance((await read_all(provider, model, credential, request))[-1], Finished)
            said[effort] = peer.seen()[-1]
        assert said[Effort.OFF].reasoning != said[Effort.HIGH].reasoning

    @_needs(Ability.REASONING)
    async def test_thoughts_beside_a_call_do_not_break_the_next_step(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: SeesRequests
    ) -> None:
        """What was thought goes back where the provider wants it, and only there."""
        peer.play(Scene.THOUGHTS)
        options = GenerationOptions(effort=Effort.HIGH, max_output=32_000)
        request = replace(question(), options=options)
        events = await read_all(provider, model, credential, request)
        spoke = PromptMessage(Role.ASSISTANT, text_of(events), memo=_memo(events))
        again = replace(request, messages=(*request.messages, spoke, _user("go on")))
        assert isinstance((await read_all(provider, model, credential, again))[-1], Finished)
        thoughts = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
        assert thoughts
        assert thoughts not in "".join(peer.seen()[-1].texts)

    @_needs(Ability.PREDICTION)
    async def test_a_prediction_reaches_the_model(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: SeesRequests
    ) -> None:
        """Most of the answer is known: it comes sooner."""
        await read_all(provider, model, credential, replace(question(), prediction="def f(): ..."))
        assert peer.seen()[-1].prediction == "def f(): ..."

    @_needs(Ability.WARMING)
    async def test_a_cache_is_filled_without_an_answer(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: SeesRequests
    ) -> None:
        """Only what is stable, and marked as the next request will mark it."""
        assert isinstance(provider, WarmsPrompts)
        messages = (_system(RULES), *_turns(2), _user("and now?"))
        request = CompletionRequest(messages, conversation="c1", stable=len(messages) - 1)
        async with asyncio.timeout(PATIENCE):
            usage = await provider.warm_prompt(model, request, credential)
        assert usage.output_tokens == 0
        assert peer.seen()[-1].marks >= 1

    @_needs(Ability.EMBEDDINGS)
    async def test_every_text_has_its_vector_of_unit_length(
        self, provider: Provider, embedder: ModelSpec, credential: Credential, peer: SeesRequests
    ) -> None:
        """In their order, however many: batches are the provider's business."""
        texts = [f"text {number}" for number in range(MANY)]
        vectors = await self._embed(provider, embedder, texts, credential)
        assert len(vectors) == MANY
        assert all(math.isclose(math.hypot(*vector), 1.0, abs_tol=1e-3) for vector in vectors)
        for number in (0, 99, 100, MANY - 1):
            (alone,) = await self._embed(provider, embedder, texts[number : number + 1], credential)
            assert list(alone) == list(vectors[number])

    @_needs(Ability.EMBEDDINGS)
    async def test_no_text_has_no_vector(
        self, provider: Provider, embedder: ModelSpec, credential: Credential, peer: SeesRequests
    ) -> None:
        """And costs no request."""
        assert list(await self._embed(provider, embedder, [], credential)) == []

    @_needs(Ability.TRANSCRIPTION)
    async def test_speech_is_written_down(
        self, provider: Provider, hearer: ModelSpec, credential: Credential, peer: SeesRequests
    ) -> None:
        """Of every kind that channels hand over; white space around it is not part of it."""
        assert isinstance(provider, Transcribes)
        for mime in (
            "audio/ogg",
            "audio/mpeg",
            "audio/mp4",
            "audio/wav",
            "audio/webm",
            "audio/ogg; codecs=opus",
        ):
            async with asyncio.timeout(PATIENCE):
                assert await provider.transcribe(hearer, b"made up", mime, credential) == self.heard

    def _tools_of(self, model: ModelSpec) -> tuple[Tool, ...]:
        return (WEATHER,) if Ability.TOOLS in self.abilities else ()

    async def _embed(
        self, provider: Provider, embedder: ModelSpec, texts: Sequence[str], credential: Credential
    ) -> Sequence[Sequence[float]]:
        assert isinstance(provider, Embeds)
        async with asyncio.timeout(PATIENCE):
            return await provider.embed(embedder, texts, credential)


def _system(text: str) -> PromptMessage:
    return PromptMessage(Role.SYSTEM, text)


def _user(text: str) -> PromptMessage:
    return PromptMessage(Role.USER, text)


def _turns(count: int) -> tuple[PromptMessage, ...]:
    """So many questions with their answers."""
    said: list[PromptMessage] = []
    for turn in range(count):
        said += [_user(f"question {turn}"), PromptMessage(Role.ASSISTANT, f"answer {turn}")]
    return tuple(said)


def _answered(request: CompletionRequest, events: Sequence[StreamEvent], *results: str) -> CompletionRequest:
    """The request of the next step: what the model called, and what came of it."""
    deltas = [event for event in events if isinstance(event, ToolCallDelta)]
    calls: list[ToolCall] = []
    for index in dict.fromkeys(delta.index for delta in deltas):
        own = [delta for delta in deltas if delta.index == index]
        parts = ("".join(delta.id for delta in own), "".join(delta.name for delta in own))
        calls.append(ToolCall(*parts, "".join(delta.arguments for delta in own)))
    spoke = PromptMessage(Role.ASSISTANT, text_of(events), calls=tuple(calls), memo=_memo(events))
    told = [
        PromptMessage(Role.TOOL, text, call_id=call.id) for call, text in zip(calls, results, strict=True)
    ]
    return replace(request, messages=(*request.messages, spoke, *told))


def _memo(events: Sequence[StreamEvent]) -> str:
    return next((event.data for event in events if isinstance(event, Memo)), "")
