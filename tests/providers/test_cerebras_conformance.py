"""Cerebras' dialect against the rules of the contract, over our own HTTP and through its package."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from providers.base import Credential, ModelSpec, Provider
from providers.conformance import ProviderConformance, Scene
from providers.http import Pools
from tests.mock_model.client import MockModel
from tests.providers.ask import KEY
from tests.providers.cerebras_peer import MODEL, cerebras
from tests.providers.scenes import MockPeer


class Rules(ProviderConformance):
    """Everything, whatever the transport."""

    transport = "http"

    @pytest.fixture
    def peer(self, request: pytest.FixtureRequest, start_mock_model: Callable[..., MockModel]) -> MockPeer:
        call = getattr(request.node, "callspec", None)
        if call is not None and call.params.get("failing") is Scene.ABSENT:
            return MockPeer(start_mock_model("--kind", "cerebras"))  # one that may be ended
        server: MockModel = request.getfixturevalue("mock_model")
        server.config(kind="cerebras")
        return MockPeer(server)

    @pytest.fixture
    async def provider(self, peer: MockPeer, pools: Pools) -> AsyncIterator[Provider]:
        opened = cerebras(pools, peer.server.base_url, transport=self.transport)
        yield opened
        await opened.aclose()

    @pytest.fixture
    def model(self) -> ModelSpec:
        return MODEL

    @pytest.fixture
    def credential(self) -> Credential:
        return KEY


class TestCerebrasOverHttp(Rules):
    transport = "http"


class TestCerebrasBySdk(Rules):
    transport = "sdk"
