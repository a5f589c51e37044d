"""Gemini's dialect against the rules of the contract, and those of what it can."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import pytest

from providers.base import Credential, ModelSpec, Provider
from providers.conformance import ProviderConformance, Scene
from providers.conformance_abilities import Ability, AbilityConformance
from providers.gemini_client import Gemini
from tests.mock_model.client import MockModel
from tests.providers.ask import KEY
from tests.providers.gemini_peer import EMBEDDER, FLASH_25, MODEL, gemini, opened
from tests.providers.scenes import MockPeer

__all__ = ["gemini", "opened"]


class TestGemini(ProviderConformance):
    @pytest.fixture
    def peer(self, request: pytest.FixtureRequest, start_mock_model: Callable[..., MockModel]) -> MockPeer:
        call = getattr(request.node, "callspec", None)
        if call is not None and call.params.get("failing") is Scene.ABSENT:
            return MockPeer(start_mock_model())  # one that may be ended
        return MockPeer(request.getfixturevalue("mock_model"))

    @pytest.fixture
    def provider(self, peer: MockPeer, opened: Callable[..., Gemini]) -> Provider:
        return opened(peer.server.root_url)

    @pytest.fixture
    def model(self) -> ModelSpec:
        return MODEL

    @pytest.fixture
    def credential(self) -> Credential:
        return KEY


class TestGeminiAbilities(AbilityConformance):
    abilities: ClassVar[frozenset[Ability]] = frozenset(
        {
            Ability.TOOLS,
            Ability.FORCED_TOOLS,
            Ability.SCHEMA,
            Ability.IMAGES,
            Ability.CACHE,
            Ability.REASONING,
            Ability.EMBEDDINGS,
        }
    )

    @pytest.fixture
    def peer(self, mock_model: MockModel) -> MockPeer:
        mock_model.config(cache=True)
        return MockPeer(mock_model)

    @pytest.fixture
    def provider(self, peer: MockPeer, gemini: Gemini) -> Provider:
        return gemini

    @pytest.fixture(params=[MODEL, FLASH_25], ids=["level", "budget"])
    def model(self, request: pytest.FixtureRequest) -> ModelSpec:
        model: ModelSpec = request.param
        return model

    @pytest.fixture
    def embedder(self) -> ModelSpec:
        return EMBEDDER

    @pytest.fixture
    def credential(self) -> Credential:
        return KEY
