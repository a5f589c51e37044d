"""The guide "Write a channel in an afternoon" is run as it stands, and its tables are true."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from channels import errors
from channels.capabilities import Streaming
from tests.architecture.source import entry_points
from tests.channels.pacer_report import ROWS

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "channels" / "README.md").read_text()


def blocks() -> dict[str, str]:
    """The Python blocks by the file name in their first line."""
    found = re.findall(r"^```python\n# (\S+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    return dict(found)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A Python of its own, as a stranger would start it."""
    environ = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.slow
def test_the_guides_channel_passes_the_kit(tmp_path: Path) -> None:
    """Starts a pytest of its own, without the settings of this project."""
    for name in ("lines.py", "test_lines.py"):
        (tmp_path / name).write_text(blocks()[name])
    settings = ["-o", "asyncio_default_fixture_loop_scope=function", "-W", "error", "--timeout", "60"]
    flags = ["-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), *settings]
    done = run(tmp_path, "-m", "pytest", *flags)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= 25
    assert "skipped" not in done.stdout


def test_the_guides_code_is_fully_typed(tmp_path: Path) -> None:
    (tmp_path / "lines.py").write_text(blocks()["lines.py"])
    done = run(tmp_path, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "lines.py")
    assert done.returncode == 0, done.stdout


def test_the_example_of_a_reply_shows_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "answer.py").write_text(blocks()["answer.py"])
    done = run(tmp_path, "answer.py")
    assert done.stdout.startswith("['Hello, this is **one** message.']"), done.stderr


def test_every_way_of_streaming_and_every_error_has_its_row() -> None:
    tree = ast.parse(Path(errors.__file__).read_text())
    names = {node.name for node in tree.body if isinstance(node, ast.ClassDef)} - {"ChannelError", "GoneWhat"}
    rows = set(re.findall(r"^\| `(\w+)", GUIDE, re.MULTILINE))
    assert names <= rows
    assert {kind.name for kind in Streaming} <= rows


def test_every_channel_that_is_shipped_has_its_place_on_the_ladder() -> None:
    ladder = dict(re.findall(r"^\| `(\w+)` \| (bronze|silver|gold) \|", GUIDE, re.MULTILINE))
    assert set(ladder) == set(entry_points("firstword.channels"))


def test_the_table_of_the_pacer_has_the_rows_of_its_report_and_none_misses_its_aim() -> None:
    rows = re.findall(r"^\| ([\d.]+) \| (\d) \| ([\d.]+) \|$", GUIDE, re.MULTILINE)
    assert [(float(rate), int(burst)) for rate, burst, _ in rows] == [
        (rate, burst) for rate, burst, _ in ROWS
    ]
    assert all(float(ratio) <= aim for (_, _, ratio), (_, _, aim) in zip(rows, ROWS, strict=True))
