"""The order of the tests: files that take long come first, so that none of them is left alone at the end of a run.

A file stays with one worker (`--dist loadfile`), so the last ones decide when a run is over. What a file took stands in
`times.json`, which `make test PYTEST_ARGS=--write-times` writes anew. An old figure costs time and nothing else.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

TIMES = Path(__file__).with_name("times.json")
LEAST = 4.0
"""Seconds; what takes less can stand anywhere."""


def in_order(items: list[pytest.Item], times: dict[str, float]) -> list[pytest.Item]:
    """Items of the same file stay together and as they were."""
    return sorted(items, key=lambda item: -times.get(_file(item.nodeid), 0.0))


def read() -> dict[str, float]:
    """Seconds by file, of those that take long."""
    found: dict[str, float] = json.loads(TIMES.read_text(encoding="utf-8"))
    return found


class Watch:
    """Adds up what each file takes, and writes it down at the end of the session."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[_file(report.nodeid)] += report.duration

    def pytest_sessionfinish(self) -> None:
        long = {file: round(took) for file, took in self._seconds.items() if took >= LEAST}
        long = dict(sorted(long.items(), key=lambda row: -row[1]))
        TIMES.write_text(json.dumps(long, indent=1) + "\n", encoding="utf-8")


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0]
