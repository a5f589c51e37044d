"""Anthropic's dialect against the rules of the contract, by its SDK and over our own HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from providers.base import Credential, ModelSpec, Provider
from providers.conformance import ProviderConformance, Scene
from providers.http import Pools
from providers.profile import ModelProfile
from tests.mock_model.client import MockModel
from tests.providers.anthropic_peer import MODEL, anthropic
from tests.providers.ask import KEY
from tests.providers.test_conformance import BEHAVIOURS, MockPeer

OWN: dict[Scene, dict[str, Any]] = {
    Scene.NO_QUOTA: {"problem": "no_quota"},
    Scene.OVERLOADED: {"problem": "overloaded"},
    Scene.TOO_LONG: {"problem": "too_long"},
    Scene.NO_MODEL: {"problem": "no_model"},
}
"""Where Anthropic's words are others."""


class AnthropicPeer(MockPeer):
    def play(self, scene: Scene) -> None:
        if scene in OWN:
            self.server.script(default=OWN[scene])
        else:
            super().play(scene)


class Rules(ProviderConformance):
    """Everything, whatever the transport."""

    transport = "sdk"

    @pytest.fixture
    def peer(
        self, request: pytest.FixtureRequest, start_mock_model: Callable[..., MockModel]
    ) -> AnthropicPeer:
        call = getattr(request.node, "callspec", None)
        if call is not None and call.params.get("failing") is Scene.ABSENT:
            return AnthropicPeer(start_mock_model())  # one that may be ended
        return AnthropicPeer(request.getfixturevalue("mock_model"))

    @pytest.fixture
    def provider(self, peer: AnthropicPeer, pools: Pools) -> Provider:
        return anthropic(pools, peer.server.root_url, transport=self.transport)

    @pytest.fixture
    def model(self) -> ModelSpec:
        return MODEL

    @pytest.fixture
    def credential(self) -> Credential:
        return KEY


class TestAnthropicBySdk(Rules):
    transport = "sdk"


class TestAnthropicOverHttp(Rules):
    transport = "http"


def test_every_scene_is_played() -> None:
    assert OWN.keys() <= BEHAVIOURS.keys()
    assert Rules.scenes == frozenset(Scene)
    assert MODEL.profile == ModelProfile(images=True, schema=True)
