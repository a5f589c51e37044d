"""Every dialect of ours at an address, for the tests that hold for all of them.

A new dialect gets a row of DIALECTS and with it the tests of aimock and of pauses; with a class in
test_abilities.py also the kit of what it can. An ability that a dialect gains is added to its row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from providers import anthropic, cerebras, gemini, openai_compatible
from providers.base import ModelSpec, Provider, ProviderSpec
from providers.conformance_abilities import Ability
from providers.http import Pools
from providers.profile import CacheStyle, ModelProfile, ReasoningStyle


@dataclass(frozen=True, slots=True)
class Dialect:
    """One dialect, or one way to speak it. `kind`: of the loopback server. `path`: after its address."""

    spec: ProviderSpec
    model: ModelSpec
    name: str = "mock"
    path: str = ""
    kind: str = "openai"
    settings: Mapping[str, Any] = field(default_factory=dict)
    embedder: ModelSpec | None = None
    hearer: ModelSpec | None = None
    speaks_to_aimock: bool = True
    """False: aimock does not know this wire."""
    abilities: frozenset[Ability] = frozenset()

    def open(self, pools: Pools, root_url: str) -> Provider:
        """A provider of this dialect for the server at `root_url`."""
        given = self.spec.settings.model_validate({"baseUrl": root_url + self.path, **self.settings})
        return self.spec.open(self.name, given, pools)


_TOOLS = frozenset({Ability.TOOLS, Ability.FORCED_TOOLS})
_CLAUDE = ModelProfile(
    reasoning=ReasoningStyle.ADAPTIVE,
    images=True,
    schema=True,
    cache=CacheStyle.MARKS,
    cache_min=512,
    cache_marks=4,
    effort_off="none",
    efforts=("low", "medium", "high", "xhigh", "max"),
    sampling=False,
)
_ANTHROPIC = Dialect(
    anthropic.SPEC,
    ModelSpec("mock", "claude-haiku-5-5", context_window=1_000_000, max_output=64_000, profile=_CLAUDE),
    abilities=_TOOLS
    | {
        Ability.SCHEMA,
        Ability.IMAGES,
        Ability.CACHE,
        Ability.CACHE_MARKS,
        Ability.REASONING,
        Ability.WARMING,
    },
)
_GEMINI = Dialect(
    gemini.SPEC,
    ModelSpec(
        "mock",
        "gemini-3.8-flash",
        context_window=1_048_576,
        profile=ModelProfile(reasoning=ReasoningStyle.LEVEL, images=True, schema=True),
    ),
    embedder=ModelSpec("mock", "gemini-embedding-001"),
    abilities=_TOOLS | {Ability.SCHEMA, Ability.IMAGES, Ability.REASONING, Ability.EMBEDDINGS, Ability.CACHE},
)
_OPENAI = Dialect(
    openai_compatible.SPEC,
    ModelSpec(
        "mock",
        "m",
        profile=ModelProfile(reasoning=ReasoningStyle.EFFORT, images=True, schema=True, prediction=True),
    ),
    path="/v1",
    embedder=ModelSpec("mock", "text-embedding-3-small"),
    hearer=ModelSpec("mock", "whisper-1"),
    abilities=_TOOLS
    | {
        Ability.SCHEMA,
        Ability.IMAGES,
        Ability.REASONING,
        Ability.CACHE,
        Ability.PREDICTION,
        Ability.EMBEDDINGS,
        Ability.TRANSCRIPTION,
    },
)
_CEREBRAS = Dialect(
    cerebras.SPEC,
    ModelSpec("mock", "m", context_window=65_536, max_output=32_768, profile=_OPENAI.model.profile),
    path="/v1",
    kind="cerebras",
    abilities=_OPENAI.abilities - {Ability.EMBEDDINGS, Ability.TRANSCRIPTION},
)

DIALECTS: Mapping[str, Dialect] = {
    "openai": _OPENAI,
    "anthropic by SDK": Dialect(
        _ANTHROPIC.spec, _ANTHROPIC.model, settings={"transport": "sdk"}, abilities=_ANTHROPIC.abilities
    ),
    "anthropic over HTTP": Dialect(
        _ANTHROPIC.spec, _ANTHROPIC.model, settings={"transport": "http"}, abilities=_ANTHROPIC.abilities
    ),
    "cerebras by SDK": replace(_CEREBRAS, settings={"transport": "sdk"}),
    "cerebras over HTTP": replace(_CEREBRAS, settings={"transport": "http"}),
    "gemini": _GEMINI,
    "ollama": Dialect(
        openai_compatible.SPEC, ModelSpec("ollama", "m", is_local=True), "ollama", path="/v1", kind="ollama"
    ),
}
