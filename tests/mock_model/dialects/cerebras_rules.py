"""What Cerebras refuses, each rule with its source (pure).

The rules of tools and strict schemas are those of X-Cerebras-Version-Patch 2, the default since 2026-07-21
(docs, "API versions", 2026-11).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tests.mock_model.config import Config
from tests.mock_model.dialects import openai_rules
from tests.mock_model.dialects.base import Refusal

# Docs, "Structured outputs", limits of strict schemas, 2026-11.
MAX_SCHEMA_CHARS = 5000
MAX_DEPTH = 10
MAX_PROPERTIES = 500
MAX_ENUM_VALUES = 500

EFFORTS = ("none", "low", "medium", "high")  # cerebras-cloud-sdk 1.91, completion_create_params.py
FORMATS = ("none", "parsed", "text_parsed", "raw", "hidden")
MAX_STOPS = 4
QUEUE_RANGE = (50, 20_000)
"""Milliseconds of queue_threshold; docs, "Service tiers"."""

Body = Mapping[str, Any]


def broken(body: Body) -> Refusal | None:
    """The first rule that the request breaks, or None."""
    for rule in _RULES:
        wrong = rule(body)
        if wrong is not None:
            param, message = wrong
            return Refusal(400, {"message": message, "param": param})
    return None


def queue(headers: Mapping[str, str], body: Body, config: Config) -> Refusal | None:
    """Docs, "Service tiers": a private preview; with flex and auto a queue_threshold refuses to wait longer."""
    tier = body.get("service_tier")
    if tier is not None and tier not in config.service_tiers:
        message = f"service_tier '{tier}' is not supported for this account"
        return Refusal(400, {"message": message, "param": "service_tier"})
    given = headers.get("queue_threshold")
    if given is None:
        return None
    if not given.isdigit() or not QUEUE_RANGE[0] <= int(given) <= QUEUE_RANGE[1]:
        message = f"queue_threshold must be between {QUEUE_RANGE[0]} and {QUEUE_RANGE[1]} milliseconds"
        return Refusal(400, {"message": message, "param": "queue_threshold"})
    if tier not in ("flex", "auto"):
        message = "queue_threshold needs service_tier flex or auto"
        return Refusal(400, {"message": message, "param": "queue_threshold"})
    if config.queue_seconds * 1000 > int(given):
        fields = {
            "code": "queue_exceeded",
            "param": "queue",
            "message": "The queue is longer than queue_threshold.",
        }
        return Refusal(429, fields | {"type": "too_many_requests_error"})
    return None


def _switches(body: Body) -> tuple[str, str] | None:
    effort, shown = body.get("reasoning_effort"), body.get("reasoning_format")
    if effort is not None and effort not in EFFORTS:
        return "reasoning_effort", f"reasoning_effort must be one of {', '.join(EFFORTS)}"
    if shown is not None and shown not in FORMATS:
        return "reasoning_format", f"reasoning_format must be one of {', '.join(FORMATS)}"
    if isinstance(body.get("stop"), list) and len(body["stop"]) > MAX_STOPS:
        return "stop", f"stop must have at most {MAX_STOPS} sequences"
    key = body.get("prompt_cache_key")
    if key is not None and (not isinstance(key, str) or not key):
        return "prompt_cache_key", "prompt_cache_key must be a string"
    return None


def _prediction(body: Body) -> tuple[str, str] | None:
    """Docs, "Predicted outputs": type content, and not together with tools."""
    given = body.get("prediction")
    if given is None:
        return None
    if given.get("type") != "content" or "content" not in given:
        return "prediction", "prediction must have the type content"
    if body.get("tools"):
        return "prediction", "prediction is not supported with tools"
    return None


def _tools(body: Body) -> tuple[str, str] | None:
    tools = body.get("tools") or []
    if body.get("tool_choice") not in (None, "none") and not tools:
        return "tool_choice", "tool_choice is only allowed when tools are specified"
    names = [(tool.get("function") or {}).get("name") for tool in tools]
    if len(names) != len(set(names)):
        return "tools", "tool names must be unique"
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and (choice.get("function") or {}).get("name") not in names:
        return "tool_choice", "tool_choice names a function that is not in tools"
    for at, tool in enumerate(tools):
        function = tool.get("function") or {}
        if function.get("strict"):
            wrong = _schema(function.get("parameters") or {})
            if wrong is not None:
                return f"tools[{at}].function.parameters", wrong
    return None


def _response_format(body: Body) -> tuple[str, str] | None:
    wanted = body.get("response_format")
    if wanted is None:
        return None
    if wanted.get("type") not in ("text", "json_object", "json_schema"):
        return "response_format", "response_format.type must be text, json_object or json_schema"
    if wanted["type"] != "json_schema":
        return None
    given = wanted.get("json_schema") or {}
    if not given.get("name") or "schema" not in given:
        return "response_format", "response_format.json_schema needs a name and a schema"
    wrong = _schema(given["schema"]) if given.get("strict") else None
    return ("response_format", wrong) if wrong else None


def _schema(schema: Mapping[str, Any]) -> str | None:
    """Why a strict schema is refused."""
    if schema.get("type") != "object":
        return "the root of the JSON schema must be an object"
    if len(json.dumps(schema, separators=(",", ":"))) > MAX_SCHEMA_CHARS:
        return f"the JSON schema is longer than {MAX_SCHEMA_CHARS} characters"
    properties = values = 0
    for depth, node in _nodes(schema, 1):
        if depth > MAX_DEPTH:
            return f"the JSON schema is nested deeper than {MAX_DEPTH} levels"
        if "definitions" in node:
            return "'definitions' is not supported in JSON schema. Use '$defs' instead"
        if isinstance(node.get("type"), list):
            return "Lists of types are not supported in JSON schema"
        if node.get("type") == "object" and node.get("additionalProperties") is not False:
            return "'additionalProperties' must be false at every object of a strict JSON schema"
        properties += len(node.get("properties") or {})
        values += len(node.get("enum") or ())
    if properties > MAX_PROPERTIES:
        return f"the JSON schema has more than {MAX_PROPERTIES} properties"
    if values > MAX_ENUM_VALUES:
        return f"the JSON schema has more than {MAX_ENUM_VALUES} enum values"
    return None


def _nodes(schema: Any, depth: int) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if not isinstance(schema, Mapping):
        return
    yield depth, schema
    for name in ("properties", "$defs"):
        for child in (schema.get(name) or {}).values():
            yield from _nodes(child, depth + 1)
    yield from _nodes(schema.get("items"), depth + 1)
    for child in schema.get("anyOf") or ():
        yield from _nodes(child, depth + 1)


_RULES: Sequence[Callable[[Body], tuple[str, str] | None]] = (
    _switches,
    _prediction,
    _tools,
    openai_rules.tool_turns,
    _response_format,
)
