"""What the tests of Cerebras' dialect share: a provider at an address, and models of each family."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from providers.base import ModelSpec
from providers.cerebras import SPEC
from providers.cerebras_client import Cerebras
from providers.http import Pools
from providers.profile import CacheStyle, ModelProfile, ReasoningStyle

TRANSPORTS = ("http", "sdk")

PROFILE = ModelProfile(
    reasoning=ReasoningStyle.EFFORT,
    effort_off="none",
    efforts=("low", "medium", "high"),
    max_output_field="max_completion_tokens",
    cache=CacheStyle.AUTO,
    cache_min=128,
    images=True,
    schema=True,
    prediction=True,
)
MODEL = ModelSpec("mock", "m", context_window=65_536, max_output=32_768, profile=PROFILE)
FLAG = replace(MODEL, profile=replace(PROFILE, reasoning=ReasoningStyle.DISABLE))
SUFFIX = replace(MODEL, profile=replace(PROFILE, reasoning=ReasoningStyle.NO_THINK))
PLAIN = replace(MODEL, profile=replace(PROFILE, reasoning=ReasoningStyle.NONE))


def cerebras(pools: Pools, base_url: str, name: str = "mock", **settings: Any) -> Cerebras:
    """A provider of Cerebras' dialect at an address."""
    opened = SPEC.open(name, SPEC.settings.model_validate({"baseUrl": base_url, **settings}), pools)
    assert isinstance(opened, Cerebras)
    return opened
