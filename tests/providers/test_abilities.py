"""Tools, schemas, pictures, cache marks, reasoning and vectors: every dialect that has them, by its kit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import ClassVar

import pytest

from providers.base import Credential, ModelSpec, Provider
from providers.conformance_abilities import Ability, AbilityConformance
from providers.http import Pools
from tests.mock_model.client import MockModel
from tests.providers.ask import KEY, SECRET
from tests.providers.dialects import DIALECTS, Dialect
from tests.providers.scenes import MockPeer


class Rules(AbilityConformance):
    """What every dialect's class shares."""

    dialect: ClassVar[Dialect] = DIALECTS["openai"]

    @pytest.fixture
    def peer(self, mock_model: MockModel) -> MockPeer:
        mock_model.config(kind=self.dialect.kind, keys=[SECRET], cache=True)
        return MockPeer(mock_model)

    @pytest.fixture
    async def provider(self, peer: MockPeer, pools: Pools) -> AsyncIterator[Provider]:
        opened = self.dialect.open(pools, peer.server.root_url)
        yield opened
        await opened.aclose()

    @pytest.fixture
    def model(self) -> ModelSpec:
        return self.dialect.model

    @pytest.fixture
    def embedder(self) -> ModelSpec:
        assert self.dialect.embedder is not None
        return self.dialect.embedder

    @pytest.fixture
    def credential(self) -> Credential:
        return KEY


class TestOpenAI(Rules):
    dialect = DIALECTS["openai"]
    abilities: ClassVar[frozenset[Ability]] = dialect.abilities


class TestAnthropicBySdk(Rules):
    dialect = DIALECTS["anthropic by SDK"]
    abilities: ClassVar[frozenset[Ability]] = dialect.abilities


class TestAnthropicOverHttp(Rules):
    dialect = DIALECTS["anthropic over HTTP"]
    abilities: ClassVar[frozenset[Ability]] = dialect.abilities


class TestGemini(Rules):
    dialect = DIALECTS["gemini"]
    abilities: ClassVar[frozenset[Ability]] = dialect.abilities


def test_the_rules_of_what_a_dialect_cannot_do_are_left_out() -> None:
    rules = vars(TestGemini)
    assert rules["test_the_stable_beginning_is_marked_and_never_too_often"] is None
    assert "test_a_schema_reaches_the_model" not in rules
