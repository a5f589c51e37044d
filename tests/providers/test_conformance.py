"""Every provider of ours against the rules of the contract."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

import pytest

from providers import conformance, demo
from providers.base import (
    Credential,
    Finished,
    FinishReason,
    ModelSpec,
    PromptMessage,
    Provider,
    ReasoningDelta,
    Role,
    Started,
    TextDelta,
    ToolCallDelta,
)
from providers.conformance import KINDS, MIDWAY, SAID, THOUGHT, WAITS, ProviderConformance, Scene
from providers.demo_words import reply
from providers.errors import ErrorKind, ProviderError
from providers.fake import FakeProvider, Hang, Script, answer, cut
from providers.http import Pools
from tests.mock_model.client import MockModel
from tests.providers.ask import KEY, MODEL, compatible
from tests.providers.scenes import BEHAVIOURS, MockPeer

__all__ = ["BEHAVIOURS", "MockPeer"]


class TestOpenAICompatible(ProviderConformance):
    @pytest.fixture
    def peer(self, request: pytest.FixtureRequest, start_mock_model: Callable[..., MockModel]) -> MockPeer:
        call = getattr(request.node, "callspec", None)
        if call is not None and call.params.get("failing") is Scene.ABSENT:
            return MockPeer(start_mock_model())  # one that may be ended
        return MockPeer(request.getfixturevalue("mock_model"))

    @pytest.fixture
    def provider(self, peer: MockPeer, pools: Pools) -> Provider:
        return compatible(pools, peer.server.base_url)

    @pytest.fixture
    def model(self) -> ModelSpec:
        return MODEL

    @pytest.fixture
    def credential(self) -> Credential:
        return KEY


class TestCerebrasWire(TestOpenAICompatible):
    """Flat errors, usage and time_info in the last chunk, tool calls in one piece."""

    @pytest.fixture
    def provider(self, peer: MockPeer, pools: Pools) -> Provider:
        peer.server.config(kind="cerebras")
        return compatible(pools, peer.server.base_url, "cerebras")

    @pytest.fixture
    def model(self) -> ModelSpec:
        return replace(MODEL, provider="cerebras")


class TestOpenRouterWire(TestOpenAICompatible):
    """Comments before the first chunk, errors with a finish reason inside a 200 stream."""

    @pytest.fixture
    def provider(self, peer: MockPeer, pools: Pools) -> Provider:
        peer.server.config(kind="openrouter")
        return compatible(pools, peer.server.base_url, "openrouter")

    @pytest.fixture
    def model(self) -> ModelSpec:
        return replace(MODEL, provider="openrouter")


class TestOllamaWire(TestOpenAICompatible):
    """A model that was not pulled is told by its name."""

    @pytest.fixture
    def provider(self, peer: MockPeer, pools: Pools) -> Provider:
        peer.server.config(kind="ollama")
        return compatible(pools, peer.server.base_url, "ollama")

    @pytest.fixture
    def model(self) -> ModelSpec:
        return replace(MODEL, provider="ollama")


class DemoPeer:
    """Nobody: the demo answers itself."""

    def play(self, scene: Scene) -> None:
        raise AssertionError(f"the demo cannot play {scene}")

    async def until_asked(self, count: int) -> None:
        raise AssertionError("nobody to ask")

    async def until_closed(self) -> None:
        raise AssertionError("nobody to close")

    def connections(self) -> None:
        return None


class TestDemo(ProviderConformance):
    scenes: ClassVar[frozenset[Scene]] = frozenset({Scene.ANSWER})
    said: ClassVar[str] = reply((PromptMessage(Role.USER, "hi"),))

    @pytest.fixture
    def peer(self) -> DemoPeer:
        return DemoPeer()

    @pytest.fixture
    def provider(self) -> Provider:
        settings = demo.DemoSettings.model_validate({"ttft": 0, "tokensPerSecond": 100_000})
        return demo.DemoProvider("demo", settings.played())

    @pytest.fixture
    def model(self) -> ModelSpec:
        return demo.spec("demo")

    @pytest.fixture
    def credential(self) -> Credential:
        return Credential("demo:none")


class FakePeer:
    """The fake's own scripts."""

    def __init__(self) -> None:
        self.provider = FakeProvider("fake", default=answer(SAID))

    def play(self, scene: Scene) -> None:
        self.provider.default = _script(scene)

    async def until_asked(self, count: int) -> None:
        await self.provider.until_asked(count)

    async def until_closed(self) -> None:
        await asyncio.gather(*(asked.closed.wait() for asked in self.provider.asked if not asked.finished))

    def connections(self) -> None:
        return None


