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

A rule that needs a scene which the peer cannot play is not collected; nothing is skipped. Tools, schemas, pictures,
cache marks, reasoning and vectors have a kit of their own: providers.conformance_abilities. Needs pytest and
pytest-asyncio.
"""

# ruff: noqa: S101 - a test kit asserts

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

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
from providers.conformance_peers import (
    CONFIDENTIAL,
    KINDS,
    MIDWAY,
    PATIENCE,
    SAID,
    THOUGHT,
    WAITS,
    Scene,
    ServesScenes,
    needs,
    question,
    read,
    read_all,
    text_of,
)
from providers.errors import ErrorKind, ProviderError

__all__ = [
    "CONFIDENTIAL",
    "KINDS",
    "MIDWAY",
    "PATIENCE",
    "SAID",
    "THOUGHT",
    "WAITS",
    "ProviderConformance",
    "Scene",
    "ServesScenes",
]


class ProviderConformance:
    """Every rule that a provider has to keep.

    `scenes`: what the peer can play. `said`: the whole answer of a peer that cannot be told to say SAID.
    """

    pytestmark = pytest.mark.asyncio
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
        events = await read_all(provider, model, credential)
        assert isinstance(events[0], Started)
        assert isinstance(events[-1], Finished)
        assert not any(isinstance(event, (Started, Finished)) for event in events[1:-1])
        texts = [event.text for event in events if isinstance(event, (TextDelta, ReasoningDelta))]
        assert all(texts)
        assert text_of(events) == self.said
        assert events[-1].reason is FinishReason.STOP

    async def test_counted_tokens_never_shrink(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """Usage is cumulative; the last one is the Finished's."""
        events = await read_all(provider, model, credential)
        counts = [event.usage.output_tokens for event in events if isinstance(event, UsageSoFar)]
        last = events[-1]
        assert isinstance(last, Finished)
        assert counts == sorted(counts)
        if last.usage is not None:
            assert last.usage.output_tokens >= max(counts, default=0)
            assert last.usage.cached_tokens + last.usage.cache_write_tokens <= last.usage.input_tokens

    async def test_the_whole_answer_can_be_had_at_once(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """`complete` works over the same stream."""
        async with asyncio.timeout(PATIENCE):
            text, finished = await complete(provider, model, question(), credential)
        assert text == self.said
        assert finished.reason is FinishReason.STOP

    async def test_many_answers_at_once_are_each_whole(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """A provider serves many streams."""
        answers = await asyncio.gather(*(read_all(provider, model, credential) for _ in range(20)))
        assert {text_of(events) for events in answers} == {self.said}

    async def test_finished_answers_give_their_connection_back(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """Ten answers in a row need one connection."""
        for _ in range(10):
            await read_all(provider, model, credential)
        assert peer.connections() in {1, None}

    async def test_a_request_is_left_as_it_was(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """The same request can go to the next rung."""
        request = question()
        before = repr(request)
        await read_all(provider, model, credential, request)
        assert repr(request) == before

    async def test_odd_characters_do_not_stop_a_question(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """Lone surrogates, NUL and control characters reach providers as people sent them."""
        odd = question("\ud800 \x00 \u202e \U0001f469\u200d\U0001f4bb")
        assert isinstance((await read_all(provider, model, credential, odd))[-1], Finished)

    async def test_a_picture_is_taken_where_the_profile_says_so(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """Pictures come as bytes."""
        if model.profile.images:
            message = PromptMessage(Role.USER, "what is it?", (Image("image/png", b"\x89PNG"),))
            events = await read_all(provider, model, credential, CompletionRequest((message,)))
            assert isinstance(events[-1], Finished)

    async def test_an_answer_is_continued_only_where_the_profile_says_so(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """Elsewhere a prompt that ends with the assistant is a bad request: its answer would begin anew."""
        begun = CompletionRequest((PromptMessage(Role.USER, "hi"), PromptMessage(Role.ASSISTANT, "Hel")))
        able = replace(model, profile=replace(model.profile, prefill=True))
        assert isinstance((await read_all(provider, able, credential, begun))[-1], Finished)
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

    @needs(Scene.THOUGHTS)
    async def test_thoughts_are_not_text(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """Reasoning comes apart from the answer."""
        peer.play(Scene.THOUGHTS)
        events = await read_all(provider, model, credential)
        assert text_of(events) == self.said
        assert "".join(event.text for event in events if isinstance(event, ReasoningDelta)) == THOUGHT

    @needs(Scene.ONLY_THOUGHTS)
    async def test_thoughts_alone_are_an_answer_without_text(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """Saying so to the person is not the provider's business."""
        peer.play(Scene.ONLY_THOUGHTS)
        events = await read_all(provider, model, credential)
        assert text_of(events) == ""
        assert isinstance(events[-1], Finished)

    @needs(Scene.NOTHING)
    async def test_an_empty_answer_is_an_answer(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """Started, Finished, nothing between."""
        peer.play(Scene.NOTHING)
        events = await read_all(provider, model, credential)
        assert [type(event) for event in events if not isinstance(event, UsageSoFar)] == [Started, Finished]

    @needs(Scene.TOO_MUCH)
    async def test_an_answer_that_hits_the_limit_says_so(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """The reason is LENGTH."""
        peer.play(Scene.TOO_MUCH)
        last = (await read_all(provider, model, credential))[-1]
        assert isinstance(last, Finished)
        assert last.reason is FinishReason.LENGTH

    @needs(Scene.FILTERED)
    async def test_an_answer_that_a_filter_ended_says_so(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """The reason is CONTENT_FILTER."""
        peer.play(Scene.FILTERED)
        last = (await read_all(provider, model, credential))[-1]
        assert isinstance(last, Finished)
        assert last.reason is FinishReason.CONTENT_FILTER

    @needs(Scene.SLOW)
    async def test_a_slow_first_word_is_no_failure(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """How long to wait is not the provider's business."""
        peer.play(Scene.SLOW)
        assert text_of(await read_all(provider, model, credential)) == self.said

    @needs(Scene.NEGATIVE)
    async def test_counted_tokens_are_never_fewer_than_none(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """What a server counts wrongly lowers nobody's bill."""
        peer.play(Scene.NEGATIVE)
        events = await read_all(provider, model, credential)
        assert text_of(events) == self.said
        for event in events:
            if isinstance(event, (UsageSoFar, Finished)) and event.usage is not None:
                usage = event.usage
                counted = (
                    usage.input_tokens,
                    usage.output_tokens,
                    usage.cached_tokens,
                    usage.reasoning_tokens,
                )
                assert min(counted) >= 0

    @needs(Scene.TOOL_CALL)
    async def test_a_tool_call_comes_in_pieces_that_fit(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """Id and name once, arguments in order, the reason is TOOL_CALLS."""
        peer.play(Scene.TOOL_CALL)
        events = await read_all(provider, model, credential)
        calls = [event for event in events if isinstance(event, ToolCallDelta)]
        assert [call.name for call in calls if call.name] == ["weather"]
        assert len([call.id for call in calls if call.id]) == 1
        assert "".join(call.arguments for call in calls).replace(" ", "") == '{"city":"Oslo"}'
        last = events[-1]
        assert isinstance(last, Finished)
        assert last.reason is FinishReason.TOOL_CALLS

    @needs(Scene.TWO_CALLS)
    async def test_two_calls_at_once_are_kept_apart(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """Each index is one call, in the order in which they began."""
        peer.play(Scene.TWO_CALLS)
        calls = [e for e in await read_all(provider, model, credential) if isinstance(e, ToolCallDelta)]
        order = list(dict.fromkeys(call.index for call in calls))
        said = ["".join(call.arguments for call in calls if call.index == index) for index in order]
        assert [text.replace(" ", "") for text in said] == ['{"city":"Oslo"}', '{"city":"Rome"}']
        assert len({call.id for call in calls if call.id}) == 2

    @needs(Scene.ENDLESS)
    async def test_whoever_leaves_early_closes_the_request_at_once(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """A plain `break` is enough."""
        peer.play(Scene.ENDLESS)
        async with asyncio.timeout(PATIENCE):
            async with provider.stream(model, question(), credential) as events:
                async for event in events:
                    if isinstance(event, TextDelta):
                        break
            await peer.until_closed()

    @needs(Scene.ENDLESS)
    async def test_a_cancelled_answer_is_closed_within_a_word(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """While it speaks."""
        peer.play(Scene.ENDLESS)
        await _cancelled_at_its_first_word(provider, model, credential, peer)

    @needs(Scene.SILENT)
    async def test_a_cancelled_request_is_closed_at_once(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """When not a byte of the answer has come."""
        peer.play(Scene.SILENT)
        task = asyncio.create_task(read_all(provider, model, credential))
        await peer.until_asked(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(PATIENCE):
            await peer.until_closed()

    @needs(Scene.STALLED)
    async def test_an_answer_that_has_stopped_coming_can_be_cancelled(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
    ) -> None:
        """The provider waits as long as it is left to, and lets go at once."""
        peer.play(Scene.STALLED)
        await _cancelled_at_its_first_word(provider, model, credential, peer)

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
        error = await _failure(provider, model, credential, question(CONFIDENTIAL))
        assert error.kind is KINDS[failing]
        shown = f"{error!r} {error} {error.detail}"
        assert "alligator" not in shown
        if credential.secret is not None:
            assert credential.secret.get_secret_value() not in shown
        assert len(error.detail) <= 300
        if failing in WAITS:
            assert error.retry_after == WAITS[failing]

    @needs(*MIDWAY)
    @pytest.mark.parametrize("scene", sorted(MIDWAY))
    async def test_what_was_said_before_an_error_is_handed_out(
        self, provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes, scene: Scene
    ) -> None:
        """And no Finished follows: a cut answer is never taken for whole."""
        peer.play(scene)
        events: list[StreamEvent] = []
        with pytest.raises(ProviderError):
            await read(provider, model, credential, question(), events)
        said = text_of(events)
        assert said
        assert SAID.startswith(said)
        assert said != SAID
        assert not any(isinstance(event, Finished) for event in events)


async def _failure(
    provider: Provider, model: ModelSpec, credential: Credential, request: CompletionRequest
) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await read(provider, model, credential, request, [])
    return caught.value


async def _cancelled_at_its_first_word(
    provider: Provider, model: ModelSpec, credential: Credential, peer: ServesScenes
) -> None:
    spoke = asyncio.Event()

    async def listen() -> None:
        async with provider.stream(model, question(), credential) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    spoke.set()

    task = asyncio.create_task(listen())
    async with asyncio.timeout(PATIENCE):
        await spoke.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await peer.until_closed()
