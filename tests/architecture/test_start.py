"""Listing and asking for help stay cheap: no SDK is loaded and no socket opened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, entry_points

HEAVY = (
    "telegram pyromark discord slack_bolt slack_sdk nio prompt_toolkit markdown_it "
    "anthropic cerebras openai httpx httpx2 aiohttp sqlalchemy alembic mlx mlx_lm transformers numpy onnxruntime prometheus_client "
    "mcp mcp_types"
).split()

PROBE = """
import json, sys
sockets = []
sys.addaudithook(lambda event, args: sockets.append(event) if event.startswith("socket.") else None)
code = 0
try:
    exec(sys.argv[1])
except SystemExit as stop:
    code = stop.code or 0
loaded = sorted({name.partition(".")[0] for name in sys.modules} & set(sys.argv[2].split()))
print("\\n" + json.dumps({"loaded": loaded, "sockets": sockets, "code": code}))
"""


def probe(code: str, home: Path, heavy: list[str]) -> dict[str, object]:
    """Run `code` in a fresh interpreter; tell which heavy libraries it loaded and which sockets it touched."""
    run = subprocess.run(
        [sys.executable, "-c", PROBE, code, " ".join(heavy)],
        cwd=ROOT,
        env=os.environ | {"FIRSTWORD_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    result: dict[str, object] = json.loads(run.stdout.splitlines()[-1])
    return result


@pytest.mark.parametrize(
    "code",
    [
        "import bot, channels, routing, providers",
        "from bot.cli.main import main; sys.exit(main(['--help']))",
        "from bot.cli.main import main; sys.exit(main(['--version']))",
        "from bot.cli.main import main; sys.exit(main(['config', 'validate']))",
        "from bot.cli.main import main; sys.exit(main(['channels', 'list']))",
        "from bot.cli.main import main; sys.exit(main(['models', 'list', '--all']))",
        "from bot.cli.main import main; sys.exit(main(['models', 'aliases', 'list']))",
        "from bot.cli.main import main; sys.exit(main(['auth', 'list']))",
    ],
    ids=["import", "help", "version", "config", "channels", "models", "aliases", "auth"],
)
def test_a_look_loads_no_sdk_and_opens_no_socket(code: str, tmp_path: Path) -> None:
    assert probe(code, tmp_path, HEAVY) == {"loaded": [], "sockets": [], "code": 0}


@pytest.mark.parametrize("verb", ["status", "channels status", "gateway status"])
def test_asking_after_the_daemon_loads_no_sdk(verb: str, tmp_path: Path) -> None:
    """They look for the daemon's socket; where there is none they say so with exit code 3."""
    result = probe(f"from bot.cli.main import main; sys.exit(main({verb.split()}))", tmp_path, HEAVY)
    assert (result["loaded"], result["code"]) == ([], 3)


def test_loading_every_spec_loads_no_sdk(tmp_path: Path) -> None:
    """The dialects may load httpx; it is the base of all of them."""
    modules = [*entry_points("firstword.channels").values(), *entry_points("firstword.providers").values()]
    result = probe("import " + ", ".join(modules), tmp_path, [name for name in HEAVY if name != "httpx"])
    assert result == {"loaded": [], "sockets": [], "code": 0}
