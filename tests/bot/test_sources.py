"""Which model answers: configured, by a key, on this machine, or the stand-in; and each agent's own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.errors import BotError
from bot.home import Home
from bot.settings import load_settings
from bot.sources import Models, open_models
from tests.mock_model.client import MockModel
from tests.mock_model.fixtures import start_mock_model

__all__ = ["start_mock_model"]

OFFLINE = {"models": {"detectLocal": False}}


@asynccontextmanager
async def models(
    folder: Path, config: Mapping[str, Any], environ: Mapping[str, str] | None = None
) -> AsyncIterator[Models]:
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    async with open_models(load_settings(Home(folder), path, environ or {})) as found:
        yield found


async def test_with_nothing_at_all_the_stand_in_answers_and_says_how_to_change_it(tmp_path: Path) -> None:
    async with models(tmp_path, OFFLINE) as found:
        assert found.catalog().primary.model.ref == "demo/demo"
        assert "stand-in" in found.origin
        assert "CEREBRAS_API_KEY" in found.advice


@pytest.mark.parametrize(
    ("variables", "provider"),
    [
        (["GEMINI_API_KEY"], "gemini"),
        (["GEMINI_API_KEY", "OPENROUTER_API_KEY"], "openrouter"),
        (["OPENROUTER_API_KEY", "OPENAI_API_KEY"], "openai"),
        (["OPENAI_API_KEY", "ANTHROPIC_API_KEY"], "anthropic"),
        (["ANTHROPIC_API_KEY", "CEREBRAS_API_KEY"], "cerebras"),
    ],
)
async def test_a_key_in_the_environment_decides_in_a_fixed_order(
    tmp_path: Path, variables: list[str], provider: str
) -> None:
    async with models(tmp_path, OFFLINE, dict.fromkeys(variables, "secret-key")) as found:
        catalog = found.catalog()
        assert catalog.primary.model.provider == provider
        assert set(catalog.aliases) >= {"fast", "reason", "deep"}
        assert [each.model.provider for each in catalog.fallbacks] == [
            each.split("_")[0].lower() for each in variables if provider not in each.lower()
        ]
        key = catalog.credentials[provider][0]
        secret = found.credential(provider, key).secret
        assert secret is not None
        assert secret.get_secret_value() == "secret-key"
        assert "secret-key" not in repr(found)


async def test_an_alias_passes_over_models_that_are_gone(tmp_path: Path) -> None:
    async with models(tmp_path, OFFLINE, {"CEREBRAS_API_KEY": "k"}) as found:
        assert found.catalog().aliases["fast"][0].model.ref == "cerebras/gpt-oss-120b"


async def test_a_server_on_this_machine_answers_when_there_is_no_key(
    tmp_path: Path, start_mock_model: Callable[..., MockModel]
) -> None:
    server = start_mock_model("--kind", "ollama", "--models", "llama3.2")
    environ = {"OLLAMA_HOST": f"127.0.0.1:{server.port}"}
    async with models(tmp_path, {}, environ) as found:
        assert found.catalog().primary.model.ref == "ollama/llama3.2"
        assert found.catalog().primary.model.is_local
        assert "on this machine" in found.origin


async def test_what_is_configured_stands_over_everything(tmp_path: Path) -> None:
    config = {
        "models": {
            "providers": {
                "ours": {
                    "baseUrl": "http://127.0.0.1:9/v1",
                    "api": "openai-completions",
                    "models": [{"id": "a", "contextWindow": 4096, "cost": {"input": 1, "output": 2}}],
                }
            }
        },
        "agents": {
            "defaults": {
                "model": {"primary": "ours/a", "fallbacks": ["quick"]},
                "models": {"ours/a": {"params": {"temperature": 0.5}}},
                "aliases": {"quick": [{"model": "ours/unlisted", "params": {"maxTokens": 9}}]},
            },
            "list": {"thinker": {"model": {"primary": "quick"}}},
        },
    }
    async with models(tmp_path, config, {"CEREBRAS_API_KEY": "k"}) as found:
        catalog = found.catalog()
        assert catalog.primary.model.ref == "ours/a"
        assert catalog.primary.options.temperature == 0.5
        assert catalog.primary.model.context_window == 4096
        assert catalog.primary.model.price is not None
        assert [each.model.ref for each in catalog.fallbacks] == ["ours/unlisted"]
        assert catalog.fallbacks[0].options.max_output == 9
        assert found.catalog("thinker").primary.model.ref == "ours/unlisted"
        assert found.catalog("thinker").models is catalog.models


async def test_a_primary_that_is_no_model_is_refused_with_what_there_is(tmp_path: Path) -> None:
    config = OFFLINE | {"agents": {"defaults": {"model": {"primary": "fats"}}}}
    with pytest.raises(BotError, match="fats"):
        async with models(tmp_path, config, {"CEREBRAS_API_KEY": "k"}):
            pass
