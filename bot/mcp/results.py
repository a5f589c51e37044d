"""What a tool gave, as text for a model: cut to size, with words for what is no text. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from bot.tools import MAX_RESULT, ToolResult

NOTHING = "(The tool answered with nothing.)"
_MAX_WORD = 200


def result_of(answer: Mapping[str, Any]) -> ToolResult:
    """The result of a call as the protocol writes it (specification 2025-11-25, tools/call)."""
    content = answer.get("content")
    blocks = [block for block in content if isinstance(block, Mapping)] if isinstance(content, list) else []
    texts = [text for block in blocks if (text := _block(block))]
    structured = answer.get("structuredContent")
    if structured is not None and not any(_is_text(block) for block in blocks):
        texts.append(json.dumps(structured, ensure_ascii=False))
    return ToolResult(cut("\n".join(texts) or NOTHING), is_error=answer.get("isError") is True)


def cut(text: str, most: int = MAX_RESULT) -> str:
    """The text in at most `most` bytes of UTF-8; what was cut off is said at the end."""
    data = text.encode("utf-8", "replace")
    if len(data) <= most:
        return data.decode()
    note = f"\n[Cut off here: the whole result has {len(data):,} bytes.]"
    return data[: most - len(note.encode())].decode(errors="ignore") + note


def _is_text(block: Mapping[str, Any]) -> bool:
    return block.get("type") == "text" and bool(block.get("text"))


def _block(block: Mapping[str, Any]) -> str:
    match block.get("type"):
        case "text":
            return str(block.get("text", ""))
        case "image":
            return f"[A picture, {_about(block, block.get('data'))}: it cannot be shown here.]"
        case "audio":
            return f"[A sound, {_about(block, block.get('data'))}: it cannot be played here.]"
        case "resource_link":
            return f"[A link to {_words(block.get('name'), block.get('uri'), block.get('description'))}]"
        case "resource":
            return _resource(block.get("resource"))
        case other:
            return f"[Something of the kind {str(other)[:_MAX_WORD]!r}: it cannot be shown here.]"


def _resource(resource: Any) -> str:
    if not isinstance(resource, Mapping):
        return ""
    uri = str(resource.get("uri", ""))[:_MAX_WORD]
    if isinstance(resource.get("text"), str):
        return f"[{uri}]\n{resource['text']}"
    return f"[A file, {uri}, {_about(resource, resource.get('blob'))}: it cannot be shown here.]"


def _about(block: Mapping[str, Any], base64: Any) -> str:
    size = len(base64) * 3 // 4 if isinstance(base64, str) else 0
    return f"{str(block.get('mimeType') or 'of no named type')[:_MAX_WORD]}, {size:,} bytes"


def _words(*parts: Any) -> str:
    found: Iterable[str] = (str(part)[:_MAX_WORD] for part in parts if part)
    return ", ".join(found)
