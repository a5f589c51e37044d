"""How much chaos a test run had, for its last lines: each test tells its share as a property of its report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

SEEDS, CRASHES, KILLS, ORPHANS = "chaos seeds", "chaos crashes", "chaos kills", "chaos orphans"


def chaos_line(stats: Mapping[str, Iterable[Any]]) -> str:
    """The line for the reports of a run, "" where there was no chaos in it."""
    counts = Counter[str]()
    for report in (one for outcome in ("passed", "failed") for one in stats.get(outcome, ())):
        for name, value in getattr(report, "user_properties", ()):
            if name in {SEEDS, CRASHES, KILLS, ORPHANS}:
                counts[name] += int(value)
    if not counts:
        return ""
    seeds = f"{counts[SEEDS]:,} seeds with {counts[CRASHES]:,} crashes in virtual time"
    return f"chaos: {seeds}; {counts[KILLS]} kills of a real daemon, {counts[ORPHANS]} orphans (each counted)"
