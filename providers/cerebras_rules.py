"""What Cerebras is known to refuse, found before it is sent: pairs of calls and results, tools, strict schemas. Pure.

Sources: Cerebras docs, "API versions" (X-Cerebras-Version-Patch 2, the default since 2026-07-21) and "Structured
outputs", 2026-11.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from providers.base import CompletionRequest, PromptMessage, Role, Tool

MAX_SCHEMA_CHARS = 5000
MAX_DEPTH = 10
MAX_PROPERTIES = 500
MAX_ENUM_VALUES = 500
MAX_CHOICES = 5
"""Of one anyOf."""

_WORDS = frozenset({"auto", "none", "required"})
_REGEX = ("pattern", "patternProperties")
_HOLD_SCHEMAS = ("properties", "$defs")
_LIST_SCHEMAS = ("anyOf", "allOf", "oneOf", "prefixItems")


def broken(request: CompletionRequest) -> str:
    """The first rule that the request breaks, as "path: what is wrong"; "" where it breaks none."""
    wrong = pairing(request.messages) or _tools(request.tools, request.tool_choice)
    if wrong or request.schema is None or not request.schema.is_strict:
        return wrong
    return strict_schema(request.schema.schema, "schema")


def broken_format(given: Any) -> str:
    """The same of a `response_format` that somebody wrote into the parameters of a model."""
    form = given.get("json_schema") if isinstance(given, Mapping) else None
    schema = form.get("schema") if isinstance(form, Mapping) else None
    if not isinstance(form, Mapping) or form.get("strict") is not True or not isinstance(schema, Mapping):
        return ""
    return strict_schema(schema, "response_format.json_schema.schema")


def pairing(messages: Sequence[PromptMessage]) -> str:
    """Every call is answered by the tool messages right after it, and these answer nothing else."""
    waiting: list[str] = []
    for at, message in enumerate(messages):
        if message.role is Role.TOOL:
            if message.call_id not in waiting:
                return f"messages[{at}]: a tool's result that answers no call of the message before"
            waiting.remove(message.call_id)
            continue
        if waiting:
            return f"messages[{at}]: stands before the result of a tool call"
        waiting = [call.id for call in message.calls]
        if len(waiting) != len(set(waiting)):
            return f"messages[{at}]: two tool calls of one id"
    return f"messages[{len(messages)}]: the result of a tool call is missing" if waiting else ""


def _tools(tools: Sequence[Tool], choice: str | None) -> str:
    names: set[str] = set()
    for at, tool in enumerate(tools):
        if tool.name in names:
            return f"tools[{at}]: a second tool of one name"
        names.add(tool.name)
    if tools and choice is not None and choice not in _WORDS | names:
        return "tool_choice: names no tool of the request"
    return ""


def strict_schema(schema: Mapping[str, Any], path: str) -> str:
    """Why a strict schema is refused, with the path of the place; "" for one that is taken."""
    if schema.get("type") != "object":
        return f"{path}: the root is no object"
    size = len(orjson.dumps(schema).decode())
    if size > MAX_SCHEMA_CHARS:
        return f"{path}: {size} characters; at most {MAX_SCHEMA_CHARS}"
    properties = values = 0
    for depth, where, node in _nodes(schema, 1, path):
        if depth > MAX_DEPTH:
            return f"{where}: deeper than {MAX_DEPTH} levels"
        if wrong := _node(node, where, schema):
            return wrong
        properties += len(node.get("properties") or ())
        values += len(node.get("enum") or ())
    if properties > MAX_PROPERTIES:
        return f"{path}: {properties} properties; at most {MAX_PROPERTIES}"
    if values > MAX_ENUM_VALUES:
        return f"{path}: {values} enum values; at most {MAX_ENUM_VALUES}"
    return ""


def _node(node: Mapping[str, Any], where: str, root: Mapping[str, Any]) -> str:
    if "definitions" in node:
        return f"{where}.definitions: is not known; $defs is"
    for word in _REGEX:
        if word in node:
            return f"{where}.{word}: regular expressions are not taken"
    if isinstance(node.get("type"), list):
        return f"{where}.type: a list of types is not taken; anyOf is"
    if node.get("items") is True:
        return f"{where}.items: has to be a schema"
    if len(node.get("anyOf") or ()) > MAX_CHOICES:
        return f"{where}.anyOf: at most {MAX_CHOICES} choices"
    if node.get("type") == "object" and node.get("additionalProperties") is not False:
        return f"{where}.additionalProperties: has to be false at every object"
    reference = node.get("$ref")
    if isinstance(reference, str):
        if not reference.startswith("#"):
            return f"{where}.$ref: only what stands in the same schema can be referred to"
        if _comes_back(reference, root):
            return f"{where}.$ref: a schema that holds itself is not taken"
    return ""


def _comes_back(reference: str, root: Mapping[str, Any]) -> bool:
    """Following this reference and those below it leads to it again."""
    seen: set[str] = set()
    waiting = [reference]
    while waiting:
        name = waiting.pop()
        for _, _, node in _nodes(_found(name, root), 1, ""):
            below = node.get("$ref")
            if below == reference:
                return True
            if isinstance(below, str) and below not in seen:
                seen.add(below)
                waiting.append(below)
    return reference == "#"


def _found(reference: str, root: Mapping[str, Any]) -> Any:
    """What a reference like "#/$defs/item" names; None where nothing is there."""
    node: Any = root
    for step in reference.removeprefix("#").split("/")[1:]:
        node = node.get(step) if isinstance(node, Mapping) else None
    return node


def _nodes(schema: Any, depth: int, path: str) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """Every schema inside a schema, to one level below the deepest that is allowed."""
    if not isinstance(schema, Mapping):
        return
    yield depth, path, schema
    if depth > MAX_DEPTH:
        return
    for key in _HOLD_SCHEMAS:
        held = schema.get(key)
        for name, child in held.items() if isinstance(held, Mapping) else ():
            yield from _nodes(child, depth + 1, f"{path}.{key}.{name}")
    yield from _nodes(schema.get("items"), depth + 1, f"{path}.items")
    for key in _LIST_SCHEMAS:
        held = schema.get(key)
        for at, child in enumerate(held if isinstance(held, list) else ()):
            yield from _nodes(child, depth + 1, f"{path}.{key}[{at}]")
