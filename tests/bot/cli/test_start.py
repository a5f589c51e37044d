"""What the command line loads before it knows its verb: people wait for that each time."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"aiohttp", "asyncio", "httpx", "prometheus_client", "pydantic", "sqlite3", "structlog"}


def test_nothing_heavy_is_imported_before_a_verb_runs() -> None:
    program = "import sys\nimport bot.cli.main as cli\ncli.build_parser()\nprint(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert "bot.cli.main" in loaded
    assert not loaded & HEAVY
