"""What people see has one writer: only delivery calls what shows, changes or removes a message."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.source import entry_points, expect_none, is_inside, module, name, python_files, tree

# Words that only a channel has, and words that other things have too.
DISTINCT = frozenset({"start_stream", "update_stream", "finish_stream", "show_note", "announce", "conclude"})
COMMON = frozenset({"send", "edit", "delete", "typing", "sign"})

# The one writer, and the kits that exercise channels without a daemon.
WRITERS = (
    "channels.delivery",
    "channels.signs",
    "channels.conformance",
    "channels.conformance_people",
    "channels.fake",
)

# Calls in the core that look like a channel's and are none: (file, receiver.method) and what they are.
OTHERS: dict[tuple[str, str], str] = {
    ("bot/mcp/child.py", "into.send"): "a queue between two tasks, of the library that speaks to tools",
}


def receiver(call: ast.Call) -> str:
    """The words before the method: "self._channel"."""
    return ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""


def effects(path: Path, *, is_adapter: bool) -> Iterator[tuple[str, int]]:
    """Calls that look like a visible effect.

    In an adapter only those on itself count, since its SDK also says `send`; and one of its abilities may be
    built from another (`finish_stream` from `send`), since it is delivery that called the first.
    """
    inside = _built_from_abilities(path) if is_adapter else frozenset()
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        method, owner = node.func.attr, receiver(node)
        if is_adapter:
            is_its_own = owner == "self" or "channel" in owner.lower()
            is_effect = is_its_own and method in DISTINCT | COMMON and id(node) not in inside
        else:
            is_effect = method in DISTINCT or (method in COMMON and owner != "self")
        if is_effect:
            yield f"{owner}.{method}", node.lineno


def _built_from_abilities(path: Path) -> frozenset[int]:
    """The ids of the calls that stand inside an ability of the contract."""
    return frozenset(
        id(call)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.AsyncFunctionDef) and node.name in DISTINCT | COMMON
        for call in ast.walk(node)
        if isinstance(call, ast.Call)
    )


def test_only_delivery_calls_what_people_see() -> None:
    own = tuple(entry_points("firstword.channels").values())
    found = [
        f"{name(path)}:{line} {call}"
        for path in python_files("bot", "channels", "routing")
        if not is_inside(module(path), WRITERS)
        for call, line in effects(path, is_adapter=is_inside(module(path), own))
        if (name(path), call) not in OTHERS
    ]
    expect_none(found, "only channels.delivery calls what people see")


def test_an_exception_is_still_needed() -> None:
    seen = {
        (name(path), call)
        for path in python_files("bot", "channels", "routing")
        for call, _ in effects(path, is_adapter=False)
    }
    assert not [exception for exception in OTHERS if exception not in seen]
