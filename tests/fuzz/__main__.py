"""Fuzz every target for some time each: `python -m tests.fuzz [--seconds 60] [--only NAME,NAME]`.

Findings are kept in findings/ as the inputs that they were; what was tried is added to RESULTS.md. The exit code is 1
when something was found. Where atheris is not installed (no wheel for this machine) that is said, and the code is 0.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.chaos.results import commit
from tests.fuzz import judge
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
BOOK = Path(__file__).parent / "RESULTS.md"
HEAD = """# What fuzzing has tried

`python -m tests.fuzz` (in `make chaos`) adds a row for each target; nobody writes here by hand. A finding is an
exception that no contract names, or more than 100 ms of CPU a KB; its input stays in findings/.

| date | version | commit | target | seconds | inputs | findings |
|---|---|---|---|---|---|---|
"""
_TRIED = re.compile(r"stat::number_of_executed_units:\s+(\d+)")


@dataclass(frozen=True, slots=True)
class Tried:
    """One target: how many inputs were tried, and what was found ("" and more where the process itself failed)."""

    name: str
    inputs: int
    findings: tuple[str, ...]


def fuzz(name: str, seconds: int) -> Tried:
    """One target in a process of its own. What it found is looked at again here and kept where it still is one."""
    with tempfile.TemporaryDirectory(prefix="firstword-fuzz-") as folder:
        done = subprocess.run(
            (sys.executable, "-m", "tests.fuzz.harness", name, str(seconds), folder),
            cwd=ROOT,
            capture_output=True,
            check=False,
            timeout=seconds + 300,
        )
        said = (done.stdout + done.stderr).decode(errors="replace")
        tried = _TRIED.search(said)
        found = tuple(_kept(name, Path(folder)))
    if tried is None:
        found = (*found, f"the harness ended with {done.returncode}: {said[-300:].strip()!r}")
    return Tried(name, int(tried[1]) if tried else 0, found)


def _kept(name: str, folder: Path) -> Iterator[str]:
    run = TARGETS[name]().run
    for file in sorted(each for each in folder.iterdir() if each.is_file()):
        data = file.read_bytes()
        kind = judge.raised(run, data)
        if not kind and (seconds := judge.slow(run, data)):
            kind = f"{seconds:.2f} s for {len(data)} bytes"
        if kind:
            kept = judge.FINDINGS / name / file.name
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, kept)
            yield f"{kind} ({kept.relative_to(ROOT)})"


def main() -> int:
    """1 when something was found."""
    asked = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    asked.add_argument("--seconds", type=int, default=60, help="for each target")
    asked.add_argument("--only", default=",".join(TARGETS), help="these targets")
    given = asked.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print(
            "Not fuzzed: atheris is not installed (deploy/locks/fuzz.txt; it has no wheel for every machine)"
        )
        return 0
    names = given.only.split(",")
    text = BOOK.read_text(encoding="utf-8") if BOOK.exists() else HEAD
    failed = False
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for one in pool.map(lambda name: fuzz(name, given.seconds), names):
            told = "; ".join(one.findings).replace("|", "\\|").replace("\n", " ") or "none"
            date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ")
            row = f"| {date} | {version('firstword')} | {commit()} | {one.name} | {given.seconds} | {one.inputs:,} | {told} |"
            print(f"{one.name}: {one.inputs:,} inputs, findings: {told}", flush=True)
            text += row + "\n"
            BOOK.write_text(text, encoding="utf-8")
            failed = failed or bool(one.findings)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
