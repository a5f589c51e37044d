"""The rules of the provider contract as a test class: subclass it, give the fixtures, and every rule is tried.

    class TestMine(ProviderConformance):
        scenes = frozenset({Scene.ANSWER, Scene.BREAKS_OFF})

        @pytest.fixture
        def peer(self): ...        # a ServesScenes: whatever answers your provider in the test
        @pytest.fixture
        def provider(self, peer): ...
        @pytest.fixture
        def model(self): ...
        @pytest.fixture
        def credential(self): ...  # with a secret, if the provider has any

A rule that needs a scene which the peer cannot play is not collected; nothing is skipped. Needs pytest and
pytest-asyncio.
"""

# ruff: noqa: S101 - a test kit asserts

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any, ClassVar, Protocol, TypeVar

import pytest

from providers.base import (
    CompletionRequest,
    Credential,
    Finished,
    FinishReason,
    Image,
    ModelSpec,
    PromptMessage,
    Provider,
    ReasoningDelta,
    Role,
    Started,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    UsageSoFar,
    complete,
)
from providers.errors import ErrorKind, ProviderError

PATIENCE = 10.0
"""Seconds after which a rule counts as broken; far above what a busy machine needs."""

SAID = "Hello **you**, this is an answer."
"""What a peer says in every scene that has an answer, whole or in part."""

THOUGHT = "The person greets me."
CONFIDENTIAL = "my neighbour keeps an alligator in the bath"


class Scene(StrEnum):
    """What the peer does with every request until it is told otherwise."""

    ANSWER = "answer"  # says SAID and ends properly
    THOUGHTS = "thoughts"  # thinks THOUGHT, then says SAID
    ONLY_THOUGHTS = "only_thoughts"  # thinks THOUGHT and ends properly
    NOTHING = "nothing"  # ends properly without a word
    TOO_MUCH = "too_much"  # says SAID, then the limit of the output is reached
    TOOL_CALL = "tool_call"  # calls the tool "weather" with {"city": "Oslo"}
    ENDLESS = "endless"  # never stops talking
    SILENT = "silent"  # takes the request and says nothing
    ENDS_EARLY = "ends_early"  # says half of SAID; its body ends without a finish event
    BREAKS_OFF = "breaks_off"  # says half of SAID; the connection breaks
    GARBAGE = "garbage"  # says half of SAID; then bytes that mean nothing
    OVERLOADED_MIDWAY = "overloaded_midway"  # says half of SAID; then an error object: overloaded
    DROPS = "drops"  # closes the connection instead of answering
    ABSENT = "absent"  # nobody listens any more
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    RATE_LIMITED = "rate_limited"  # asks to come back after 7 seconds
    NO_QUOTA = "no_quota"
    OVERLOADED = "overloaded"
    BROKEN = "broken"
    BAD_REQUEST = "bad_request"  # its message repeats the prompt and the key
    TOO_LONG = "too_long"
    NO_MODEL = "no_model"


KINDS: Mapping[Scene, ErrorKind] = {
    Scene.ENDS_EARLY: ErrorKind.INCOMPLETE,
    Scene.BREAKS_OFF: ErrorKind.INCOMPLETE,
    Scene.GARBAGE: ErrorKind.MALFORMED,
    Scene.OVERLOADED_MIDWAY: ErrorKind.OVERLOADED,
    Scene.DROPS: ErrorKind.INCOMPLETE,
    Scene.ABSENT: ErrorKind.CONNECT,
    Scene.UNAUTHORIZED: ErrorKind.AUTH,
    Scene.FORBIDDEN: ErrorKind.PERMISSION,
    Scene.RATE_LIMITED: ErrorKind.RATE_LIMIT,
    Scene.NO_QUOTA: ErrorKind.QUOTA,
    Scene.OVERLOADED: ErrorKind.OVERLOADED,
    Scene.BROKEN: ErrorKind.SERVER,
    Scene.BAD_REQUEST: ErrorKind.BAD_REQUEST,
    Scene.TOO_LONG: ErrorKind.CONTEXT_LENGTH,
    Scene.NO_MODEL: ErrorKind.MODEL_GONE,
}
"""What each scene that fails must be called."""

MIDWAY = frozenset({Scene.ENDS_EARLY, Scene.BREAKS_OFF, Scene.GARBAGE, Scene.OVERLOADED_MIDWAY})


class ServesScenes(Protocol):
    """The other end. `play` is called before a request; the rest tells what the peer has seen."""

    def play(self, scene: Scene) -> None:
        """Treat every request from now on like this."""

    async def until_asked(self, count: int) -> None:
        """Wait until so many requests have come."""

    async def until_closed(self) -> None:
        """Wait until a request was closed by the client before it was answered."""

    def connections(self) -> int | None:
        """How many connections have carried requests; None where there are none."""


Rule = TypeVar("Rule", bound=Callable[..., Any])


