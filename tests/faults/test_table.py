"""The table of faults is true: at least thirty, each with a test that looks at its metric, and no test without a row."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from bot import metrics

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# They test what the stories use.
OF_OURS = {"test_proxy.py", "test_table.py"}
ROWS = [
    [cell.strip(" `") for cell in line.strip("|").split("|")]
    for line in (HERE / "README.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| Fault")
]


def stories(path: Path) -> dict[str, str]:
    """The tests of a file, and what stands in each."""
    text = path.read_text()
    return {
        node.name: ast.get_source_segment(text, node) or ""
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def test_at_least_thirty_faults_are_listed() -> None:
    assert len(ROWS) >= 30
    assert len({row[0] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_names_a_test_and_a_metric_that_it_looks_at(row: list[str]) -> None:
    _, _, metric, named = row
    file, _, name = named.partition("::")
    assert name in stories(ROOT / file)
    known = set(metrics.names())
    base = metric.removesuffix("_count")
    assert base in known or metric.startswith("process_")
    assert metric in (ROOT / file).read_text()


def test_every_test_of_a_fault_has_its_row() -> None:
    listed = {row[3] for row in ROWS}
    found = {
        f"tests/faults/{path.name}::{name}"
        for path in HERE.glob("test_*.py")
        if path.name not in OF_OURS
        for name in stories(path)
    }
    assert found <= listed, found - listed
