"""Tools, schemas, pictures, cache marks, reasoning and vectors: every dialect that has them, by its kit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest

from providers.base import Credential, ModelSpec, Provider
from providers.conformance_abilities import Ability, AbilityConformance
from providers.conformance_peers import Seen
from providers.fake import FakeProvider
from providers.http import Pools
from tests.mock_model.client import MockModel
from tests.providers.ask import KEY, SECRET
from tests.providers.dialects import DIALECTS, Dialect
from tests.providers.scenes import MockPeer
from tests.providers.test_conformance import FakePeer


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
    def hearer(self) -> ModelSpec:
        assert self.dialect.hearer is not None
        return self.dialect.hearer

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


class TestCerebrasBySdk(Rules):
    dialect = DIALECTS["cerebras by SDK"]
    abilities: ClassVar[frozenset[Ability]] = dialect.abilities


class TestCerebrasOverHttp(Rules):
    dialect = DIALECTS["cerebras over HTTP"]
    abilities: ClassVar[frozenset[Ability]] = dialect.abilities


class TestGemini(Rules):
    dialect = DIALECTS["gemini"]
    abilities: ClassVar[frozenset[Ability]] = dialect.abilities


def test_the_rules_of_what_a_dialect_cannot_do_are_left_out() -> None:
    rules = vars(TestGemini)
    assert rules["test_the_stable_beginning_is_marked_and_never_too_often"] is None
    assert "test_a_schema_reaches_the_model" not in rules


class _Careless(FakePeer):
    """Saw a key in an address, and a prompt that another one did not continue."""

    def seen(self) -> list[Seen]:
        return [Seen(prefix="one", key_in="x-api-key"), Seen(prefix="two", key_in="query")]


async def test_the_kit_catches_a_provider_that_breaks_a_rule() -> None:
    kit: Any = type("TestCareless", (AbilityConformance,), {"abilities": frozenset()})()
    peer = _Careless()
    for name in (
        "test_the_key_stands_in_a_header_and_not_in_the_address",
        "test_a_prompt_is_the_beginning_of_the_next_turns_prompt",
        "test_what_the_conversation_says_stands_on_the_wire_in_its_order",
    ):
        with pytest.raises(AssertionError):
            await getattr(kit, name)(peer.provider, FakeProvider.spec(), KEY, peer)
