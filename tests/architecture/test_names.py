"""The core compares capabilities, never names: an adapter's name is no string of the core."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.source import core, docstrings, entry_points, expect_none, name, tree

# Names that mean one thing only; they are found anywhere in a string of the core.
PROPER = (
    "telegram discord slack matrix imessage whatsapp msteams googlechat zalo twitch "
    "cerebras anthropic openai openrouter gemini ollama lmstudio mlx vllm"
).split()

# Files of the core that hold vendors as data, or must name one, and why.
ALLOWED = {
    "bot/commands/about.py": "a command has another name where a channel keeps /status to itself",
    "bot/settings/mount.py": "`api` is a key of a provider's settings: its dialect",
    "bot/telemetry.py": "loggers of libraries are quietened by the libraries' names",
    "channels/capabilities.py": "a kind of place is called as a channel is",
    "providers/detect.py": "local servers are known by their answers and their variables",
    "providers/presets.py": "vendors and local servers are rows of this table",
}

ANYWHERE = re.compile(r"(?<![a-z])(" + "|".join(PROPER) + r")(?![a-z])", re.IGNORECASE)


def own_names() -> set[str]:
    """Names of our own adapters and dialects; generic ones ("web") count only as a whole string."""
    return set(entry_points("firstword.channels")) | set(entry_points("firstword.providers"))


def named(path: Path, names: set[str]) -> Iterator[str]:
    """Strings of a file, outside its docstrings, that name an adapter or a vendor."""
    documentation = docstrings(path)
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in documentation:
            continue
        if node.value in names or ANYWHERE.search(node.value):
            yield f"{name(path)}:{node.lineno} {node.value!r}"


def test_no_string_of_the_core_names_an_adapter() -> None:
    names = own_names()
    found = [hit for path in core() if name(path) not in ALLOWED for hit in named(path, names)]
    expect_none(found, "the core asks for capabilities, not for names")


def test_an_allowed_file_still_needs_its_allowance() -> None:
    names = own_names()
    files = {name(path): path for path in core()}
    assert not [file for file in ALLOWED if file not in files or not list(named(files[file], names))]
