"""Prompt caches as the vendors describe them: what a request reads from them and what it writes.

Switched on by `config(cache=True)`; then cached_tokens and so on come from what was asked before, not from the script.
Nothing expires. A token is four characters of the prompt's JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from tests.mock_model.dialects.anthropic_rules import version
from tests.mock_model.servers import Kind
from tests.mock_model.views import blocks_of, unmarked
from tests.mock_model.wire import dumps

LOOK_BACK = 20
"""Anthropic docs, "Prompt caching": blocks before a mark in which an earlier entry is found."""

CHARS = 4
KEPT = 200
"""Prompts that an automatic cache remembers."""

Counted = dict[str, Any]
"""Fields of a Behaviour."""


@dataclass(frozen=True, slots=True)
class _Block:
    """One cacheable block: all that stands up to its end."""

    digest: str
    tokens: int
    ttl: str
    """Of its mark; "" where there is none."""


class Caches:
    """What has been asked since the last reset."""

    def __init__(self) -> None:
        self._marked: set[tuple[str, str]] = set()
        self._seen: list[tuple[str, str]] = []

    def count(self, path: str, kind: Kind, body: Mapping[str, Any]) -> Counted:
        """Tokens of the prompt: all, read and written. Remembers the prompt."""
        if path.endswith("/v1/messages"):
            return self._by_marks(body)
        if "/v1beta/" in path:  # docs, "Context caching": implicit, from 1,024 tokens on for Flash
            return self._by_itself(
                path, [body.get("tools"), body.get("systemInstruction")], body["contents"], 1024
            )
        # Cerebras docs: blocks of 128 tokens. OpenAI docs: from 1,024 tokens on, in steps of 128.
        least = 128 if kind is Kind.CEREBRAS else 1024
        return self._by_itself(str(body.get("model")), body.get("tools"), body["messages"], least)

    def _by_itself(self, model: str, first: Any, messages: Any, least: int) -> Counted:
        prompt = dumps(unmarked(first)) + dumps(unmarked(messages))
        tokens = (
            max((_shared(prompt, other) for name, other in self._seen if name == model), default=0) // CHARS
        )
        self._seen = [*self._seen[-KEPT:], (model, prompt)]
        read = tokens - tokens % 128 if tokens >= least else 0
        return {"prompt_tokens": len(prompt) // CHARS, "cached_tokens": read}

    def _by_marks(self, body: Mapping[str, Any]) -> Counted:
        model, blocks = str(body["model"]), list(_blocks(body))
        marks = [at for at, block in enumerate(blocks) if block.ttl and block.tokens >= minimum(model)]
        hits = [
            at
            for mark in marks
            for at in range(max(0, mark - LOOK_BACK + 1), mark + 1)
            if (model, blocks[at].digest) in self._marked
        ]
        read = blocks[max(hits)].tokens if hits else 0
        done, written = read, {"5m": 0, "1h": 0}
        for mark in marks:
            written[blocks[mark].ttl] += max(0, blocks[mark].tokens - done)
            done = max(done, blocks[mark].tokens)
            self._marked.add((model, blocks[mark].digest))
        return {
            "prompt_tokens": blocks[-1].tokens,
            "cached_tokens": read,
            "cache_write_tokens": written["5m"],
            "cache_write_1h_tokens": written["1h"],
        }


def _shared(one: str, other: str) -> int:
    """How many characters both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def minimum(model: str) -> int:
    """Tokens below which nothing is cached (Anthropic docs, "Prompt caching", minimum cacheable length, 2026-11)."""
    if version(model) >= (5, 5):
        return 512
    return 4096 if model.startswith(("claude-haiku-4-5", "claude-opus-4-5", "claude-opus-4-6")) else 1024


def _blocks(body: Mapping[str, Any]) -> Iterator[_Block]:
    """Tools, then the system's blocks, then the messages' blocks, each with all that stands before it."""
    rows: list[tuple[str, Any]] = [("tool", tool) for tool in body.get("tools") or []]
    rows += [("system", block) for block in blocks_of(body.get("system"))]
    for message in body["messages"]:
        rows += [(message["role"], block) for block in blocks_of(message["content"])]
    text = ""
    for number, (role, block) in enumerate(rows, start=1):
        text += role + dumps(unmarked(block))
        mark = block.get("cache_control") or (body.get("cache_control") if number == len(rows) else None)
        ttl = str(mark.get("ttl", "5m")) if mark else ""
        yield _Block(sha256(text.encode("utf-8", "surrogatepass")).hexdigest(), len(text) // CHARS, ttl)
