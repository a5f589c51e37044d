"""What OpenAI refuses with 400 beyond a missing field, each rule with its source (pure)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Body = Mapping[str, Any]
Wrong = tuple[str, str]
"""The parameter and the message."""


def broken(body: Body) -> Wrong | None:
    """The first rule that the request breaks, or None."""
    return next((wrong for rule in _RULES if (wrong := rule(body)) is not None), None)


def tool_turns(body: Body) -> Wrong | None:
    """Guide "Function calling": every call is answered by the tool messages right after it, and only those."""
    open_calls: list[str] = []
    for at, message in enumerate(body.get("messages") or []):
        if message.get("role") == "tool":
            given = message.get("tool_call_id")
            if given not in open_calls:
                return (
                    f"messages[{at}]",
                    f"tool message with tool_call_id '{given}' answers no preceding tool call",
                )
            open_calls.remove(given)
            continue
        if open_calls:
            return f"messages[{at}]", f"tool_call_ids without a tool message: {', '.join(open_calls)}"
        open_calls = [str(call.get("id")) for call in message.get("tool_calls") or []]
        if len(open_calls) != len(set(open_calls)):
            return f"messages[{at}]", "duplicate tool call ids"
    return (
        ("messages", f"tool_call_ids without a tool message: {', '.join(open_calls)}") if open_calls else None
    )


def _tools(body: Body) -> Wrong | None:
    """API reference, "Create chat completion": names of 1 to 64 letters, digits, _ and -; a choice needs tools."""
    tools = body.get("tools") or []
    if body.get("tool_choice") is not None and not tools:
        return "tool_choice", "'tool_choice' is only allowed when 'tools' are specified."
    if body.get("parallel_tool_calls") is not None and not tools:
        return "parallel_tool_calls", "'parallel_tool_calls' is only allowed when 'tools' are specified."
    for at, tool in enumerate(tools):
        name = str((tool.get("function") or {}).get("name", ""))
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name):
            return f"tools[{at}].function.name", f"Invalid 'tools[{at}].function.name'"
        schema = (tool.get("function") or {}).get("parameters", {})
        if schema.get("type") == "object" and "properties" not in schema:
            # GitHub langchain-ai/langchain-mcp-adapters 137; the API's own words
            place = f"tools[{at}].function.parameters"
            return (
                place,
                f"Invalid schema for function '{name}': In context=(), object schema missing properties.",
            )
    return None


def _response_format(body: Body) -> Wrong | None:
    """Guide "Structured outputs": a name, a schema whose root is an object, strict ones closed."""
    wanted = body.get("response_format") or {}
    if wanted.get("type") != "json_schema":
        return None
    given = wanted.get("json_schema") or {}
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", str(given.get("name", ""))):
        return "response_format.json_schema.name", "Missing or invalid 'response_format.json_schema.name'."
    schema = given.get("schema") or {}
    if given.get("strict") and (
        schema.get("type") != "object" or schema.get("additionalProperties") is not False
    ):
        place = "response_format.json_schema.schema"
        return (
            place,
            f"Invalid schema for response_format '{given['name']}': 'additionalProperties' must be false.",
        )
    return None


_RULES: Sequence[Callable[[Body], Wrong | None]] = (tool_turns, _tools, _response_format)
