"""The tools that a program offers. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from channels.api.fields import items, path_of, shallow, text, text_or_none
from channels.api.problems import unsupported, wrong
from channels.programs import ToolOffer

MAX_TOOLS = 512
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # OpenAI API reference, tools.function.name, 2026-11
_WORDS = ("none", "auto", "required")


def tools_of(body: Mapping[str, Any]) -> tuple[ToolOffer, ...]:
    """What may be called. Raises BadRequest."""
    if body.get("tools") is None:
        return ()
    rows = items(body, "tools")
    if len(rows) > MAX_TOOLS:
        raise wrong("tools", f"at most {MAX_TOOLS}")
    found: dict[str, ToolOffer] = {}
    for at, row in enumerate(rows):
        path = f"tools[{at}]"
        if row.get("type") != "function":
            raise unsupported(f"{path}.type", 'allowed: "function"')
        function = row.get("function")
        if not isinstance(function, dict):
            raise wrong(f"{path}.function", "it has to be an object")
        tool = _tool(function, f"{path}.function")
        if tool.name in found:
            raise wrong(f"{path}.function.name", f"“{tool.name}” is there already")
        found[tool.name] = tool
    return tuple(found.values())


def _tool(function: Mapping[str, Any], path: str) -> ToolOffer:
    name = text(function, "name", path)
    if not _NAME.fullmatch(name) or name in _WORDS:
        raise wrong(path_of("name", path), "a name has 1 to 64 of A-Z, a-z, 0-9, _ and -")
    parameters = function.get("parameters")
    if parameters is None:
        parameters = {"type": "object", "properties": {}}
    if not isinstance(parameters, dict):
        raise wrong(path_of("parameters", path), "it has to be a JSON schema of an object")
    shallow(parameters, path_of("parameters", path))
    return ToolOffer(name, text_or_none(function, "description", path) or "", parameters)


def choice_of(body: Mapping[str, Any], tools: Sequence[ToolOffer]) -> str | None:
    """Which of them has to be called. Raises BadRequest."""
    given = body.get("tool_choice")
    if given is None:
        return None
    if isinstance(given, str):
        if given not in _WORDS:
            raise wrong("tool_choice", f"allowed: {', '.join(_WORDS)} or a function by its name")
        if given == "required" and not tools:
            raise wrong("tool_choice", "there are no tools")
        return given
    function = given.get("function") if isinstance(given, dict) else None
    if not isinstance(function, dict) or given.get("type") != "function":
        raise wrong("tool_choice", 'it has to be a word or {"type": "function", "function": {"name": ...}}')
    name = text(function, "name", "tool_choice.function")
    if name not in {tool.name for tool in tools}:
        raise wrong("tool_choice.function.name", f"there is no tool “{name}”")
    return name
