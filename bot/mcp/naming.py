"""How a server's tools are called and described towards models, and which of them are offered. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

MAX_NAME = 64
"""Letters of a tool's name, of a-z, A-Z, 0-9, _ and -: what OpenAI, Anthropic and Gemini all take (docs 2026-11)."""

_JOIN = "__"
_FOREIGN = re.compile(r"[^a-zA-Z0-9_-]")
_MARK = re.compile(r"_[0-9a-f]{10}$")
_MARK_LENGTH = 11
_PARAMETER = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_COMBINED = ("anyOf", "oneOf", "allOf")
_OURS = frozenset({"type", "properties", "required", "not", "enum", *_COMBINED})


def offered_name(server: str, tool: str) -> str:
    """`server__tool`, the same for ever, and another one for any other pair.

    A plain name can be taken apart again, as its server's part holds no "__" and does not end in "_". Every other
    one ends in a mark made from both names, and no plain one looks as if it did.
    """
    plain = f"{server}{_JOIN}{tool}"
    is_plain = not _FOREIGN.search(plain) and len(plain) <= MAX_NAME and not _MARK.search(plain)
    if is_plain and server and tool and _JOIN not in server and not server.endswith("_"):
        return plain
    mark = hashlib.sha256(f"{server}\0{tool}".encode("utf-8", "backslashreplace")).hexdigest()
    return f"{_FOREIGN.sub('_', plain)[: MAX_NAME - _MARK_LENGTH]}_{mark[: _MARK_LENGTH - 1]}"


def is_listed(name: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns (`*` for any letters) fits a tool's own name."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def described(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """A schema of arguments as every vendor takes it; None where that cannot be. One that is refused stops all answers.

    OpenAI wants the word `properties` (GitHub langchain-ai/langchain-mcp-adapters 137), Anthropic nothing combined at
    the root (anthropics/claude-code 40075) and plain names (IBM-Cloud/ibm-cloud-cli-release 226); 2026-11. The server
    looks at what it is given by its own schema, so that a wider one does no harm.
    """
    rows = [row for word in _COMBINED for row in _rows(schema.get(word))]
    found: dict[str, Any] = {}
    for row in (schema, *rows):
        found = {**_map(row.get("properties")), **found}
    required = [name for row in (schema, *_rows(schema.get("allOf"))) for name in _names(row.get("required"))]
    if any(not _PARAMETER.fullmatch(name) for name in required):
        return None
    taken = {name: each for name, each in found.items() if _PARAMETER.fullmatch(name)}
    made: dict[str, Any] = {"type": "object", "properties": taken}
    if required:
        made["required"] = list(dict.fromkeys(required))
    return made | {key: value for key, value in schema.items() if key not in _OURS}


def _rows(value: Any) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _names(value: Any) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []
