"""What the guides show is true: their Python runs, their JSON loads, their commands exist, their links lead somewhere."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from bot.cli.main import main
from bot.home import Home
from bot.plugins import DISTRIBUTION, discover
from bot.settings import load_settings
from routing.simulate import compare
from routing.traffic import scenario
from tests.bot.cli.terminal import Terminal

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


def simulated(name: str) -> str:
    """A day's row of the table in the guide to routing, from "static / smart" on."""
    day = scenario(name)
    runs = [each.to_plain() for each in compare(day, ("static", "smart"))]
    sync, semi = ([run["classes"][latency] for run in runs] for latency in ("sync", "semi-sync"))
    extra = [run["requests"] - len(day.questions) for run in runs]
    cells = [
        "static / smart",
        "{:.2f} / {:.2f} s".format(*(each["p95"] for each in sync)),
        "{:.2f} / {:.2f} s".format(*(each["p95"] for each in semi)),
        "{:.2f} / {:.2f} s".format(*(each["p99"] for each in semi)),
        "{} / {}".format(*(each["late"] for each in sync)),
        "${:.2f} / ${:.2f}".format(*(run["cost_usd"] for run in runs)),
        "{} / {}".format(*(run["switches"] for run in runs)),
        "{} / {}".format(*extra),
    ]
    return " | ".join(cells)


@pytest.mark.slow
def test_a_simulated_day_has_the_figures_of_the_guide() -> None:
    """Two policies play one day of 3,000 questions: where that one is right, the others are of the same code."""
    assert f"| calm | {simulated('calm')} |\n" in (ROOT / "routing" / "README.md").read_text()


def test_the_example_of_a_configuration_loads(tmp_path: Path) -> None:
    example, tools = blocks("README.md", "json")
    config = tmp_path / "config.json"
    config.write_text(json.dumps(json.loads(example) | json.loads(tools)))
    settings = load_settings(Home(tmp_path), config, {"OURS_KEY": "k"})
    assert [server.name for server in settings.tool_servers] == ["notes"]
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
    verbs = words[:2] if words[0] in ("auth", "batch", "channels", "config", "message") else words[:1]
    try:
        code = main([*verbs, "--help"])
    except SystemExit as end:
        code = int(end.code or 0)
    assert code == 0
    assert "usage" in capsys.readouterr().out


def test_the_accounts_of_the_readme_are_made_as_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "123456789:AA" + "x" * 33)
    terminal = Terminal(tmp_path, capsys, monkeypatch)
    for line in (line for line in commands() if "config set" in line or "auth add" in line):
        assert terminal.run(*shlex.split(line)[1:], stdin="987654321:AA" + "x" * 33).code == 0
    accounts = load_settings(Home(terminal.home), terminal.config, dict(os.environ)).accounts
    found = {each.name: each for each in accounts if each.channel == "telegram"}
    assert found["main"].owner == ("4711",)
    assert found["team"].owner == ("4711",)
    assert found["team"].settings.token.get_secret_value().startswith("987654321:")


def test_every_channel_of_ours_has_its_row_with_its_variables_and_its_page() -> None:
    rows = dict(re.findall(r"^\| ([A-Z][\w ]+) \| (.+) \|$", (ROOT / "README.md").read_text(), re.MULTILINE))
    plugins = discover()
    for name, listed in plugins.channels.items():
        if listed.distribution == DISTRIBUTION:
            spec = plugins.channel(name)
            assert f"(channels/{name}/README.md)" in rows[spec.title]
            fields = spec.settings.model_fields
            needed = [each for each, field in spec.environment.items() if fields[field].is_required()]
            assert [each for each in needed if f"`{each}`" not in rows[spec.title]] == []
