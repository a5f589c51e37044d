"""What the tests of Anthropic's dialect share: a provider at an address, and models of each family."""

from __future__ import annotations

from typing import Any

from providers.anthropic import SPEC
from providers.anthropic_client import Anthropic
from providers.base import ModelSpec
from providers.http import Pools
from providers.profile import ModelProfile, ReasoningStyle

TRANSPORTS = ("sdk", "http")

MODEL = ModelSpec("mock", "claude-haiku-4-5", profile=ModelProfile(images=True, schema=True))
"""Without thinking."""

ADAPTIVE = ModelSpec(
    "mock",
    "claude-haiku-5-5",
    max_output=128_000,
    profile=ModelProfile(
        reasoning=ReasoningStyle.ADAPTIVE,
        effort_off="none",
        efforts=("low", "medium", "high", "xhigh", "max"),
        sampling=False,
        images=True,
        schema=True,
    ),
)
BUDGET = ModelSpec(
    "mock",
    "claude-haiku-4-5",
    max_output=64_000,
    profile=ModelProfile(reasoning=ReasoningStyle.BUDGET, images=True, prefill=True),
)


def anthropic(pools: Pools, base_url: str, name: str = "mock", **settings: Any) -> Anthropic:
    """A provider of Anthropic's dialect at an address."""
    opened = SPEC.open(name, SPEC.settings.model_validate({"baseUrl": base_url, **settings}), pools)
    assert isinstance(opened, Anthropic)
    return opened
