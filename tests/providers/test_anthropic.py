"""The settings of Anthropic's dialect, and when its SDK is loaded."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from providers.anthropic import SPEC, AnthropicSettings
from providers.base import Describes, ModelSettings, ModelSpec
from providers.gemini import SPEC as GEMINI
from providers.http import Pools
from providers.models import describe
from providers.profile import ModelProfile, ReasoningStyle

OFF_THE_LOOP = """
import asyncio, sys, threading
threads = set()
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "anthropic":
            threads.add(threading.current_thread() is threading.main_thread())
sys.meta_path.insert(0, Watch())
from providers.anthropic import SPEC
from providers.http import Pools
async def main():
    async with Pools(trust_env=False) as pools:
        given = {"baseUrl": "http://127.0.0.1:1"} | ({"transport": sys.argv[1]} if sys.argv[1:] else {})
        provider = SPEC.open("x", SPEC.settings.model_validate(given), pools)
        print("anthropic" in sys.modules)
        await provider.warm()
        print("anthropic" in sys.modules, threads)
asyncio.run(main())
"""


@pytest.mark.parametrize(("given", "after"), [(["sdk"], "True {False}"), ([], "False set()")])
def test_the_sdk_is_loaded_when_it_is_asked_for_and_needed_and_off_the_loop(
    given: list[str], after: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OFF_THE_LOOP, *given], capture_output=True, text=True, check=True, timeout=60
    )
    said = [line for line in done.stdout.splitlines() if line.startswith(("True", "False"))]
    assert said == ["False", after]


def test_a_name_of_ones_own_needs_an_address(pools: Pools) -> None:
    with pytest.raises(ValueError, match=r"models\.providers\.mine\.baseUrl is missing"):
        SPEC.open("mine", AnthropicSettings(), pools)
    assert SPEC.open("anthropic", AnthropicSettings(), pools).name == "anthropic"


def test_a_model_at_an_address_of_ones_own_is_what_its_vendor_made(pools: Pools) -> None:
    for spec, name in ((SPEC, "claude-haiku-4-5"), (GEMINI, "gemini-2.5-flash")):
        provider = spec.open("mine", spec.settings.model_validate({"baseUrl": "http://127.0.0.1:9"}), pools)
        assert isinstance(provider, Describes)
        told = provider.describe(ModelSpec("mine", name, profile=ModelProfile(forced_tools=False)))
        made = describe(spec.name, ModelSettings(name))
        assert (told.profile.reasoning, told.context_window, told.max_output) == (
            ReasoningStyle.BUDGET,
            made.context_window,
            made.max_output,
        )
        assert not told.profile.forced_tools  # what was said stands
        assert told.price is None
        assert provider.describe(made) == made
        unknown = ModelSpec("mine", "somebody-elses")
        assert provider.describe(unknown) == unknown


def test_the_settings_name_the_dialect_and_describe_models() -> None:
    settings = AnthropicSettings.model_validate(
        {
            "api": "anthropic-messages",
            "baseUrl": "http://127.0.0.1:9/v1/",
            "models": [{"id": "claude-x", "contextWindow": 1000, "input": ["text", "image"]}],
        }
    )
    (spec,) = settings.specs("mine")
    assert isinstance(spec, ModelSpec)
    assert (spec.ref, spec.context_window, spec.profile.images) == ("mine/claude-x", 1000, True)
    assert settings.base_url == "http://127.0.0.1:9/v1"
    assert SPEC.apis == ("anthropic-messages",)


@pytest.mark.parametrize(
    "given",
    [
        {"headers": {"x-api-key": "abc"}},
        {"headers": {"Authorization": "Bearer abc"}},
        {"headers": {"host": "x"}},
        {"betas": ["two\nlines"]},
        {"defaultParams": {"thinking": {}}},
        {"caching": "sometimes"},
        {"transport": "carrier pigeon"},
        {"baseUrl": "anthropic.com"},
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AnthropicSettings.model_validate(given)
