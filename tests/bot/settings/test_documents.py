"""The configuration examples that people bring along from other gateways load unchanged."""

from __future__ import annotations

from typing import Any

import pytest

from bot.settings import load_settings
from tests.bot.settings.places import Place

ROW = {
    "id": "llama-3.3-70b",
    "name": "Llama 3.3 70B",
    "reasoning": False,
    "input": ["text"],
    "contextWindow": 128000,
    "maxTokens": 8192,
    "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
}
SERVER = {"baseUrl": "https://api.cerebras.ai/v1", "api": "openai-completions"}
COMPLETE: dict[str, Any] = {
    "auth": {
        "profiles": {"cerebras-pro": {"provider": "cerebras", "mode": "api_key"}},
        "order": {"cerebras": ["cerebras-pro"]},
    },
    "models": {"providers": {"cerebras": {**SERVER, "models": [ROW]}}},
    "agents": {
        "defaults": {
            "model": {"primary": "cerebras/llama-3.3-70b", "fallbacks": ["anthropic/claude-sonnet-4-5"]},
            "models": {"cerebras/llama-3.3-70b": {"alias": "cerebras"}},
        }
    },
}
PARTS: list[dict[str, Any]] = [
    {"models": {"providers": {"cerebras": {**SERVER, "models": [{"id": "qwen-3-32b", "reasoning": True}]}}}},
    {"providers": {"cerebras": {"defaultParams": {"service_tier": "priority"}}}},
    {
        "agents": {
            "defaults": {
                "models": {
                    "anthropic/claude-sonnet-4-5": {"alias": "sonnet", "params": {"cacheControlTtl": "1h"}},
                    "anthropic/claude-opus-4-5": {"alias": "opus", "params": {"cacheControlTtl": "1h"}},
                }
            }
        }
    },
    {
        "diagnostics": {
            "cacheTrace": {"enabled": True, "filePath": "~/logs/cache-trace.jsonl", "includePrompt": True}
        }
    },
]


def test_the_complete_example_loads_unchanged_with_the_real_adapters(place: Place) -> None:
    settings = load_settings(place.home, place.write(COMPLETE), {})
    assert settings.agents.defaults.model.primary == "cerebras/llama-3.3-70b"
    assert settings.agents.defaults.model.fallbacks == ("anthropic/claude-sonnet-4-5",)
    assert settings.agents.defaults.models["cerebras/llama-3.3-70b"].alias == "cerebras"
    [provider] = settings.providers
    assert (provider.name, provider.settings.base_url) == ("cerebras", "https://api.cerebras.ai/v1")
    assert [row.id for row in provider.settings.models] == ["llama-3.3-70b"]


@pytest.mark.parametrize("config", PARTS, ids=lambda config: next(iter(config)))
def test_each_further_example_loads_with_the_real_adapters(place: Place, config: dict[str, Any]) -> None:
    load_settings(place.home, place.write(config), {})


def test_parameters_in_the_short_form_reach_the_provider(place: Place) -> None:
    config = {
        "providers": {"cerebras": {"defaultParams": {"service_tier": "priority", "top_p": 1}}},
        "models": {"providers": {"cerebras": {**SERVER, "defaultParams": {"top_p": 0.5}}}},
    }
    [provider] = load_settings(place.home, place.write(config), {}).providers
    assert provider.settings.default_params == {"service_tier": "priority", "top_p": 0.5}


def test_parameters_alone_do_not_make_a_provider_configured(place: Place) -> None:
    settings = load_settings(place.home, place.write(PARTS[1]), {})
    assert settings.providers == ()
    assert settings.provider("cerebras").settings.default_params == {"service_tier": "priority"}


def test_a_missing_secret_of_a_profile_is_said_with_the_command_that_stores_it(place: Place) -> None:
    settings = load_settings(place.home, place.write(COMPLETE), {})
    [warning] = [text for text in settings.warnings if "cerebras-pro" in text]
    assert "firstword auth add cerebras-pro --provider cerebras" in warning
