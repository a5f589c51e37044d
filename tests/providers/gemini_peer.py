"""What the tests of Gemini's dialect share: its models, and a provider that talks to the mock model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from providers.base import ModelSpec
from providers.gemini import SPEC
from providers.gemini_client import Gemini
from providers.http import Pools
from providers.profile import ModelProfile, ReasoningStyle
from tests.mock_model.client import MockModel

LEVELS = ModelProfile(reasoning=ReasoningStyle.LEVEL, images=True)
MODEL = ModelSpec("gemini", "gemini-3.8-flash", profile=LEVELS)
FLASH_25 = ModelSpec(
    "gemini",
    "gemini-2.5-flash",
    profile=ModelProfile(reasoning=ReasoningStyle.BUDGET, effort_off="none", images=True),
)
EMBEDDER = ModelSpec("gemini", "gemini-embedding-001")


@pytest.fixture
async def opened(pools: Pools) -> AsyncIterator[Callable[..., Gemini]]:
    made: list[Gemini] = []

    def make(address: str, **settings: object) -> Gemini:
        given = SPEC.settings.model_validate({"baseUrl": address, **settings})
        provider = SPEC.open("gemini", given, pools)
        assert isinstance(provider, Gemini)
        made.append(provider)
        return provider

    yield make
    for each in made:
        await each.aclose()


@pytest.fixture
def gemini(mock_model: MockModel, opened: Callable[..., Gemini]) -> Gemini:
    return opened(mock_model.root_url)
