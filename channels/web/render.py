"""What the page is told, as JSON frames. Pure.

| frame | says |
|---|---|
| hello | commands and limits, once a connection |
| opened | a conversation as it stands: lines, the answers that are still growing, whether an answer is coming |
| show | a message reads `text`, whole, at revision `n` |
| more | take `cut` UTF-16 units off the message's end, append `text`; from revision `was` to `n` |
| user | a person said something on another page |
| note, gone, typing, models | the small line, a deleted message, typing on or off, the models to pick from |
| said, refused | the message with the page's own id was taken over, or why not |
| pong | yes, still here |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from channels.base import HistoryLine, ModelChoice
from channels.commands import CommandSpec
from channels.events import AnswerNote
from channels.web.parse import well_formed


def encode(frame: Mapping[str, Any]) -> bytes:
    """The frame as JSON. Lone surrogates, which no JSON can hold, become U+FFFD."""
    try:
        return orjson.dumps(frame)
    except TypeError:
        return orjson.dumps(_cleaned(frame))


def utf16_length(text: str) -> int:
    """How long `text` is for a browser."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def shared_length(old: str, new: str) -> int:
    """How many characters both begin with; the steps compare whole slices, so 100,000 take microseconds."""
    low, high = 0, min(len(old), len(new))
    if old[:high] == new[:high]:
        return high
    while low < high:
        middle = (low + high + 1) // 2
        if old[low:middle] == new[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def note_of(note: AnswerNote | None) -> dict[str, Any] | None:
    """The small line's figures; unknown ones are left out."""
    if note is None:
        return None
    figures = {
        "model": note.model,
        "reason": note.reason,
        "firstVisible": note.first_visible,
        "tokensPerS": note.tokens_per_s,
        "inputTokens": note.input_tokens,
        "outputTokens": note.output_tokens,
        "costUsd": note.cost_usd,
    }
    return {name: value for name, value in figures.items() if value is not None}


def history_line(line: HistoryLine) -> dict[str, Any]:
    """A line of `opened` that comes from the daemon's history."""
    return {
        "id": line.message_id,
        "role": line.role,
        "text": line.text,
        "at": line.at,
        "outcome": line.outcome,
        "note": note_of(line.note),
        "kept": True,
    }


def commands_of(commands: Sequence[CommandSpec]) -> list[dict[str, Any]]:
    """The commands, for completion."""
    return [
        {
            "name": spec.name,
            "summary": spec.summary,
            "usage": spec.usage,
            "aliases": spec.aliases,
            "choices": spec.choices,
            "turn": spec.takes_turn,
        }
        for spec in commands
    ]


def models_of(models: Sequence[ModelChoice]) -> list[dict[str, Any]]:
    """The models, for the picker."""
    return [
        {
            "ref": choice.ref,
            "title": choice.title,
            "aliases": choice.aliases,
            "current": choice.is_current,
            "hint": choice.hint,
        }
        for choice in models
    ]


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, Mapping):
        return {well_formed(str(name)): _cleaned(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_cleaned(item) for item in value]
    return value
