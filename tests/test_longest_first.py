"""The longest files come first, each in one piece."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tests import longest_first
from tests.architecture.source import ROOT


def test_long_files_come_first_and_stay_whole() -> None:
    names = ["a.py::one", "b.py::one", "b.py::two", "c.py::one", "a.py::two"]
    items: list[Any] = [SimpleNamespace(nodeid=name) for name in names]
    found = [item.nodeid for item in longest_first.in_order(items, {"b.py": 9.0, "a.py": 70.0})]
    assert found == ["a.py::one", "a.py::two", "b.py::one", "b.py::two", "c.py::one"]


def test_the_times_are_of_files_that_there_are() -> None:
    assert [name for name in longest_first.read() if not (ROOT / name).is_file()] == []
