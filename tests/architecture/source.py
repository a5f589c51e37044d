"""The project's own files, read once, as text and as syntax trees."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
ROOMS = ("bot", "channels", "routing", "providers")
TREES = (*ROOMS, "tests")


@cache
def python_files(*folders: str) -> tuple[Path, ...]:
    """Every Python file below these folders of the project, sorted."""
    return tuple(sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py")))


@cache
def text(path: Path) -> str:
    """The file's text."""
    return path.read_text(encoding="utf-8")


@cache
def tree(path: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse(text(path), filename=str(path))


def statements(path: Path) -> Iterator[ast.AST]:
    """Every statement of the file, at any depth. The tree is not kept: of all files they would fill 500 MB."""
    waiting: list[ast.AST] = [ast.parse(text(path), filename=str(path))]
    while waiting:
        node = waiting.pop()
        yield node
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting += inner if isinstance(inner := getattr(node, part, ()), list) else ()


def name(path: Path) -> str:
    """The path as the project says it: "channels/base.py"."""
    return path.relative_to(ROOT).as_posix()


def module(path: Path) -> str:
    """The import name: "channels.base"; a package's own file has the package's name."""
    return name(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def pyproject() -> dict[str, Any]:
    """What pyproject.toml says."""
    return tomllib.loads(text(ROOT / "pyproject.toml"))


def entry_points(group: str) -> dict[str, str]:
    """Our own entry points of a group: name to module."""
    points: dict[str, str] = pyproject()["project"]["entry-points"][group]
    return {point: target.partition(":")[0] for point, target in points.items()}


# Files beside a dialect's module that are its own, and belong to the core no more than it does.
PARTS = {
    "providers.anthropic_answer": "providers.anthropic",
    "providers.anthropic_client": "providers.anthropic",
    "providers.anthropic_http": "providers.anthropic",
    "providers.anthropic_marks": "providers.anthropic",
    "providers.anthropic_memo": "providers.anthropic",
    "providers.anthropic_models": "providers.anthropic",
    "providers.anthropic_request": "providers.anthropic",
    "providers.anthropic_sdk": "providers.anthropic",
    "providers.anthropic_wire": "providers.anthropic",
    "providers.cerebras_batch": "providers.cerebras",
    "providers.cerebras_batch_file": "providers.cerebras",
    "providers.cerebras_client": "providers.cerebras",
    "providers.cerebras_request": "providers.cerebras",
    "providers.cerebras_rules": "providers.cerebras",
    "providers.cerebras_sdk": "providers.cerebras",
    "providers.cerebras_wire": "providers.cerebras",
    "providers.gemini_answer": "providers.gemini",
    "providers.gemini_cache": "providers.gemini",
    "providers.gemini_client": "providers.gemini",
    "providers.gemini_failures": "providers.gemini",
    "providers.gemini_request": "providers.gemini",
    "providers.mlx_client": "providers.mlx",
    "providers.mlx_disk": "providers.mlx",
    "providers.mlx_engine": "providers.mlx",
    "providers.mlx_fetch": "providers.mlx",
    "providers.mlx_fit": "providers.mlx",
    "providers.mlx_prefix": "providers.mlx",
    "providers.mlx_prompt": "providers.mlx",
    "providers.mlx_runtime": "providers.mlx",
    "providers.mlx_shelf": "providers.mlx",
    "providers.mlx_worker": "providers.mlx",
    "providers.openai_client": "providers.openai_compatible",
    "providers.openai_audio": "providers.openai_compatible",
    "providers.openai_prompt": "providers.openai_compatible",
    "providers.openai_servers": "providers.openai_compatible",
    "providers.openai_request": "providers.openai_compatible",
    "providers.openai_answer": "providers.openai_compatible",
}


def core() -> list[Path]:
    """Every file of the rooms that belongs to no adapter and no dialect."""
    own = set((entry_points("firstword.channels") | entry_points("firstword.providers")).values()) | set(
        PARTS
    )
    return [path for path in python_files(*ROOMS) if not is_inside(module(path), own)]


@cache
def imports(path: Path) -> tuple[tuple[str, int], ...]:
    """Every module or member that a file imports, anywhere in it, with the line.

    `from a import b` gives "a.b", so that a rule for the module a.b sees it too.
    """
    found: list[tuple[str, int]] = []
    for node in statements(path):
        if isinstance(node, ast.Import):
            found += ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found += ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
    return tuple(sorted(found, key=lambda each: each[1]))


def is_inside(dotted: str, packages: Iterable[str]) -> bool:
    """True when the dotted name is one of these or lies in one of them."""
    return any(dotted == package or dotted.startswith(package + ".") for package in packages)


def expect_none(found: Iterable[object], rule: str) -> None:
    """Fail with the rule and every breach of it, one a line."""
    breaches = [str(breach) for breach in found]
    assert not breaches, "\n  ".join([f"{rule}; {len(breaches)} breach(es):", *breaches])


def docstrings(path: Path) -> set[int]:
    """The ids of the syntax nodes that are docstrings, or other bare strings."""
    return {
        id(node.value)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
