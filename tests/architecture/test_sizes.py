"""Files and functions stay small enough to be read alone."""

from __future__ import annotations

import ast

from tests.architecture.source import ROOMS, TREES, expect_none, name, python_files, statements, text, tree

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60

# What a package's own file may hold besides imports: names that it exports.
EXPORTS = (ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom)


def test_no_file_is_longer_than_500_lines() -> None:
    lengths = {name(path): len(text(path).splitlines()) for path in python_files(*TREES)}
    long = [f"{path}: {lines}" for path, lines in lengths.items() if lines > MAX_FILE_LINES]
    expect_none(long, f"a file has at most {MAX_FILE_LINES} lines")


def test_no_function_is_longer_than_60_lines() -> None:
    long = [
        f"{name(path)}:{node.lineno} {node.name}: {lines} lines"
        for path in python_files(*TREES)
        for node in statements(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > MAX_FUNCTION_LINES
    ]
    expect_none(long, f"a function has at most {MAX_FUNCTION_LINES} lines")


def test_a_packages_own_file_holds_no_logic() -> None:
    guilty = [
        f"{name(path)}:{node.lineno}"
        for path in python_files(*ROOMS)
        if path.name == "__init__.py"
        for node in tree(path).body
        if not (
            isinstance(node, EXPORTS)
            or _is_docstring(node)
            or _is_typing_block(node)
            or _is_lazy_opener(node)
        )
    ]
    expect_none(guilty, "an __init__.py says what the room is for and exports")


def test_every_packages_own_file_says_what_it_is_for() -> None:
    packages = [path for path in python_files(*ROOMS) if path.name == "__init__.py"]
    assert not [name(path) for path in packages if not ast.get_docstring(tree(path))]


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_typing_block(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _is_lazy_opener(node: ast.stmt) -> bool:
    """A function that imports and hands on: how a spec reaches its adapter without loading it before."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return all(isinstance(line, ast.ImportFrom | ast.Return) or _is_docstring(line) for line in node.body)
