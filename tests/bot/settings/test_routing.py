"""The settings of choosing models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.errors import SettingsError
from bot.home import Home
from bot.settings import Settings, load_settings


def load(folder: Path, routing: dict[str, Any]) -> Settings:
    home = Home(folder)
    home.prepare()
    home.config.write_text(json.dumps({"routing": routing}))
    return load_settings(home, home.config, {})


def test_with_nothing_said_everybody_is_chosen_for_by_figures_and_nothing_is_learnt(tmp_path: Path) -> None:
    routing = load(tmp_path, {}).routing
    assert (routing.rollout.stage, routing.rollout.sample, routing.learns) == ("100", 0.0, False)


@pytest.mark.parametrize(("written", "read"), [(20, "20"), ("50", "50"), ("shadow", "shadow")])
def test_a_stage_may_be_written_as_a_number(tmp_path: Path, written: object, read: str) -> None:
    assert load(tmp_path, {"rollout": {"stage": written}}).routing.rollout.stage == read


@pytest.mark.parametrize(
    ("rollout", "said"),
    [
        ({"stage": 30}, "routing.rollout.stage"),
        ({"stage": True}, "routing.rollout.stage"),
        ({"sample": 0.5}, "routing.rollout.sample"),
        ({"costCap": 0.2}, "routing.rollout.costCap"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, rollout: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load(tmp_path, {"rollout": rollout})
