"""The rows of vendors and local servers, and the catalogue of models."""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson
import pytest

from providers import models, presets
from providers.base import ModelSettings, Price
from providers.http import is_loopback, origin_of
from providers.presets import DEEP, FAST, KEY_ORDER, PRESETS, REASON
from providers.profile import ReasoningStyle

TODAY = date(2026, 11, 21)


def test_a_preset_is_found_by_its_name_in_any_case() -> None:
    found = presets.find("Cerebras")
    assert found is not None and found.name == "cerebras"
    assert presets.find("nobody") is None


def test_every_row_is_complete() -> None:
    names = [preset.name for preset in PRESETS]
    assert len(set(names)) == len(names)
    for preset in PRESETS:
        assert preset.title and preset.connect, preset.name
        assert origin_of(preset.base_url) and not preset.base_url.endswith("/"), preset.name
        if preset.is_local:
            assert is_loopback(preset.base_url) and preset.port and not preset.variables, preset.name
            assert f":{preset.port}/" in preset.base_url
        else:
            assert preset.base_url.startswith("https://") and preset.variables and preset.profile.source, (
                preset.name
            )


def test_keys_are_looked_for_in_the_order_of_the_vendors() -> None:
    assert KEY_ORDER == ("cerebras", "anthropic", "openai", "openrouter", "gemini")
    assert all((preset := presets.find(name)) and preset.variables for name in KEY_ORDER)


@pytest.mark.parametrize("name", KEY_ORDER)
@pytest.mark.parametrize("alias", [FAST, REASON, DEEP])
def test_every_hosted_alias_ends_in_a_model_of_today(name: str, alias: str) -> None:
    preset = presets.find(name)
    assert preset is not None
    known = models.catalogue()
    for preference in preset.aliases[alias]:
        assert (name, preference.model) in known, preference
    alive = models.preferred(preset, alias, TODAY)
    assert alive


def test_retired_models_are_passed_over_unless_the_provider_still_lists_them() -> None:
    preset = presets.find("cerebras")
    assert preset is not None
    assert models.preferred(preset, FAST, TODAY)[0].model == "gpt-oss-120b"
    assert models.preferred(preset, FAST, date(2026, 1, 1))[0].model == "llama-3.3-70b"
    listed = models.preferred(preset, FAST, TODAY, listed={"llama-3.3-70b", "gpt-oss-120b"})
    assert [one.model for one in listed] == ["llama-3.3-70b", "gpt-oss-120b"]
    assert models.preferred(preset, FAST, TODAY, listed=set()) == ()


RETIRED = ["llama-3.3-70b", "llama3.1-8b", "qwen-3-32b", "qwen-3-235b", "zai-glm-4.7"]


@pytest.mark.parametrize("model", RETIRED)
def test_a_retired_model_names_one_that_lives(model: str) -> None:
    known = models.catalogue()
    facts = known["cerebras", model]
    assert facts.is_retired(TODAY)
    assert not known["cerebras", facts.successor].is_retired(TODAY)


def test_a_model_that_goes_soon_is_still_there() -> None:
    facts = models.catalogue()["anthropic", "claude-sonnet-4-5"]
    assert not facts.is_retired(TODAY)
    assert facts.is_retired(date(2026, 11, 30))
    assert "anthropic/claude-sonnet-4-5" in {spec.ref for spec in models.known("anthropic", TODAY)}
    assert "anthropic/claude-sonnet-4-5" not in {
        spec.ref for spec in models.known("anthropic", date(2026, 12, 1))
    }


def test_a_description_joins_settings_catalogue_and_preset() -> None:
    spec = models.describe("cerebras", ModelSettings("gpt-oss-120b"))
    assert (spec.title, spec.context_window) == ("GPT-OSS 120B", 131072)
    assert spec.price == Price(0.35, 0.75)
    assert spec.profile.reasoning is ReasoningStyle.EFFORT
    assert spec.profile.max_output_field == "max_completion_tokens"
    given = ModelSettings("gpt-oss-120b", "Mine", 1000, 500, Price(1, 2))
    mine = models.describe("cerebras", given, images=True)
    assert (mine.title, mine.context_window, mine.max_output, mine.price) == ("Mine", 1000, 500, Price(1, 2))
    assert mine.profile.images and mine.profile.reasoning is ReasoningStyle.EFFORT


def test_an_unknown_model_is_described_carefully() -> None:
    spec = models.describe("mine", ModelSettings("x/y:7b"))
    assert (spec.ref, spec.context_window, spec.price) == ("mine/x/y:7b", models.DEFAULT_CONTEXT, None)
    assert spec.profile.reasoning is ReasoningStyle.NONE and not spec.profile.prefill


def test_a_local_model_costs_nothing() -> None:
    spec = models.describe("ollama", ModelSettings("llama3.2"))
    assert spec.is_local and spec.price == Price(0, 0)


def test_a_model_that_the_settings_call_reasoning_takes_an_effort() -> None:
    assert (
        models.describe("mine", ModelSettings("x"), reasoning=True).profile.reasoning is ReasoningStyle.EFFORT
    )
    qwen = models.describe("cerebras", ModelSettings("qwen-3-32b"), reasoning=True)
    assert qwen.profile.reasoning is ReasoningStyle.NO_THINK


@pytest.mark.parametrize(
    ("model", "talks"),
    [
        ("text-embedding-3-small", False),
        ("tts-1-hd", False),
        ("whisper-1", False),
        ("llama3.2", True),
        ("m", True),
    ],
)
def test_models_that_make_vectors_or_speech_are_not_offered_for_talk(model: str, *, talks: bool) -> None:
    assert models.is_for_chat(model) is talks


def test_no_model_of_the_catalogue_is_taken_for_one_of_those() -> None:
    assert all(models.is_for_chat(model) for _, model in models.catalogue())


ROW: dict[str, Any] = {
    "provider": "p",
    "id": "m",
    "title": "M",
    "context": 10,
    "maxOutput": None,
    "price": [1, 2, None, None],
    "source": "s",
    "checked": "2026-11-21",
}

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown field": ({"contxt": 1}, "contxt"),
    "no window": ({"context": 0}, "context"),
    "half a price": ({"price": [1]}, "price"),
    "a price below nothing": ({"price": [1, -2, None, None]}, "price"),
    "an unknown source": ({"source": "x"}, "x"),
    "an unknown style": ({"reasoning": "hard"}, "hard"),
    "a date that is none": ({"retiredOn": "soon"}, "soon"),
    "a successor that is no row": ({"successor": "z"}, "successor"),
    "no title": ({"title": ""}, "title"),
}


@pytest.mark.parametrize(("change", "named"), WRONG.values(), ids=WRONG)
def test_a_wrong_row_is_refused_by_name(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=rf"p/m.*{named}"):
        models.parse(orjson.dumps({"sources": {"s": "S"}, "models": [ROW | change]}))


def test_a_row_may_stand_only_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        models.parse(orjson.dumps({"sources": {"s": "S"}, "models": [ROW, ROW]}))
