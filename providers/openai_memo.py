"""What a router wants back with an answer: the blocks of its model's thoughts, exactly as they came. Pure.

Source: OpenRouter docs, "Reasoning tokens", preserving reasoning blocks: the sequence may be neither changed nor
rearranged; 2026-11. A memo names the model and what it answered: another model, and a message that was changed
since, go without.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from providers.base import PromptMessage, StreamEvent, TextDelta, ToolCallDelta

FIELD = "reasoning_details"
MAX_MEMO_CHARS = 1024 * 1024
"""Thoughts beyond this are not kept to be handed back."""

_GROWING = ("text", "summary")
"""Fields that come in pieces; an encrypted block comes whole."""

Detail = dict[str, Any]


class Keeper:
    """Puts the pieces of thoughts together while an answer comes, and remembers what was answered."""

    def __init__(self, ref: str) -> None:
        self._ref = ref
        self._details: list[Detail] = []
        self._chars = 0
        self._said = hashlib.blake2b(digest_size=12)
        self._ids: list[str] = []

    def add(self, details: Iterable[Mapping[str, Any]]) -> str:
        """Take pieces in; the thoughts that can be read in them."""
        read = ""
        for piece in details:
            text = next((piece[name] for name in _GROWING if isinstance(piece.get(name), str)), "")
            read += text
            self._chars += len(text) + len(str(piece.get("data") or ""))
            if self._chars > MAX_MEMO_CHARS:
                continue
            last = self._details[-1] if self._details else None
            if last is not None and _goes_on(last, piece):
                _grow(last, piece)
            else:
                self._details.append({key: value for key, value in piece.items() if value is not None})
        return read

    def note(self, events: Iterable[StreamEvent]) -> None:
        """Remember what is handed out."""
        for event in events:
            if isinstance(event, TextDelta):
                self._said.update(_bare(event.text))
            elif isinstance(event, ToolCallDelta) and event.id:
                self._ids.append(event.id)

    def memo(self) -> str:
        """The memo; "" where nothing has to come back."""
        if not self._details or self._chars > MAX_MEMO_CHARS:
            return ""
        said = f"{self._said.hexdigest()} {' '.join(self._ids)}"
        return orjson.dumps({"thoughts of": self._ref, "said": said, "details": self._details}).decode()


def recalled(message: PromptMessage, ref: str) -> list[Detail] | None:
    """The blocks to hand back with a message; None where they are another model's or the message was changed."""
    try:
        kept = orjson.loads(message.memo)
        if kept["thoughts of"] != ref:
            return None
        said = hashlib.blake2b(_bare(message.text), digest_size=12).hexdigest()
        if kept["said"] != f"{said} {' '.join(call.id for call in message.calls)}":
            return None
        return list(kept["details"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None


def _goes_on(last: Detail, piece: Mapping[str, Any]) -> bool:
    is_growing = any(name in piece for name in (*_GROWING, "signature")) and "data" not in piece
    return is_growing and "data" not in last and all(last.get(k) == piece.get(k) for k in ("type", "index"))


def _grow(last: Detail, piece: Mapping[str, Any]) -> None:
    for key, value in piece.items():
        if key in _GROWING and isinstance(value, str):
            last[key] = last.get(key, "") + value
        elif value is not None:
            last[key] = value


def _bare(text: str) -> bytes:
    """Without white space, which is trimmed on an answer's way into the history."""
    return "".join(text.split()).encode("utf-8", "replace")
