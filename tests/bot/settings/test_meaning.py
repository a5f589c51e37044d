"""What no single field shows: names that mean nothing, ids that are names, keys that lead nowhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.errors import SettingsError
from bot.home import Home
from bot.settings import Settings, load_settings

TOKEN = "123456789:AA" + "x" * 33


def load(folder: Path, config: dict[str, Any]) -> Settings:
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return load_settings(Home(folder), path, {})


def load_telegram(folder: Path, account: dict[str, Any]) -> Settings:
    return load(folder, {"channels": {"telegram": {"accounts": {"main": account}}}})


@pytest.mark.parametrize("place", ["primary", "fallbacks"])
def test_a_model_that_is_neither_a_ref_nor_an_alias_is_refused_with_the_nearest(
    tmp_path: Path, place: str
) -> None:
    value: Any = "fats" if place == "primary" else ["fats"]
    aliases = {"fast": [{"model": "demo/demo"}]}
    with pytest.raises(SettingsError, match=r'"fats" is no alias and no provider/model; nearest: "fast"'):
        load(tmp_path, {"agents": {"defaults": {"model": {place: value}, "aliases": aliases}}})


def test_a_named_agent_may_use_the_defaults_aliases(tmp_path: Path) -> None:
    agents = {
        "defaults": {"models": {"demo/demo": {"alias": "toy"}}},
        "list": {"second": {"model": {"primary": "Toy"}}},
    }
    assert load(tmp_path, {"agents": agents}).agent("second").model.primary == "Toy"


@pytest.mark.parametrize("field", ["allow", "owner", "groups"])
def test_a_name_where_an_id_belongs_is_refused(tmp_path: Path, field: str) -> None:
    account = {"token": TOKEN, field: ["4711", "@ann"]}
    with pytest.raises(
        SettingsError, match=rf'{field}\[1\]: "@ann" is not allowed; allowed: an id as a number'
    ):
        load_telegram(tmp_path, account)


def test_everybody_may_be_a_guest_and_nobody_everybodys_owner(tmp_path: Path) -> None:
    account = {"token": TOKEN, "allow": ["*"], "groups": ["*", -1001]}
    (main,) = (each for each in load_telegram(tmp_path, account).accounts if each.channel == "telegram")
    assert (main.allow, main.groups) == (("*",), ("*", "-1001"))
    with pytest.raises(SettingsError, match=r"owner\[0\]"):
        load_telegram(tmp_path, account | {"owner": ["*"]})


def test_a_key_that_leads_nowhere_is_a_warning(tmp_path: Path) -> None:
    settings = load(tmp_path, {"models": {"providers": {"cerebras": {"apiKey": "${NOPE_KEY}"}}}})
    assert any("NOPE_KEY" in warning for warning in settings.warnings)
