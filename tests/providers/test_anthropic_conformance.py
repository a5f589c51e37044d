"""Anthropic's dialect against the rules of the contract, by its SDK and over our own HTTP."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from providers.base import Credential, ModelSpec, Provider
from providers.conformance import ProviderConformance, Scene
from providers.http import Pools
from tests.mock_model.client import MockModel
from tests.providers.anthropic_peer import MODEL, anthropic
from tests.providers.ask import KEY
from tests.providers.scenes import MockPeer


class Rules(ProviderConformance):
    """Everything, whatever the transport."""

    transport = "sdk"

    @pytest.fixture
    def peer(self, request: pytest.FixtureRequest, start_mock_model: Callable[..., MockModel]) -> MockPeer:
        call = getattr(request.node, "callspec", None)
        if call is not None and call.params.get("failing") is Scene.ABSENT:
            return MockPeer(start_mock_model())  # one that may be ended
        return MockPeer(request.getfixturevalue("mock_model"))

    @pytest.fixture
    def provider(self, peer: MockPeer, pools: Pools) -> Provider:
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
