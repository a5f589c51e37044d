"""A missing peer is said aloud: as the last thing of a run, or as a failure where peers are required."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.peers import SYNAPSE_DONE, find_synapse

ROOT = Path(__file__).parents[1]
EXAMPLE = """
from tests.peers import require_peer

def test_one():
    require_peer("Gramophone", found=None)

def test_two():
    require_peer("Gramophone", found=None)

def test_three():
    require_peer("Telephone", found=True)
"""


def run_example(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_example.py").write_text(EXAMPLE)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", os.devnull]
    command += ["--rootdir", str(folder), "-p", "no:cacheprovider", str(folder)]
    known = {name: value for name, value in os.environ.items() if name != "FIRSTWORD_REQUIRE_PEERS"}
    return subprocess.run(
        command, cwd=ROOT, env=known | environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_skipped_peers_are_the_last_thing_that_a_run_prints(tmp_path: Path) -> None:
    run = run_example(tmp_path)
    assert run.returncode == 0, run.stdout
    assert run.stdout.splitlines()[-2:] == [
        "Not tested on this machine (2 skipped):",
        "  test_example.py (2): Gramophone is not on this machine; `make peers` installs it",
    ]


def test_a_missing_peer_fails_where_peers_are_required(tmp_path: Path) -> None:
    run = run_example(tmp_path, FIRSTWORD_REQUIRE_PEERS="1")
    assert run.returncode == 1, run.stdout
    assert "2 failed, 1 passed" in run.stdout.splitlines()[-1]


def test_a_test_cannot_reach_past_this_machine(tmp_path: Path) -> None:
    (tmp_path / "test_reach.py").write_text(
        "import socket\ndef test_reach():\n    socket.create_connection(('192.0.2.1', 9), timeout=1)\n"
    )
    run = run_example(tmp_path)
    assert "a test tried to reach 192.0.2.1" in run.stdout


def test_a_persons_keys_do_not_reach_the_tests(tmp_path: Path) -> None:
    (tmp_path / "test_keys.py").write_text(
        "import os\ndef test_keys():\n    assert 'ANTHROPIC_API_KEY' not in os.environ\n"
        "    assert os.environ['FIRSTWORD_HOME'] != '/home/of/a/person'\n"
    )
    run = run_example(tmp_path, ANTHROPIC_API_KEY="made-up", FIRSTWORD_HOME="/home/of/a/person")
    assert run.returncode == 0, run.stdout


def test_an_installation_that_was_broken_off_is_no_synapse(tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.touch()
    assert find_synapse(tmp_path) is None
    (tmp_path / SYNAPSE_DONE).touch()
    assert find_synapse(tmp_path) == python
