"""A missing peer is said aloud: as the last thing of a run, or as a failure where peers are required."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.peers import AIMOCK_DONE, CHROMIUM_PATHS, SYNAPSE_DONE, find_aimock, find_synapse

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


def test_an_installation_that_was_broken_off_is_no_aimock(tmp_path: Path) -> None:
    script = tmp_path / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
    script.parent.mkdir(parents=True)
    script.touch()
    assert find_aimock(tmp_path) is None
    (tmp_path / AIMOCK_DONE).touch()
    found = find_aimock(tmp_path)
    assert found is None if shutil.which("node") is None else found is not None and found[1] == str(script)


STUBS = {
    "npm": "test ! -e offline || { echo the registry is away; exit 1; }",
    "node": "exit 0",
    "uname": "echo Linux",
    "chromium": "exit 0",
    # The environment is made, but what is to go into it may be missing.
    "uv": 'case $1 in venv) for folder in "$@"; do :; done; mkdir -p "$folder/bin"; cp "$0" "$folder/bin/python";; esac\n'
    "test ! -e broken || { echo the index is away; exit 1; }",
    "python": "test ! -e broken",
}


def run_peers(folder: Path) -> subprocess.CompletedProcess[str]:
    """`make peers` in an empty project with programs that only pretend."""
    script = ROOT / "tests" / "peers.sh"
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", script, "bin", "."],
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_chromium_that_is_missing_is_not_said_to_be_there(tmp_path: Path) -> None:
    """The script has names of its own for what it installs; only a program counts."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "cat", "cmp", "cp", "id", "mkdir", "mktemp", "rm"):
        (programs / name).symlink_to(shutil.which(name) or name)
    for name, body in STUBS.items():
        if name != "chromium":
            (programs / name).write_text(f"#!{shutil.which('sh')}\n{body}\n")
            (programs / name).chmod(0o755)
    script = ROOT / "tests" / "peers.sh"
    command = [shutil.which("bash") or "bash", str(script), "bin", "."]
    run = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    is_there = any(path.exists() for path in CHROMIUM_PATHS)  # where macOS keeps it
    assert run.returncode == (0 if is_there else 1)
    assert ("Chromium is here" in run.stdout) == is_there
    assert ("install Chromium or Google Chrome" in run.stderr) != is_there


def test_a_peer_is_installed_once_for_each_lock(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name, body in STUBS.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    lock = tmp_path / "synapse.txt"
    lock.write_text("one")
    extras = tmp_path / "all.txt"
    extras.write_text("one")
    other = tmp_path / "aimock" / "package-lock.json"
    other.parent.mkdir()
    other.with_name("package.json").write_text("{}")
    other.write_text("one")
    (tmp_path / "offline").touch()
    (tmp_path / "broken").touch()
    broken = run_peers(tmp_path)
    assert broken.returncode == 1
    assert "the index is away" in broken.stderr
    assert "the registry is away" in broken.stderr
    assert find_synapse(tmp_path / ".peers" / "synapse") is None
    assert not (tmp_path / ".peers" / "aimock" / AIMOCK_DONE).exists()
    (tmp_path / "broken").unlink()
    (tmp_path / "offline").unlink()
    for content in ("one", "two"):
        lock.write_text(content)
        extras.write_text(content)
        other.write_text(content)
        first, second = run_peers(tmp_path), run_peers(tmp_path)
        assert (first.returncode, second.returncode) == (0, 0), first.stderr
        assert first.stdout.splitlines()[:3] == [
            "installing the extra mlx",
            "installing Synapse into .peers/synapse",
            "installing aimock into .peers/aimock",
        ]
        assert second.stdout.splitlines()[:4] == [
            *("mlx is here", "Synapse is here", "aimock is here", "Chromium is here")
        ]
        assert find_synapse(tmp_path / ".peers" / "synapse") is not None
