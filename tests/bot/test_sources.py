"""Which model answers: configured, by a key, on this machine, or the stand-in; and each agent's own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.credentials import Stored, write_credentials
from bot.errors import BotError
from bot.home import Home
from bot.listings import Listing, listings_path, read_listings, write_listings
from bot.refresh import refresh_lists
from bot.settings import load_settings
from bot.sources import Models, look_at_models, open_models
from providers.base import Effort, ModelSettings
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


RETIRED = "cerebras/llama-3.3-70b"
KEYED = {"CEREBRAS_API_KEY": "k1"}


def naming(ref: str, **cerebras: Any) -> dict[str, Any]:
    providers = {"providers": {"cerebras": cerebras}} if cerebras else {}
    return {
        "models": {"detectLocal": False, **providers},
        "agents": {"defaults": {"model": {"primary": ref}}},
    }


async def test_a_retired_model_is_answered_for_by_its_successor(tmp_path: Path) -> None:
    async with models(tmp_path, naming(RETIRED), KEYED) as found:
        catalog = found.catalog()
        assert catalog.primary.model.ref == "cerebras/gpt-oss-120b"
        assert catalog.primary.options.effort is Effort.LOW
        assert catalog.resolve("Cerebras/llama-3.1-8b")[0].model.ref == "cerebras/gpt-oss-120b"
        assert catalog.resolve("qwen-3-32b")[0].model.ref == "cerebras/qwen-3.8-27b"
        assert RETIRED not in catalog.models


async def test_a_row_of_the_config_that_describes_a_retired_model_does_not_bring_it_back(
    tmp_path: Path,
) -> None:
    rows = [{"id": "llama-3.3-70b", "contextWindow": 128000}, {"id": "llama-3.1-8b"}]
    async with models(tmp_path, naming(RETIRED, models=rows), KEYED) as found:
        assert found.catalog().primary.model.ref == "cerebras/gpt-oss-120b"
        assert not [ref for ref in found.catalog().models if "llama" in ref]


async def test_another_server_under_a_vendors_name_gets_the_id_as_it_stands(tmp_path: Path) -> None:
    config = naming(RETIRED, baseUrl="http://127.0.0.1:9/v1")
    async with models(tmp_path, config, KEYED) as found:
        assert found.catalog().primary.model.ref == RETIRED


def keep(folder: Path, *ids: str, name: str = "cerebras") -> None:
    """What a provider listed last, as a file of the home."""
    home = Home(folder)
    home.prepare()
    listing = Listing(0.0, tuple(ModelSettings(each) for each in ids))
    write_listings(listings_path(home), {name: listing})


async def test_a_retired_model_that_is_still_listed_answers_itself(tmp_path: Path) -> None:
    keep(tmp_path, "llama-3.3-70b", "gpt-oss-120b", "brand-new")
    async with models(tmp_path, naming(RETIRED), KEYED) as found:
        catalog = found.catalog()
        assert catalog.primary.model.ref == RETIRED
        assert catalog.aliases["fast"][0].model.ref == RETIRED
        assert set(catalog.models) == {
            "cerebras/llama-3.3-70b",
            "cerebras/gpt-oss-120b",
            "cerebras/brand-new",
        }


async def test_a_list_of_other_names_does_not_take_the_aliases_away(tmp_path: Path) -> None:
    keep(tmp_path, "something-else")
    async with models(tmp_path, OFFLINE, KEYED) as found:
        assert found.catalog().aliases["fast"][0].model.ref == "cerebras/gpt-oss-120b"


async def test_looking_opens_no_provider_and_asks_nobody(
    tmp_path: Path, start_mock_model: Callable[..., MockModel]
) -> None:
    server = start_mock_model()
    config = {"models": {"providers": {"ours": {"baseUrl": server.base_url}}}}
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    found = await look_at_models(load_settings(Home(tmp_path), path, KEYED))
    assert (found.providers, server.requests()) == ({}, [])
    assert found.catalog().primary.model.ref == "cerebras/gpt-oss-120b"


async def test_lists_are_asked_kept_and_taken_in(
    tmp_path: Path, start_mock_model: Callable[..., MockModel]
) -> None:
    server = start_mock_model("--models", "a,b")
    config = {
        "models": {
            "providers": {"ours": {"baseUrl": server.base_url}, "gone": {"baseUrl": "http://127.0.0.1:9/v1"}}
        },
        "agents": {"defaults": {"model": {"primary": "ours/a"}}},
    }
    async with models(tmp_path, config) as found:
        assert server.requests() == []
        assert found.settings is not None
        assert set(await refresh_lists(found, found.settings, 100.0)) == {"gone"}
        assert {"ours/a", "ours/b"} <= set(found.catalog().models)
        assert len(server.requests()) == 1
        await refresh_lists(found, found.settings, 200.0)
        assert len(server.requests()) == 1
        server.config(models=["b"])
        await refresh_lists(found, found.settings, 100.0 + 86_400.0)
        assert found.listings["ours"].gone == {"a": 86_500.0}
    assert list(read_listings(listings_path(Home(tmp_path)))) == ["ours"]
    async with models(tmp_path, config) as found:
        assert "ours/b" in found.catalog().models


async def test_a_changed_key_is_taken_in_while_everything_runs(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    profiles = {"profiles": {"a": {"provider": "cerebras"}, "b": {"provider": "cerebras"}}}
    path.write_text(json.dumps(OFFLINE | {"auth": profiles}))
    file = Home(tmp_path).credentials
    write_credentials(file, {"a": Stored("key-one"), "b": Stored("key-two")})
    async with open_models(load_settings(Home(tmp_path), path, {})) as found:
        providers = dict(found.providers)
        assert found.catalog().credentials["cerebras"] == ("cerebras:a", "cerebras:b")
        write_credentials(file, {"b": Stored("key-three")})
        path.write_text(json.dumps(OFFLINE | {"auth": {"profiles": {"b": {"provider": "cerebras"}}}}))
        changed = await found.renew(load_settings(Home(tmp_path), path, {}))
        assert set(changed) == {("cerebras", "cerebras:a"), ("cerebras", "cerebras:b")}
        assert found.catalog().credentials["cerebras"] == ("cerebras:b",)
        secret = found.credential("cerebras", "cerebras:b").secret
        assert secret is not None and secret.get_secret_value() == "key-three"
        assert found.providers == providers


async def test_what_cannot_be_taken_in_leaves_everything_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(OFFLINE))
    async with open_models(load_settings(Home(tmp_path), path, KEYED)) as found:
        path.write_text(json.dumps(OFFLINE | {"agents": {"defaults": {"model": {"primary": "fast"}}}}))
        with pytest.raises(BotError):
            await found.renew(load_settings(Home(tmp_path), path, {}))
        assert found.catalog().primary.model.ref == "cerebras/gpt-oss-120b"


@pytest.mark.parametrize(
    ("setting", "window"),
    [({}, 32_768), ({"contextWindow": 8_000}, 8_000), ({"contextWindow": 200_000}, 32_768)],
    ids=["nothing", "less", "more"],
)
async def test_the_settings_may_lower_a_window_that_the_server_tells_but_not_raise_it(
    tmp_path: Path,
    start_mock_model: Callable[..., MockModel],
    setting: dict[str, int],
    window: int,
) -> None:
    server = start_mock_model("--kind", "vllm")
    server.config(models=["m"], context_tokens=32_768)
    row = {"baseUrl": server.base_url, "api": "openai-completions", "models": [{"id": "m", **setting}]}
    config = {"models": {"detectLocal": False, "providers": {"ours": row}}}
    async with models(tmp_path, config) as found:
        before = found.catalog().primary.model.context_window
        assert before == setting.get("contextWindow", 8_192)  # nobody was asked yet
        assert found.settings is not None
        assert await refresh_lists(found, found.settings, 1_000.0) == {}
        assert found.catalog().primary.model.context_window == window
    async with models(tmp_path, config) as again:
        assert again.catalog().primary.model.context_window == window


async def test_a_local_server_is_asked_for_its_windows_more_often_than_a_vendor(
    tmp_path: Path, start_mock_model: Callable[..., MockModel]
) -> None:
    server = start_mock_model("--kind", "vllm")
    server.config(models=["m"], context_tokens=4_000)
    row = {"baseUrl": server.base_url, "api": "openai-completions", "models": [{"id": "m"}]}
    async with models(tmp_path, {"models": {"detectLocal": False, "providers": {"ours": row}}}) as found:
        assert found.settings is not None
        seen = []
        for now, tokens in ((1_000.0, 4_000), (2_000.0, 6_000), (5_000.0, 7_000)):
            server.config(context_tokens=tokens)
            await refresh_lists(found, found.settings, now)
            seen.append(found.catalog().primary.model.context_window)
        assert seen == [4_000, 4_000, 7_000]
