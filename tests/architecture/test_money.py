"""Nobody asks a model past the till: every request holds what it may cost before it is sent."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.architecture.source import expect_none, module, python_files, tree

CALLS = frozenset({"stream", "embed", "transcribe", "warm_prompt"})
"""What of a provider costs money."""

AT_THE_TILL = {"routing.attempt"}
"""Request: its hold is made before it is sent and settled in the one place where its end is told."""

OWN_COMMAND = {"bot.cli.asking"}
"""Who asks at the command line pays knowingly, outside of the daemon and its caps."""


def _is_asked(func: ast.expr) -> bool:
    return isinstance(func, ast.Attribute) and func.attr in CALLS and "provider" in ast.unparse(func.value)


def _asks(file: ast.AST) -> Iterator[tuple[ast.Call, bool]]:
    """Calls of a provider's, and whether a hold is open around each."""

    def walk(node: ast.AST, *, is_held: bool) -> Iterator[tuple[ast.Call, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Call) and _is_asked(child.func):
                yield child, is_held
            if isinstance(child, ast.AsyncWith):
                opened = " ".join(ast.unparse(each.context_expr) for each in child.items)
                yield from walk(child, is_held=is_held or ".open_hold(" in opened)
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from walk(child, is_held=False)
            else:
                yield from walk(child, is_held=is_held)

    yield from walk(file, is_held=False)


def test_every_way_to_ask_a_model_holds_its_cost_first() -> None:
    found, past = set(), []
    for path in python_files("bot", "routing"):
        name = module(path)
        for call, is_held in _asks(tree(path)):
            found.add(name)
            if not is_held and name not in AT_THE_TILL:
                past.append(f"{path}:{call.lineno} asks a model outside of any hold")
    assert {"bot.vectors", "bot.classifying", "bot.media.speech", "bot.warming"} | AT_THE_TILL == found
    expect_none(past, "a request to a model is made with a hold open around it")


def test_only_the_command_line_asks_without_caps() -> None:
    boundless = [
        module(path)
        for path in python_files("bot", "routing")
        if any(
            isinstance(node, ast.keyword) and node.arg == "money" and ast.unparse(node.value) == "Unbounded()"
            for node in ast.walk(tree(path))
        )
    ]
    assert set(boundless) == OWN_COMMAND
