"""The book of results: what was tried, when, at which commit; written by the program alone, read by people."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BOOK = Path(__file__).parent / "RESULTS.md"
GOAL, GOAL_KILLS = 100_000, 1_000
"""Seeds and kills of one version: nobody is to be satisfied with less."""

_TITLE = f"""# What chaos has found

`make chaos MINUTES=n` adds a row and sums the rows up; nobody writes here by hand. Seeds are worlds in virtual time,
crashes are deaths of the process in them; kills are kill -9 of a real daemon, in chains of lives (README.md). Orphans
stand beside an answer, as class B allows after a kill, each of them counted by the daemon. The goal is {GOAL:,} seeds and
{GOAL_KILLS:,} kills of a version.
"""
_HEADS = (
    "| date | version | commit | seeds | numbers | crashes | kills | chains | orphans | findings |",
    "|---|---|---|---|---|---|---|---|---|---|",
)
_ROW = re.compile(r"^\| (20\S+) \|(.*)\|$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers that were tried, both ends with them; empty where nothing was."""

    first: int = 0
    last: int = -1

    def __str__(self) -> str:
        return f"{self.first}-{self.last}" if self.last >= self.first else "-"

    @classmethod
    def read(cls, text: str) -> Span:
        """What `str` gave."""
        first, _, last = text.partition("-")
        return cls(int(first), int(last)) if first else cls()


@dataclass(frozen=True, slots=True)
class Row:
    """One run. `numbers`, `chains`: of its seeds and of its chains of lives. `findings`: "seed 7", "chain 3"."""

    date: str
    version: str
    commit: str
    seeds: int = 0
    numbers: Span = Span()
    crashes: int = 0
    kills: int = 0
    chains: Span = Span()
    orphans: int = 0
    findings: tuple[str, ...] = ()

    def __str__(self) -> str:
        found = ", ".join(self.findings) or "none"
        head = f"| {self.date} | {self.version} | {self.commit} | {self.seeds:,} | {self.numbers} |"
        return f"{head} {self.crashes:,} | {self.kills:,} | {self.chains} | {self.orphans:,} | {found} |"


def read(text: str) -> list[Row]:
    """The rows of a book, the oldest first."""
    return [_row(date, rest) for date, rest in reversed(_ROW.findall(text))]


def _row(date: str, rest: str) -> Row:
    cells = [each.strip() for each in rest.split("|")]
    if len(cells) == 6:  # from before there were kills
        cells[5:5] = ["0", "-", "0"]
    version, commit, seeds, numbers, crashes, kills, chains, orphans, found = cells
    return Row(
        date,
        version,
        commit,
        _whole(seeds),
        Span.read(numbers),
        _whole(crashes),
        _whole(kills),
        Span.read(chains),
        _whole(orphans),
        tuple(re.findall(r"(?:seed|chain) \d+", found)),
    )


def _whole(text: str) -> int:
    return int(text.replace(",", ""))


def written(rows: Sequence[Row]) -> str:
    """The whole book."""
    lines = [_TITLE, "## Totals", ""]
    for version in dict.fromkeys(each.version for each in reversed(rows)):
        own = [each for each in rows if each.version == version]
        lines.append(f"- {version}: {summed(own)}")
    lines += ["", "## Runs", "", *_HEADS, *(str(each) for each in reversed(rows)), ""]
    return "\n".join(lines)


def summed(rows: Sequence[Row]) -> str:
    """What these runs come to."""
    seeds, crashes = sum(each.seeds for each in rows), sum(each.crashes for each in rows)
    kills, orphans = sum(each.kills for each in rows), sum(each.orphans for each in rows)
    found = sum(len(each.findings) for each in rows)
    told = f"{seeds:,} of {GOAL:,} seeds, {crashes:,} crashes, {kills:,} of {GOAL_KILLS:,} kills"
    return f"{told}, {orphans:,} orphans, {found} findings"


@dataclass(slots=True)
class Book:
    """The book in its file, for one run. Another run may write at the same time: kills beside seeds."""

    path: Path = BOOK
    _kept: Row | None = None

    def rows(self) -> list[Row]:
        """What stands in it."""
        return read(self.path.read_text()) if self.path.exists() else []

    def keep(self, row: Row) -> None:
        """Write down how far this run has come, in place of what it kept before."""
        others = [each for each in self.rows() if each != self._kept]
        self._kept = row
        self.path.write_text(written(sorted([*others, row], key=lambda each: each.date)))


def next_seed(rows: Sequence[Row], version: str) -> int:
    """Where to go on: after what was tried of this version."""
    return max((each.numbers.last + 1 for each in rows if each.version == version), default=0)


def next_chain(rows: Sequence[Row], version: str) -> int:
    """The same of chains of lives."""
    return max((each.chains.last + 1 for each in rows if each.version == version), default=0)


def commit() -> str:
    """Where the tree stands; a "+" when it holds more than was committed."""

    def git(*words: str) -> str:
        done = subprocess.run(("git", *words), capture_output=True, text=True, check=False, cwd=BOOK.parent)
        return done.stdout.strip()

    head = git("rev-parse", "--short", "HEAD") or "unknown"
    changed = git("status", "--porcelain", "--", ":/bot", ":/channels", ":/routing", ":/providers")
    return f"{head}+" if changed else head
