"""The rows of vendors and local servers, and the catalogue of models."""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson
import pytest

from providers import models, presets
from providers.base import Effort, ModelSettings, Price
from providers.facts import parse
from providers.http import is_loopback, origin_of
from providers.presets import DEEP, FAST, KEY_ORDER, PRESETS, REASON
from providers.profile import CacheStyle, ReasoningStyle

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
        parse(orjson.dumps({"sources": {"s": "S"}, "models": [ROW | change]}))


def test_a_row_may_stand_only_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        parse(orjson.dumps({"sources": {"s": "S"}, "models": [ROW, ROW]}))


def test_another_name_of_a_model_leads_to_its_row() -> None:
    known = models.catalogue()
    assert known["cerebras", "llama-3.1-8b"] is known["cerebras", "llama3.1-8b"]
    assert [spec.model for spec in models.known("anthropic", TODAY)].count("claude-haiku-4-5") == 1


STAND_INS = [
    ("cerebras", "llama-3.3-70b", None, ("gpt-oss-120b", Effort.LOW)),
    ("cerebras", "llama-3.1-8b", None, ("gpt-oss-120b", Effort.LOW)),
    ("cerebras", "qwen-3-32b", None, ("qwen-3.8-27b", None)),
    ("cerebras", "llama-3.3-70b", {"llama-3.3-70b"}, None),
    ("cerebras", "llama-3.3-70b", {"qwen-3.8-27b"}, ("gpt-oss-120b", Effort.LOW)),
    ("cerebras", "gpt-oss-120b", None, None),
    ("cerebras", "gpt-oss-120b", {"other"}, None),
    ("anthropic", "claude-sonnet-4-5", None, None),
    ("anthropic", "claude-3-opus", None, ("claude-opus-5-5", None)),
    ("nobody", "x", None, None),
]


@pytest.mark.parametrize(("provider", "model", "listed", "found"), STAND_INS)
def test_a_retired_model_has_a_stand_in_unless_it_is_still_listed(
    provider: str, model: str, listed: set[str] | None, found: tuple[str, Effort | None] | None
) -> None:
    instead = models.stand_in(provider, model, TODAY, listed)
    assert (None if instead is None else (instead.model, instead.effort)) == found


def test_what_a_provider_lists_counts_more_than_the_catalogues_dates() -> None:
    listed = {"llama-3.3-70b", "gpt-oss-120b"}
    assert {spec.model for spec in models.known("cerebras", TODAY, listed)} == listed


def test_what_a_local_server_has_is_for_it_to_say() -> None:
    assert models.known("ollama", TODAY) == ()
    assert models.describe("ollama", ModelSettings("llama3.2")).title == "Llama 3.2"


def test_a_price_changes_on_its_day() -> None:
    argon = ModelSettings("gemini-4-argon")
    assert models.describe("gemini", argon, today=TODAY).price == Price(2, 10, 0.1)
    assert models.describe("gemini", argon, today=date(2026, 12, 1)).price == Price(4, 20, 0.2)


def test_a_long_prompt_has_a_price_of_its_own() -> None:
    price = models.describe("anthropic", ModelSettings("claude-haiku-5-5")).price
    assert price is not None and price.above is not None
    assert (price.cache_write_hour, price.above[0], price.above[1].input) == (0.2, 100_000, 0.5)


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        (
            "anthropic/claude-sonnet-5-5",
            {"reasoning": ReasoningStyle.ADAPTIVE, "effort_off": "low", "cache": CacheStyle.MARKS, "cache_min": 512, "cache_marks": 4, "prefill": False, "sampling": False, "forced_tools": False, "images": True},
        ),
        (
            "anthropic/claude-haiku-4-5",
            {"reasoning": ReasoningStyle.BUDGET, "budget_min": 1024, "cache_min": 4096, "prefill": True, "sampling": True},
        ),
        ("gemini/gemini-2.5-flash", {"reasoning": ReasoningStyle.BUDGET, "budget_max": 24576, "effort_off": "none", "audio": True}),
        ("gemini/gemini-3.8-flash", {"reasoning": ReasoningStyle.LEVEL, "effort_off": "low", "cache": CacheStyle.AUTO}),
        ("cerebras/gpt-oss-120b", {"reasoning": ReasoningStyle.EFFORT, "prediction": True, "schema": True, "cache_min": 128, "images": False}),
        ("openai/gpt-6.1-sol", {"effort_off": "low", "efforts": ("low", "medium", "high", "xhigh", "max")}),
        ("openrouter/anthropic/claude-haiku-5.5", {"cache": CacheStyle.MARKS, "cache_marks": 4}),
        ("anthropic/claude-of-tomorrow", {"reasoning": ReasoningStyle.NONE, "cache": CacheStyle.MARKS}),
    ],
)  # fmt: skip
def test_a_family_says_what_its_models_take(ref: str, expected: dict[str, Any]) -> None:
    provider, _, model = ref.partition("/")
    profile = models.describe(provider, ModelSettings(model)).profile
    assert {name: getattr(profile, name) for name in expected} == expected


def test_what_is_only_believed_is_marked_with_a_field_that_exists() -> None:
    believed = {model: facts.believed for (_, model), facts in models.catalogue().items() if facts.believed}
    assert "retiredOn" in believed["claude-3-haiku-20240307"]


def test_a_familys_slip_is_named_too() -> None:
    with pytest.raises(ValueError, match=r"family f.*price"):
        parse(orjson.dumps({"sources": {}, "families": {"f": {"price": 1}}, "models": []}))
    with pytest.raises(ValueError, match=r"p/m.*twice"):
        parse(orjson.dumps({"sources": {"s": "S"}, "models": [ROW | {"aliases": ["m"]}]}))
