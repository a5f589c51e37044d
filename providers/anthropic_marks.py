"""Where a request marks its prompt for Anthropic's cache. Pure.

The cache is keyed by everything from the start (tools, then system, then messages) up to a mark. A request carries
at most four marks; looking for an entry, the server goes back 20 blocks from each. Below a minimum, which differs
by model, nothing is kept, and the server does not say so. Anthropic docs, prompt caching, 2026-11.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MAX_MARKS = 4

LOOK_BACK = 20
"""Blocks before a mark in which the server finds what an earlier request has written."""

BYTES_PER_TOKEN = 3
"""Low on purpose: a mark on a prompt that is too short costs nothing, a missing one costs the cache."""

IMAGE_TOKENS = 1500
"""About what an image of usual size counts. Anthropic docs, vision, 2026-11."""

Block = dict[str, Any]

_TEXT_BLOCK = 12
"""Bytes of a block of text beside its text: two keys and a value of four letters each."""


class Caching(StrEnum):
    """What is marked."""

    STABLE = "stable"  # the messages that the request calls stable
    AUTOMATIC = "automatic"  # those, and by the server itself the last block of the prompt
    OFF = "off"


@dataclass(slots=True)
class Turn:
    """One message of the body. `sources`: for each block, the place of the message that it came from."""

    role: str
    blocks: list[Block] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)

    def add(self, source: int, blocks: Sequence[Block]) -> None:
        """Append the blocks of one message."""
        self.blocks += blocks
        self.sources += [source] * len(blocks)


def place(
    tools: Sequence[Block],
    system: Sequence[Block],
    turns: Sequence[Turn],
    *,
    stable: int,
    minimum: int,
    limit: int,
    ttl: str,
) -> None:
    """Mark the ends of tools, system and stable messages, and one block further back where there are many.

    `system`: the stable blocks of the system prompt. `stable`: how many of the source messages are. `minimum`:
    tokens below which a mark is left out.
    """
    if stable <= 0:
        return
    blocks = [block for turn in turns for block in _stable(turn, stable)]
    sizes: dict[int, int] = {}
    size = 0
    for block in (*tools, *system, *blocks) if minimum else ():
        size += _tokens(block)
        sizes[id(block)] = size
    back = len(blocks) - LOOK_BACK
    worth = [*blocks[-1:], *system[-1:], *([blocks[back]] if back > 0 else []), *tools[-1:]]
    fit = [block for block in worth if sizes.get(id(block), 0) >= minimum]
    for block in fit[:limit]:
        block["cache_control"] = mark(ttl)


def mark(ttl: str) -> dict[str, str]:
    """A mark; five minutes are what the server takes without being told."""
    return {"type": "ephemeral"} if ttl == "5m" else {"type": "ephemeral", "ttl": ttl}


def _stable(turn: Turn, stable: int) -> Iterator[Block]:
    """Thoughts carry no mark."""
    for block, source in zip(turn.blocks, turn.sources, strict=True):
        if source < stable and "thinking" not in block["type"]:
            yield block


def _tokens(block: Block) -> int:
    if block.get("type") == "image":
        return IMAGE_TOKENS
    text = block.get("text")
    if len(block) == len(("type", "text")) and isinstance(text, str):  # nearly all; as the walk, but cheaper
        return (_bytes(text) + _TEXT_BLOCK) // BYTES_PER_TOKEN
    return _bytes(block) // BYTES_PER_TOKEN


def _bytes(value: object) -> int:
    """About the size of all texts in a value."""
    match value:
        case str():
            return len(value) if value.isascii() else len(value.encode("utf-8", "replace"))
        case dict():
            return sum(_bytes(one) + len(key) for key, one in value.items())
        case list() | tuple():
            return sum(map(_bytes, value))
        case _:
            return 4
