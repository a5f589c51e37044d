"""Vendors and local servers as rows: where they listen, which variable holds the key, which models come first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from providers.base import Effort
from providers.profile import CacheStyle, ModelProfile

FAST, REASON, DEEP = "fast", "reason", "deep"
"""The aliases that every hosted preset has a preference list for."""


OLLAMA_WINDOW = 4096
"""Tokens that Ollama serves unless it is told otherwise, on a machine with less than 24 GB for models. Ollama docs,
context length, 2026-11."""


@dataclass(frozen=True, slots=True)
class Preference:
    """A model that an alias may stand for, and how hard it is to think (None: its own default)."""

    model: str
    effort: Effort | None = None


@dataclass(frozen=True, slots=True)
class Preset:
    """One vendor or local server. Its name is what `models.providers.NAME` and model refs begin with.

    `variables`: environment variables of the key, in order. `port`: where a local server listens by default.
    `aliases`: alias -> models in order of preference; the first that the provider still lists is taken.
    `conversation_field`: the body's key for an id that keeps a conversation's prefix cache together, "" where
    there is none. `warm_path`: a cheap GET that opens a connection. `lists_to_all`: its list of models proves no
    key. `takes_thoughts`: it may want the blocks of a model's thoughts back. `keep_path`: beside `/v1`, where a
    model is told how long to stay loaded. `window`: tokens that a model gets of which nobody says more.
    `connect`: how a person sets it up.
    """

    name: str
    title: str
    base_url: str
    variables: tuple[str, ...] = ()
    is_local: bool = False
    port: int | None = None
    profile: ModelProfile = ModelProfile()
    aliases: Mapping[str, tuple[Preference, ...]] = field(default_factory=dict)
    conversation_field: str = ""
    warm_path: str = "/models"
    lists_to_all: bool = False
    takes_thoughts: bool = False
    keep_path: str = ""
    window: int | None = None
    connect: str = ""


def find(name: str) -> Preset | None:
    """The preset of that name, None when there is none. Letter case does not matter."""
    return _BY_NAME.get(name.lower())


def _of(*models: str, effort: Effort | None = None) -> tuple[Preference, ...]:
    return tuple(Preference(model, effort) for model in models)


# The documents' ids come first, then what the vendors list in 2026-11: a provider that still has the older
# model keeps using it, and a retired id is passed over (models.json knows its date and successor).
PRESETS: tuple[Preset, ...] = (
    Preset(
        name="cerebras",
        title="Cerebras",
        base_url="https://api.cerebras.ai/v1",
        variables=("CEREBRAS_API_KEY",),
        profile=ModelProfile(
            max_output_field="max_completion_tokens",
            cache=CacheStyle.AUTO,
            cache_min=128,
            source="Cerebras docs, API reference, chat completions, 2026-11",
        ),
        aliases={
            FAST: (
                *_of("llama-3.3-70b", "llama-3.1-8b", "llama3.1-8b"),
                *_of("gpt-oss-120b", effort=Effort.LOW),
                *_of("qwen-3.8-27b", effort=Effort.OFF),
            ),
            REASON: (
                *_of("qwen-3-32b"),
                *_of("qwen-3.8-27b", effort=Effort.MEDIUM),
                *_of("gpt-oss-120b", effort=Effort.HIGH),
            ),
            DEEP: (*_of("qwen-3-235b"), *_of("gpt-oss-120b", "qwen-3.8-27b", effort=Effort.HIGH)),
        },
        conversation_field="prompt_cache_key",
        warm_path="/tcp_warming",
        connect="Get a key at cloud.cerebras.ai and set CEREBRAS_API_KEY.",
    ),
    Preset(
        name="anthropic",
        title="Anthropic",
        base_url="https://api.anthropic.com/v1",
        variables=("ANTHROPIC_API_KEY",),
        profile=ModelProfile(
            images=True,
            cache=CacheStyle.MARKS,
            cache_min=1024,
            cache_marks=4,
            source="Anthropic docs, prompt caching and OpenAI SDK compatibility, 2026-11",
        ),
        aliases={
            FAST: _of("claude-haiku-5-5", "claude-haiku-4-5"),
            REASON: _of("claude-sonnet-4-5", "claude-sonnet-5-5", "claude-sonnet-4-6"),
            DEEP: _of("claude-opus-4-5", "claude-opus-5-5", "claude-sonnet-5-5"),
        },
        connect="Get a key at console.anthropic.com and set ANTHROPIC_API_KEY.",
    ),
    Preset(
        name="openai",
        title="OpenAI",
        base_url="https://api.openai.com/v1",
        variables=("OPENAI_API_KEY",),
        profile=ModelProfile(
            images=True,
            max_output_field="max_completion_tokens",
            cache=CacheStyle.AUTO,
            cache_min=1024,
            source="OpenAI docs, API reference, chat completions, 2026-11",
        ),
        aliases={
            FAST: (*_of("gpt-4o-mini"), *_of("gpt-6-luna", effort=Effort.OFF)),
            REASON: _of("gpt-5.2", "gpt-6.1-terra", effort=Effort.MEDIUM),
            DEEP: _of("gpt-5.2", "gpt-6.1-sol", effort=Effort.HIGH),
        },
        conversation_field="prompt_cache_key",
        connect="Get a key at platform.openai.com and set OPENAI_API_KEY.",
    ),
    Preset(
        name="openrouter",
        title="OpenRouter",
        base_url="https://openrouter.ai/api/v1",
        variables=("OPENROUTER_API_KEY",),
        profile=ModelProfile(images=True, source="OpenRouter docs, API reference, 2026-11"),
        aliases={
            FAST: (*_of("openai/gpt-oss-120b", effort=Effort.LOW), *_of("anthropic/claude-haiku-5.5")),
            REASON: (
                *_of("qwen/qwen3.8-27b", effort=Effort.MEDIUM),
                *_of("openai/gpt-oss-120b", effort=Effort.HIGH),
            ),
            DEEP: _of("anthropic/claude-sonnet-5.5", "anthropic/claude-opus-5.5"),
        },
        conversation_field="session_id",
        lists_to_all=True,
        takes_thoughts=True,
        connect="Get a key at openrouter.ai/keys and set OPENROUTER_API_KEY.",
    ),
    Preset(
        name="gemini",
        title="Google Gemini",
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        variables=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        profile=ModelProfile(images=True, source="Gemini API docs, OpenAI compatibility, 2026-11"),
        aliases={
            FAST: _of("gemini-2.5-flash", "gemini-3.8-flash", "gemini-3.5-flash-lite"),
            REASON: _of("gemini-2.5-pro", "gemini-3.8-flash"),
            DEEP: _of("gemini-2.5-pro", "gemini-4-argon"),
        },
        connect="Get a key at aistudio.google.com and set GEMINI_API_KEY.",
    ),
    Preset(
        name="ollama",
        title="Ollama",
        base_url="http://127.0.0.1:11434/v1",
        is_local=True,
        port=11434,
        keep_path="/api/generate",
        window=OLLAMA_WINDOW,
        connect="Install Ollama, then: ollama pull llama3.2",
    ),
    Preset(
        name="lmstudio",
        title="LM Studio",
        base_url="http://127.0.0.1:1234/v1",
        is_local=True,
        port=1234,
        connect="In LM Studio load a model and start the server on the Developer page, or: lms server start",
    ),
    Preset(
        name="llamacpp",
        title="llama.cpp server",
        base_url="http://127.0.0.1:8080/v1",
        is_local=True,
        port=8080,
        connect="llama-server -m MODEL.gguf --port 8080",
    ),
    Preset(
        name="vllm",
        title="vLLM",
        base_url="http://127.0.0.1:8000/v1",
        is_local=True,
        port=8000,
        connect="vllm serve MODEL --host 127.0.0.1 --port 8000",
    ),
    Preset(
        name="mlx",
        title="mlx_lm.server",
        base_url="http://127.0.0.1:8080/v1",
        is_local=True,
        port=8080,
        connect="On Apple silicon: mlx_lm.server --model MODEL --port 8080",
    ),
)

KEY_ORDER: tuple[str, ...] = ("cerebras", "anthropic", "openai", "openrouter", "gemini")
"""With nothing configured, the first of these whose key stands in the environment answers."""

_BY_NAME: Mapping[str, Preset] = MappingProxyType({preset.name: preset for preset in PRESETS})
