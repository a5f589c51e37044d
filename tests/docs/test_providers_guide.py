"""The guide "Write a provider in an afternoon" is run as it stands, and its tables are true."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bot.home import Home
from bot.settings import load_settings
from bot.sources import open_models
from providers import presets
from providers.anthropic import AnthropicSettings
from providers.anthropic_marks import Caching
from providers.base import CompletionRequest, Credential, PromptMessage, Role, complete
from providers.cerebras import CerebrasSettings
from providers.demo_scenario import ERRORS, Way
from providers.errors import ErrorKind
from providers.openai_compatible import OpenAICompatibleSettings

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "providers" / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_guides_provider_passes_every_rule_that_its_peer_can_stage(tmp_path: Path) -> None:
    """Starts a pytest of its own, as a stranger would."""
    for block in blocks("python"):
        name = block.partition("\n")[0].removeprefix("# ")
        (tmp_path / name).write_text(block)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["ollama_native.py", "test_ollama_native.py"]
    settings = ["-o", "asyncio_default_fixture_loop_scope=function"]
    flags = ["-q", *settings, "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *flags],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None and int(passed[1]) >= 20
    assert "skipped" not in done.stdout


def test_the_guides_provider_is_cheap_to_import(tmp_path: Path) -> None:
    (tmp_path / "ollama_native.py").write_text(blocks("python")[0])
    code = "import sys, ollama_native; print(sorted({'httpx', 'aiohttp'} & set(sys.modules)))"
    environ = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_configuration_of_the_guide_is_valid() -> None:
    rows = {
        name: row
        for block in blocks("json")
        if '"scenario"' not in block
        for name, row in json.loads(block)["models"]["providers"].items()
    }
    assert OpenAICompatibleSettings.model_validate(rows["mine"]).models[0].id == "some-model"
    assert CerebrasSettings.model_validate(rows["cerebras"]).queue_threshold == 500
    assert AnthropicSettings.model_validate(rows["anthropic"]).caching is Caching.STABLE


async def test_the_rehearsal_of_the_guide_can_be_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it stands, from the folder in which somebody who has cloned the project is."""
    monkeypatch.chdir(ROOT)
    (example,) = [block for block in blocks("json") if '"scenario"' in block]
    (tmp_path / "config.json").write_text(example)
    settings = load_settings(Home(tmp_path), tmp_path / "config.json", {})
    async with open_models(settings) as models:
        ladder = [models.default.primary, *models.default.fallbacks]
        assert [choice.model.ref for choice in ladder] == ["stage/quick", "stage/steady", "stage/last"]
        quick = ladder[0].model
        request = CompletionRequest((PromptMessage(Role.USER, "hello"),))
        text, _ = await complete(models.providers["stage"], quick, request, Credential("none"))
    assert text == "quick heard: hello"


def test_every_field_and_every_fault_of_a_scenario_stand_in_the_guide() -> None:
    section = GUIDE.partition("## Rehearse")[2].partition("\n## ")[0]
    kinds = [kind for kind in (*ERRORS, *Way) if f"`{kind}`" not in section]
    asked = set(re.findall(r'row\.\w+\(\s*"(\w+)"', (ROOT / "providers" / "demo_scenario.py").read_text()))
    assert len(asked) > 15
    assert (kinds, [each for each in asked if each not in section]) == ([], [])


def test_every_preset_and_its_key_stand_in_the_guide() -> None:
    for preset in presets.PRESETS:
        assert f"| `{preset.name}` |" in GUIDE
        for variable in preset.variables:
            assert f"`{variable}`" in GUIDE
        if preset.port is not None:
            assert f"127.0.0.1:{preset.port}" in GUIDE


def test_every_kind_of_error_stands_in_the_guide() -> None:
    missing = [kind for kind in ErrorKind if f"`{kind}`" not in GUIDE and kind is not ErrorKind.CANCELLED]
    assert missing == []


def test_every_module_of_the_room_stands_in_the_guide() -> None:
    modules = {file.name for file in (ROOT / "providers").glob("*.py")} - {"__init__.py"}
    assert {name for name in modules if name not in GUIDE} == set()
