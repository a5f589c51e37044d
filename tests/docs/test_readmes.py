"""What the guides show is true: their Python runs, their JSON loads, their commands exist, their links lead somewhere."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from bot.cli.main import main
from bot.home import Home
from bot.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
GUIDES = sorted(
    path.relative_to(ROOT)
    for path in ROOT.rglob("*.md")
    if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)[^)]*\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(guide: str, language: str) -> list[str]:
    text = (ROOT / guide).read_text()
    return [body for found, body in FENCE.findall(text) if found == language]


@pytest.mark.parametrize("guide", GUIDES, ids=str)
def test_a_link_leads_to_a_file(guide: Path) -> None:
    text = FENCE.sub("", (ROOT / guide).read_text())
    missing = [link for link in LINK.findall(text) if not (ROOT / guide.parent / link).exists()]
    assert missing == []


def test_the_example_of_a_decision_runs() -> None:
    (code,) = blocks("routing/README.md", "python")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_example_of_a_configuration_loads(tmp_path: Path) -> None:
    (example,) = blocks("README.md", "json")
    config = tmp_path / "config.json"
    config.write_text(example)
    settings = load_settings(Home(tmp_path), config, {"OURS_KEY": "k"})
    assert settings.agents.defaults.model.primary == "ours/big-one"
    assert json.loads(example)["models"]["providers"]["ours"]["models"][0]["id"] == "big-one"


def commands() -> list[str]:
    """Every `firstword ...` line of the README's shell blocks."""
    lines = [line for block in blocks("README.md", "sh") for line in block.splitlines()]
    found = [line.split("#")[0].strip() for line in lines if "firstword" in line]
    return [line[line.index("firstword") :] for line in found]


@pytest.mark.parametrize("line", commands())
def test_a_command_of_the_readme_is_one(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(line)[1:]
    verbs = words[:2] if words[0] in ("config", "message") else words[:1]
    try:
        code = main([*verbs, "--help"])
    except SystemExit as end:
        code = int(end.code or 0)
    assert code == 0
    assert "usage" in capsys.readouterr().out


def test_a_setting_of_the_readme_is_written_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "123456789:AA" + "x" * 33)
    (line,) = (line for line in commands() if "config set" in line)
    assert main(["--home", str(tmp_path), *shlex.split(line)[1:]]) == 0
    settings = json.loads((tmp_path / "config.json").read_text())
    assert settings["channels"]["telegram"]["accounts"]["main"]["allow"] == ["4711"]