def _script(scene: Scene) -> Script:
    if scene in KINDS:
        error = ProviderError(KINDS[scene], "made up", retry_after=WAITS.get(scene))
        return cut(SAID[:9], error) if scene in MIDWAY else (error,)
    stop = Finished(FinishReason.STOP)
    call = (ToolCallDelta(0, "c1", "weather"), ToolCallDelta(0, arguments='{"city":"Oslo"}'))
    other = ToolCallDelta(1, "c2", "weather", '{"city":"Rome"}')
    scripts: dict[Scene, Script] = {
        Scene.THOUGHTS: (Started(), ReasoningDelta(THOUGHT), TextDelta(SAID), stop),
        Scene.ONLY_THOUGHTS: (Started(), ReasoningDelta(THOUGHT), stop),
        Scene.NOTHING: (Started(), stop),
        Scene.TOO_MUCH: answer(SAID, reason=FinishReason.LENGTH),
        Scene.FILTERED: answer(SAID, reason=FinishReason.CONTENT_FILTER),
        Scene.TOOL_CALL: (Started(), *call, Finished(FinishReason.TOOL_CALLS)),
        Scene.TWO_CALLS: (Started(), *call, other, Finished(FinishReason.TOOL_CALLS)),
        Scene.SLOW: answer(SAID),
        Scene.NEGATIVE: answer(SAID),
        Scene.ENDLESS: (Started(), TextDelta("on and on"), Hang()),
        Scene.SILENT: (Hang(),),
        Scene.STALLED: (Started(), TextDelta("on and"), Hang()),
    }
    return scripts[scene]


class TestFake(ProviderConformance):
    @pytest.fixture
    def peer(self) -> FakePeer:
        return FakePeer()

    @pytest.fixture
    def provider(self, peer: FakePeer) -> Provider:
        return peer.provider

    @pytest.fixture
    def model(self) -> ModelSpec:
        return FakeProvider.spec()

    @pytest.fixture
    def credential(self) -> Credential:
        return KEY


def test_every_scene_that_fails_has_a_kind_and_every_other_has_none() -> None:
    whole = {
        Scene.ANSWER,
        Scene.THOUGHTS,
        Scene.ONLY_THOUGHTS,
        Scene.NOTHING,
        Scene.TOO_MUCH,
        Scene.FILTERED,
        Scene.TOOL_CALL,
        Scene.TWO_CALLS,
        Scene.SLOW,
        Scene.NEGATIVE,
    }
    assert set(Scene) - KINDS.keys() == whole | {Scene.ENDLESS, Scene.SILENT, Scene.STALLED}
    assert BEHAVIOURS.keys() | {Scene.ABSENT} == set(Scene)


def test_a_peer_that_cannot_play_a_scene_is_not_asked_to() -> None:
    demo_rules, fake_rules = vars(TestDemo), vars(TestFake)
    assert demo_rules["test_thoughts_are_not_text"] is None
    assert demo_rules["test_what_goes_wrong_has_its_kind"] is None
    assert "test_thoughts_are_not_text" not in fake_rules


class _Liar(FakeProvider):
    """Says the end twice."""

    def __init__(self) -> None:
        twice = (*answer(SAID), Finished(FinishReason.STOP))
        super().__init__("fake", default=twice)


async def test_the_kit_catches_a_provider_that_breaks_a_rule() -> None:
    kit = type("TestLiar", (ProviderConformance,), {})()
    with pytest.raises(AssertionError):
        await kit.test_an_answer_starts_once_ends_once_and_says_its_text_between(
            _Liar(), FakeProvider.spec(), KEY, FakePeer()
        )
    wrong = FakeProvider("fake", default=(ProviderError(ErrorKind.SERVER),))
    with pytest.raises(AssertionError):
        await kit.test_what_goes_wrong_has_its_kind(
            wrong, FakeProvider.spec(), KEY, _Deaf(), Scene.UNAUTHORIZED
        )


class _Deaf(FakePeer):
    """Does not do what it is told."""

    def play(self, scene: Scene) -> None:
        """Nothing."""


def test_the_kit_is_not_collected_by_itself() -> None:
    assert not conformance.ProviderConformance.__name__.startswith("Test")