def _needs(*scenes: Scene) -> Callable[[Rule], Rule]:
    def mark(rule: Rule) -> Rule:
        rule.scenes = frozenset(scenes)  # type: ignore[attr-defined]
        return rule

    return mark


class ProviderConformance:
    """Every rule that a provider has to keep.

    `scenes`: what the peer can play. `said`: the whole answer of a peer that cannot be told to say SAID.
    """

    scenes: ClassVar[frozenset[Scene]] = frozenset(Scene)
    said: ClassVar[str] = SAID

    def __init_subclass__(cls, **options: Any) -> None:
        """Leave out the rules that the peer cannot stage."""
        super().__init_subclass__(**options)
        for name in dir(ProviderConformance):
            needed: frozenset[Scene] = getattr(getattr(ProviderConformance, name), "scenes", frozenset())
            if name.startswith("test_") and not needed <= cls.scenes:
                setattr(cls, name, None)
        if not KINDS.keys() & cls.scenes:
            cls.test_what_goes_wrong_has_its_kind = None  # type: ignore[assignment]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One case for each scene that fails."""
        if "failing" in metafunc.fixturenames:
            metafunc.parametrize("failing", [scene for scene in KINDS if scene in self.scenes])

    async def test_an_answer_starts_once_ends_once_and_says_its_text_between(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """Started first, one Finished last, no empty delta, text complete and in order."""
        events = await _all(provider, model, credential)
        assert isinstance(events[0], Started)
        assert isinstance(events[-1], Finished)
        assert not any(isinstance(event, (Started, Finished)) for event in events[1:-1])
        texts = [event.text for event in events if isinstance(event, (TextDelta, ReasoningDelta))]
        assert all(texts)
        assert _text(events) == self.said
        assert events[-1].reason is FinishReason.STOP

    async def test_counted_tokens_never_shrink(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """Usage is cumulative; the last one is the Finished's."""
        events = await _all(provider, model, credential)
        counts = [event.usage.output_tokens for event in events if isinstance(event, UsageSoFar)]
        last = events[-1]
        assert isinstance(last, Finished)
        assert counts == sorted(counts)
        if last.usage is not None:
            assert last.usage.output_tokens >= max(counts, default=0)
            assert last.usage.cached_tokens <= last.usage.input_tokens

    async def test_the_whole_answer_can_be_had_at_once(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """`complete` works over the same stream."""
        async with asyncio.timeout(PATIENCE):
            text, finished = await complete(provider, model, _question(), credential)
        assert text == self.said
        assert finished.reason is FinishReason.STOP

    async def test_many_answers_at_once_are_each_whole(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """A provider serves many streams."""
        answers = await asyncio.gather(*(_all(provider, model, credential) for _ in range(20)))
        assert {_text(events) for events in answers} == {self.said}

    async def test_finished_answers_give_their_connection_back(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """Five answers in a row need one connection."""
        for _ in range(5):
            await _all(provider, model, credential)
        assert peer.connections() in {1, None}

    async def test_a_request_is_left_as_it_was(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """The same request can go to the next rung."""
        request = _question()
        before = repr(request)
        await _all(provider, model, credential, request)
        assert repr(request) == before

    async def test_odd_characters_do_not_stop_a_question(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """Lone surrogates, NUL and control characters reach providers as people sent them."""
        odd = _question("\ud800 \x00 \u202e \U0001f469\u200d\U0001f4bb")
        assert isinstance((await _all(provider, model, credential, odd))[-1], Finished)

    async def test_a_picture_is_taken_where_the_profile_says_so(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """Pictures come as bytes."""
        if model.profile.images:
            message = PromptMessage(Role.USER, "what is it?", (Image("image/png", b"\x89PNG"),))
            events = await _all(provider, model, credential, CompletionRequest((message,)))
            assert isinstance(events[-1], Finished)

    async def test_an_answer_is_continued_only_where_the_profile_says_so(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """Elsewhere a prompt that ends with the assistant is a bad request: its answer would begin anew."""
        begun = CompletionRequest((PromptMessage(Role.USER, "hi"), PromptMessage(Role.ASSISTANT, "Hel")))
        able = replace(model, profile=replace(model.profile, prefill=True))
        assert isinstance((await _all(provider, able, credential, begun))[-1], Finished)
        unable = replace(model, profile=replace(model.profile, prefill=False))
        assert (await _failure(provider, unable, credential, begun)).kind is ErrorKind.BAD_REQUEST

    async def test_warming_listing_and_closing_keep_their_promises(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """`warm` never raises, `list_models` speaks of this provider, `aclose` may come twice."""
        async with asyncio.timeout(PATIENCE):
            await provider.warm()
            listed: Sequence[ModelSpec] = await provider.list_models(credential)
            await provider.aclose()
            await provider.aclose()
        assert isinstance(provider, Provider)
        assert provider.name == model.provider
        assert all(spec.provider == provider.name for spec in listed)

    @_needs(Scene.THOUGHTS)
    async def test_thoughts_are_not_text(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """Reasoning comes apart from the answer."""
        peer.play(Scene.THOUGHTS)
        events = await _all(provider, model, credential)
        assert _text(events) == self.said
        assert "".join(event.text for event in events if isinstance(event, ReasoningDelta)) == THOUGHT

    @_needs(Scene.ONLY_THOUGHTS)
    async def test_thoughts_alone_are_an_answer_without_text(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """Saying so to the person is not the provider's business."""
        peer.play(Scene.ONLY_THOUGHTS)
        events = await _all(provider, model, credential)
        assert _text(events) == ""
        assert isinstance(events[-1], Finished)

    @_needs(Scene.NOTHING)
    async def test_an_empty_answer_is_an_answer(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """Started, Finished, nothing between."""
        peer.play(Scene.NOTHING)
        events = await _all(provider, model, credential)
        assert [type(event) for event in events if not isinstance(event, UsageSoFar)] == [Started, Finished]

    @_needs(Scene.TOO_MUCH)
    async def test_an_answer_that_hits_the_limit_says_so(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """The reason is LENGTH."""
        peer.play(Scene.TOO_MUCH)
        last = (await _all(provider, model, credential))[-1]
        assert isinstance(last, Finished)
        assert last.reason is FinishReason.LENGTH

    @_needs(Scene.TOOL_CALL)
    async def test_a_tool_call_comes_in_pieces_that_fit(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """Id and name once, arguments in order, the reason is TOOL_CALLS."""
        peer.play(Scene.TOOL_CALL)
        events = await _all(provider, model, credential)
        calls = [event for event in events if isinstance(event, ToolCallDelta)]
        assert [call.name for call in calls if call.name] == ["weather"]
        assert len([call.id for call in calls if call.id]) == 1
        assert "".join(call.arguments for call in calls).replace(" ", "") == '{"city":"Oslo"}'
        last = events[-1]
        assert isinstance(last, Finished)
        assert last.reason is FinishReason.TOOL_CALLS

    @_needs(Scene.ENDLESS)
    async def test_whoever_leaves_early_closes_the_request_at_once(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """A plain `break` is enough."""
        peer.play(Scene.ENDLESS)
        async with asyncio.timeout(PATIENCE):
            async with provider.stream(model, _question(), credential) as events:
                async for event in events:
                    if isinstance(event, TextDelta):
                        break
            await peer.until_closed()

    @_needs(Scene.SILENT)
    async def test_a_cancelled_request_is_closed_at_once(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """Also when not a byte of the answer has come."""
        peer.play(Scene.SILENT)
        task = asyncio.create_task(_all(provider, model, credential))
        await peer.until_asked(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(PATIENCE):
            await peer.until_closed()

    async def test_what_goes_wrong_has_its_kind(
        self,
        provider: Provider,
        model: ModelSpec,
        credential: Credential,
        peer: ServesScenes,
        failing: Scene,
    ) -> None:
        """The kind says what to do next; the detail holds no secret and no word of the prompt."""
        peer.play(failing)
        error = await _failure(provider, model, credential, _question(CONFIDENTIAL))
        assert error.kind is KINDS[failing]
        shown = f"{error!r} {error} {error.detail}"
        assert "alligator" not in shown
        if credential.secret is not None:
            assert credential.secret.get_secret_value() not in shown
        if failing is Scene.RATE_LIMITED:
            assert error.retry_after == 7

    @_needs(*MIDWAY)
    @pytest.mark.parametrize("scene", sorted(MIDWAY))
    async def test_what_was_said_before_an_error_is_handed_out(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes, scene: Scene
    ) -> None:
        """And no Finished follows: a cut answer is never taken for whole."""
        peer.play(scene)
        events: list[StreamEvent] = []
        with pytest.raises(ProviderError):
            await _read(provider, model, credential, _question(), events)
        said = _text(events)
        assert said
        assert SAID.startswith(said)
        assert said != SAID
        assert not any(isinstance(event, Finished) for event in events)


def _question(text: str = "hi") -> CompletionRequest:
    return CompletionRequest((PromptMessage(Role.USER, text),))


async def _read(
    provider: Provider,
    model: ModelSpec,
    credential: Credential,
    request: CompletionRequest,
    events: list[StreamEvent],
) -> None:
    async with asyncio.timeout(PATIENCE), provider.stream(model, request, credential) as stream:
        async for event in stream:
            events.append(event)  # noqa: PERF401 - what came before an error counts


async def _all(
    provider: Provider, model: ModelSpec, credential: Credential, request: CompletionRequest | None = None
) -> list[StreamEvent]:
    events: list[StreamEvent] = []
    await _read(provider, model, credential, request or _question(), events)
    return events


async def _failure(
    provider: Provider, model: ModelSpec, credential: Credential, request: CompletionRequest
) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await _read(provider, model, credential, request, [])
    return caught.value


def _text(events: Sequence[StreamEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))
