"""What a person reads of a message that the server sent back. Pure; wrong types count as absent."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

# Deeper than the 16 levels that the server takes (Bot API docs, "Rich message limits").
_DEEPEST = 64
# Fields of rich blocks that hold words, in the order in which they are shown (Bot API docs, RichBlock, 2026-11).
_TEXTS = ("summary", "label", "text", "expression", "alternative_text")
_PARTS = ("blocks", "items", "cells")
_AFTER = ("caption", "credit")


def plain(message: Json) -> str | None:
    """The words of a message, of a rich one those of all its blocks; None when it has neither."""
    text = message.get("text")
    if isinstance(text, str):
        return text
    rich = message.get("rich_message")
    if not isinstance(rich, dict) or not isinstance(rich.get("blocks"), list):
        return None
    pieces: list[str] = []
    for block in rich["blocks"]:
        _block(block, pieces, _DEEPEST)
        pieces.append("\n\n")
    return "".join(pieces).strip()


def _text(value: Any, pieces: list[str], depth: int) -> None:
    """A RichText: a string, a row of them, or an object around one."""
    if isinstance(value, str):
        pieces.append(value)
    elif depth and isinstance(value, list):
        for one in value:
            _text(one, pieces, depth - 1)
    elif depth and isinstance(value, dict):
        for name in _TEXTS:
            if name in value:
                _text(value[name], pieces, depth - 1)


def _block(value: Any, pieces: list[str], depth: int) -> None:
    if not depth:
        return
    if isinstance(value, list):
        for one in value:
            _block(one, pieces, depth - 1)
            pieces.append("\n")
        return
    if not isinstance(value, dict):
        return
    for name in _TEXTS:
        if name in value:
            _text(value[name], pieces, depth - 1)
            pieces.append(" " if name == "label" else "\n" if name == "summary" else "")
    for name in _PARTS:
        if name in value:
            _block(value[name], pieces, depth - 1)
    for name in _AFTER:
        if name in value:
            pieces.append("\n")
            _text(value[name], pieces, depth - 1)
