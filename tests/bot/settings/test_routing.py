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


def test_with_nothing_said_no_money_is_counted_and_nothing_is_judged(tmp_path: Path) -> None:
    routing = load(tmp_path, {}).routing
    assert (routing.budget.per_day, routing.kept_for_people) == (None, 0.5)
    assert (routing.semantic.model, routing.cascade.enabled) == (None, False)


def test_a_whole_routing_section_is_read_as_it_is_meant(tmp_path: Path) -> None:
    routing = load(
        tmp_path,
        {
            "keptForPeople": 0.8,
            "budget": {"perDay": 5, "soft": 0.5, "hard": 1.2},
            "semantic": {"model": "onnx/minilm", "routes": {"deep": ["prove it"]}, "threshold": 0.7},
            "cascade": {
                "enabled": True,
                "models": [{"model": "fast", "quality": 0.7}, {"model": "a/b", "quality": 0.9, "cost": 0.01}],
                "maxExpectedCost": 0.003,
                "maxDepth": 2,
                "forceOrder": True,
                "classes": ["batch"],
            },
        },
    ).routing
    assert (routing.budget.per_day, routing.budget.soft, routing.budget.hard) == (5.0, 0.5, 1.2)
    assert routing.semantic.routes == {"deep": ("prove it",)}
    assert [each.model for each in routing.cascade.models] == ["fast", "a/b"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"keptForPeople": 1.0}, "routing.keptForPeople"),
        ({"budget": {"perDay": -1}}, "routing.budget.perDay"),
        ({"budget": {"soft": 0.9, "hard": 0.5}}, "soft (0.9) is above hard (0.5)"),
        ({"semantic": {"model": "fast"}}, "routing.semantic.model"),
        ({"semantic": {"routes": {"deep": []}}}, "routing.semantic.routes.deep"),
        ({"semantic": {"routes": {"late": ["x"]}}}, 'a route is called "late"'),
        ({"semantic": {"routes": {"deep": ["x"] * 101}}}, "routes have 101 samples"),
        ({"cascade": {"enabled": True}}, "enabled with 0 models"),
        ({"cascade": {"classes": ["voice"]}}, "routing.cascade.classes"),
        ({"cascade": {"maxDepth": 0}}, "routing.cascade.maxDepth"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(tmp_path: Path, wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, wrong)
    assert says in str(refused.value)
