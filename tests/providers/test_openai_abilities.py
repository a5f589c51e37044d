"""Servers and routers that speak OpenAI's dialect, by the kit of what models can: OpenRouter, Ollama, vLLM, mlx_lm."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from providers import openai_compatible
from providers.base import ModelSpec
from providers.conformance_abilities import Ability
from providers.profile import CacheStyle, ModelProfile, ReasoningStyle
from tests.providers.dialects import DIALECTS, Dialect
from tests.providers.test_abilities import Rules

_CALLS = frozenset({Ability.TOOLS, Ability.FORCED_TOOLS})
_ROUTED = Dialect(
    openai_compatible.SPEC,
    ModelSpec(
        "openrouter",
        "anthropic/claude-haiku-5.5",
        context_window=1_000_000,
        profile=ModelProfile(
            reasoning=ReasoningStyle.EFFORT,
            images=True,
            schema=True,
            cache=CacheStyle.MARKS,
            cache_min=512,
            cache_marks=4,
            sampling=False,
        ),
    ),
    name="openrouter",
    path="/v1",
    kind="openrouter",
    abilities=_CALLS
    | {Ability.SCHEMA, Ability.IMAGES, Ability.CACHE, Ability.CACHE_MARKS, Ability.REASONING},
)
_LOCAL = replace(
    DIALECTS["ollama"],
    model=ModelSpec(
        "ollama", "m", profile=ModelProfile(images=True, reasoning=ReasoningStyle.NO_THINK), is_local=True
    ),
    embedder=ModelSpec("ollama", "m"),
    abilities=_CALLS | {Ability.IMAGES, Ability.REASONING, Ability.EMBEDDINGS},
)


class TestOpenRouter(Rules):
    """Marks on content parts for a vendor whose cache needs them."""

    dialect = _ROUTED
    abilities: ClassVar[frozenset[Ability]] = dialect.abilities


class TestOllama(Rules):
    """A model that is told in words not to think."""

    dialect = _LOCAL
    abilities: ClassVar[frozenset[Ability]] = dialect.abilities


class TestVllm(Rules):
    dialect = replace(_LOCAL, name="vllm", kind="vllm", abilities=_CALLS)
    abilities: ClassVar[frozenset[Ability]] = dialect.abilities


class TestMlxServer(Rules):
    """HTTP/1.0: no connection is kept."""

    dialect = replace(_LOCAL, name="mlx", kind="mlx", abilities=frozenset({Ability.TOOLS}))
    abilities: ClassVar[frozenset[Ability]] = dialect.abilities
