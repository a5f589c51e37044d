"""What the owner is told of models that leave."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from bot.home import Home
from bot.listings import Listing
from bot.model_notes import notes_on, refs_in_use
from bot.settings import Settings, load_settings
from providers.base import ModelSettings

TODAY = date(2026, 11, 21)


def settings(folder: Path, config: Any = None) -> Settings:
    path = folder / "config.json"
    path.write_text(json.dumps(config or {}))
    return load_settings(Home(folder), path, {})


def listing(*ids: str, where: str = "", gone: Mapping[str, float] | None = None) -> Listing:
    return Listing(0.0, tuple(ModelSettings(each) for each in ids), gone or {}, where)


OLD = "cerebras/llama-3.3-70b"
SOON = "anthropic/claude-sonnet-4-5"
ALIVE = "cerebras/gpt-oss-120b"

NOTES = {
    "retired": (OLD, {}, f"{OLD} was retired on 2026-02-16; use {ALIVE}, which answers for it meanwhile"),
    "another name": (
        "cerebras/llama-3.1-8b",
        {},
        f"cerebras/llama-3.1-8b was retired on 2026-05-27; use {ALIVE}, which answers for it meanwhile",
    ),
    "still listed": (
        OLD,
        {"cerebras": listing("llama-3.3-70b")},
        f"{OLD} was to be retired on 2026-02-16, but is still listed; use {ALIVE} soon",
    ),
    "leaves soon": (SOON, {}, f"{SOON} will be retired on 2026-11-30; use anthropic/claude-sonnet-5-5"),
    "alive": (ALIVE, {"cerebras": listing("gpt-oss-120b")}, None),
    "alive, no list": (ALIVE, {}, None),
    "vanished": (
        ALIVE,
        {"cerebras": listing("qwen-3.8-27b", gone={"gpt-oss-120b": 86_400.0})},
        f"{ALIVE} is not among the models that cerebras lists since 1970-01-02; choose another: firstword models list",
    ),
    "an empty list says nothing": (ALIVE, {"cerebras": listing()}, None),
    "another address": (ALIVE, {"cerebras": listing("x", where="http://127.0.0.1:1/v1")}, None),
    "listed under another name": (
        "anthropic/claude-haiku-4-5",
        {"anthropic": listing("claude-haiku-4-5-20251001")},
        None,
    ),
}


@pytest.mark.parametrize(("ref", "listings", "said"), NOTES.values(), ids=NOTES)
def test_each_model_that_leaves_is_said_with_what_to_do(
    tmp_path: Path, ref: str, listings: dict[str, Listing], said: str | None
) -> None:
    assert notes_on(settings(tmp_path), [ref], listings, TODAY) == ([said] if said else [])


def test_what_a_vendor_does_says_nothing_of_another_server_of_that_name(tmp_path: Path) -> None:
    own = {"models": {"providers": {"cerebras": {"baseUrl": "http://127.0.0.1:1/v1"}}}}
    assert notes_on(settings(tmp_path, own), [OLD], {}, TODAY) == []


def test_only_models_that_are_wanted_count(tmp_path: Path) -> None:
    config = {
        "models": {"providers": {"cerebras": {"models": [{"id": "described-only"}]}}},
        "agents": {
            "defaults": {
                "model": {"primary": OLD, "fallbacks": [SOON, "fast"]},
                "models": {ALIVE: {"alias": "a"}},
                "aliases": {"b": "anthropic/claude-opus-5-5"},
            }
        },
    }
    assert refs_in_use(settings(tmp_path, config)) == [OLD, SOON, ALIVE, "anthropic/claude-opus-5-5"]
