"""The thoughts of an answer, kept so that the model gets them back exactly as it signed them. Pure.

Anthropic wants thinking blocks returned unmodified and in their place among texts and calls, or it answers 400
(anthropic 2.11, types/thinking_block_param.py). A memo holds the thinking blocks whole; of the other blocks it
holds lengths and ids only, because the message itself has their content. Where the message was changed since, or
another model speaks now, the thoughts are left out: signatures are one model's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

THOUGHTS = frozenset({"thinking", "redacted_thinking"})

Block = dict[str, Any]


def memo_of(model: str, blocks: Sequence[Mapping[str, Any]]) -> str:
    """The memo of an answer; "" where nothing has to come back.

    `blocks`: thoughts whole; {"type": "text", "length": ...} and {"type": "tool_use", "id": ...} for the rest.
    """
    if not any(block["type"] in THOUGHTS for block in blocks):
        return ""
    return orjson.dumps({"model": model, "blocks": list(blocks)}).decode()


def recalled(memo: str, model: str, text: str, calls: Mapping[str, Block]) -> list[Block] | None:
    """The blocks of a message as they were answered; None where the memo does not fit the message any more.

    `calls`: the message's tool_use blocks by id.
    """
    try:
        kept = orjson.loads(memo)
        if kept["model"] != model:
            return None
        return _joined(kept["blocks"], text, dict(calls))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None


def _joined(kept: Sequence[Block], text: str, calls: dict[str, Block]) -> list[Block]:
    blocks: list[Block] = []
    at = 0
    for block in kept:
        match block["type"]:
            case "text":
                end = at + block["length"]
                if text[at:end].strip():  # the API refuses texts of white space alone
                    blocks.append({"type": "text", "text": text[at:end]})
                at = end
            case "tool_use":
                blocks.append(calls.pop(block["id"]))
            case _:
                blocks.append(block)
    if at != len(text) or calls:
        raise ValueError("the message was changed")
    return blocks
