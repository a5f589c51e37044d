"""What the command line loads before it knows its verb: people wait for that each time."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bot.cli.main import build_parser

HEAVY = {"aiohttp", "asyncio", "httpx", "prometheus_client", "pydantic", "sqlite3", "structlog"}


def test_nothing_heavy_is_imported_before_a_verb_runs() -> None:
    program = "import sys\nimport bot.cli.main as cli\ncli.build_parser()\nprint(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert "bot.cli.main" in loaded
    assert not loaded & HEAVY


def verbs(text: str) -> list[str]:
    """The verbs that a help lists."""
    return [line.split()[0] for line in text.splitlines() if line.startswith("    ") and line[4:5].isalpha()]


EVERY = verbs(build_parser().format_help())


@pytest.mark.parametrize("verb", EVERY)
def test_a_verb_is_the_same_without_the_others(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    alone = build_parser(verb)
    assert verb in verbs(alone.format_help())
    assert len(verbs(alone.format_help())) < len(EVERY)
    told = []
    for parser in (alone, build_parser()):
        with pytest.raises(SystemExit):
            parser.parse_args([verb, "--help"])
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]
