"""How many attacks a test run played, for its last lines: the test tells them as properties of its report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

PLAYED, EFFECTIVE = "attacks played", "attacks that took effect"


def attacks_line(stats: Mapping[str, Iterable[Any]]) -> str:
    """The line for the reports of a run, "" where no attack was played in it."""
    counts = Counter[str]()
    for report in (one for outcome in ("passed", "failed") for one in stats.get(outcome, ())):
        for name, value in getattr(report, "user_properties", ()):
            if name in {PLAYED, EFFECTIVE}:
                counts[name] += int(value)
    if not counts[PLAYED]:
        return ""
    return f"security: {counts[PLAYED]} attacks by an obedient model, {counts[EFFECTIVE]} took effect"
