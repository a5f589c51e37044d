"""The book of results: what was tried, when, at which commit; written by the program alone, read by people."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BOOK = Path(__file__).parent / "RESULTS.md"
GOAL = 100_000
"""Seeds of one version that nobody has yet to be satisfied with less than."""

_TITLE = f"""# What chaos has found

`make chaos MINUTES=n` adds a row when it ends and sums the rows up; nobody writes here by hand. Seeds are worlds in
virtual time (tests/chaos/README.md), crashes are deaths of the process in them. The goal is {GOAL:,} seeds of a version.
"""
_HEADS = (
    "| date | version | commit | seeds | numbers | crashes | findings |",
    "|---|---|---|---|---|---|---|",
)
_ROW = re.compile(
    r"^\| (\S+) \| (\S+) \| (\S+) \| ([\d,]+) \| (\d+)-(\d+) \| ([\d,]+) \| (.*) \|$", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Row:
    """One run. `first` and `last`: the numbers of its seeds. `findings`: the seeds that failed."""

    date: str
    version: str
    commit: str
    seeds: int
    first: int
    last: int
    kills: int
    findings: tuple[int, ...]

    def __str__(self) -> str:
        found = ", ".join(f"seed {each}" for each in self.findings) or "none"
        numbers = f"{self.first}-{self.last}"
        head = f"| {self.date} | {self.version} | {self.commit} | {self.seeds:,} |"
        return f"{head} {numbers} | {self.kills:,} | {found} |"


def read(text: str) -> list[Row]:
    """The rows of a book, the oldest first."""
    return [
        Row(
            date,
            version,
            commit,
            int(seeds.replace(",", "")),
            int(first),
            int(last),
            int(kills.replace(",", "")),
            tuple(int(each) for each in re.findall(r"seed (\d+)", found)),
        )
        for date, version, commit, seeds, first, last, kills, found in reversed(_ROW.findall(text))
    ]


def written(rows: Sequence[Row]) -> str:
    """The whole book."""
    lines = [_TITLE, "## Totals", ""]
    for version in dict.fromkeys(each.version for each in reversed(rows)):
        own = [each for each in rows if each.version == version]
        seeds, kills = sum(each.seeds for each in own), sum(each.kills for each in own)
        found = sum(len(each.findings) for each in own)
        lines.append(f"- {version}: {seeds:,} of {GOAL:,} seeds, {kills:,} crashes, {found} findings")
    lines += ["", "## Runs", "", *_HEADS, *(str(each) for each in reversed(rows)), ""]
    return "\n".join(lines)


def next_seed(rows: Sequence[Row], version: str) -> int:
    """Where to go on: after what was tried of this version."""
    return max((each.last + 1 for each in rows if each.version == version), default=0)


def commit() -> str:
    """Where the tree stands; a "+" when it holds more than was committed."""

    def git(*words: str) -> str:
        done = subprocess.run(("git", *words), capture_output=True, text=True, check=False, cwd=BOOK.parent)
        return done.stdout.strip()

    head = git("rev-parse", "--short", "HEAD") or "unknown"
    changed = git("status", "--porcelain", "--", ":/bot", ":/channels", ":/routing", ":/providers")
    return f"{head}+" if changed else head
