"""When a long prompt is worth a cache of its own, and which one serves: `cachedContents`. No I/O.

Gemini caches equal beginnings by itself, without a promise. A cache that is made for one has its price (the tokens
once more, and storage by the hour), so it is made only for a beginning of `min_tokens` that came again, and it is
made beside an answer, never before it.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from providers.base import CompletionRequest
from providers.gemini_request import Prompt, encode

MAX_LIVE = 16
"""Caches at a time, over all conversations: what they cost stays small whoever asks for what."""

MAX_SEEN = 256
"""Beginnings that are remembered as seen once."""

MARGIN = 30.0
"""Seconds before its end from which on a cache is not used: it must not end while a request is on its way."""

_IMAGE_TOKENS = 258
"""A picture of up to 384 x 384; larger ones count more. Gemini docs, token counting, 2026-11."""

_CHARS_PER_TOKEN = 4

_IN_CACHE = ("systemInstruction", "tools", "toolConfig")
"""A request that names a cache may not carry these; the cache holds them. Gemini docs, caching, 2026-11."""


@dataclass(frozen=True, slots=True)
class Start:
    """A beginning of a prompt: its first `count` contents."""

    key: bytes
    count: int


@dataclass(frozen=True, slots=True)
class Use:
    """What to do with a request: `name` is the cache that holds the first `start.count` contents, "" for none.

    `make`: a beginning that is worth a cache now.
    """

    name: str = ""
    start: Start | None = None
    make: Start | None = None


class PrefixCaches:
    """The caches of one provider: which exist, and which beginnings have come before. `now`: seconds, monotonic."""

    def __init__(
        self, min_tokens: int, ttl: float, now: Callable[[], float] = time.monotonic, *, is_on: bool = True
    ) -> None:
        self._min = min_tokens
        self._ttl = ttl
        self._now = now
        self._is_on = is_on
        self._live: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def look(self, scope: str, request: CompletionRequest, prompt: Prompt, body: Mapping[str, Any]) -> Use:
        """What serves this request. `scope`: whose caches these are: the model and the credential."""
        stable = prompt.within(request.stable)
        if not self._is_on or stable < 1 or "cachedContent" in body or _tokens(request, stable) < self._min:
            return Use()
        sizes = [_size(content) for content in prompt.contents[:stable]]
        starts = _starts(scope, body, prompt.contents[:stable])
        self._expire()
        name, used = next(
            ((self._live[each.key][0], each) for each in reversed(starts) if self._is_ready(each)), ("", None)
        )
        base = used.count if used else 0
        make = next(
            (
                each
                for each in reversed(starts)
                if each.key in self._seen
                and each.key not in self._live
                and sum(sizes[base : each.count]) >= self._min
            ),
            None,
        )
        self._remember(starts[-1].key)
        return Use(name, used, make if len(self._live) < MAX_LIVE else None)

    def begin(self, start: Start) -> None:
        """A cache is being made. Where that fails it is not tried again before its time would have been over."""
        self._live[start.key] = ("", self._now() + self._ttl)

    def made(self, start: Start, name: str) -> None:
        """The cache exists."""
        self._live[start.key] = (name, self._now() + self._ttl - MARGIN)

    def lost(self, start: Start) -> None:
        """The server does not know the cache any more."""
        self._live.pop(start.key, None)

    def _is_ready(self, start: Start) -> bool:
        return bool(self._live.get(start.key, ("", 0.0))[0])

    def _expire(self) -> None:
        now = self._now()
        for key in [key for key, (_, end) in self._live.items() if end <= now]:
            del self._live[key]

    def _remember(self, key: bytes) -> None:
        self._seen[key] = None
        self._seen.move_to_end(key)
        while len(self._seen) > MAX_SEEN:
            self._seen.popitem(last=False)


def creation(model: str, body: Mapping[str, Any], start: Start, ttl: float) -> dict[str, Any]:
    """The body that makes the cache of a beginning."""
    kept = {key: body[key] for key in _IN_CACHE if key in body}
    return {
        "model": f"models/{model}",
        "ttl": f"{ttl:.0f}s",
        **kept,
        "contents": body["contents"][: start.count],
    }


def with_cache(body: Mapping[str, Any], name: str, start: Start) -> dict[str, Any]:
    """The request that lets a cache say its beginning."""
    rest = {key: value for key, value in body.items() if key not in {*_IN_CACHE, "contents"}}
    return rest | {"cachedContent": name, "contents": body["contents"][start.count :]}


def _starts(scope: str, body: Mapping[str, Any], contents: Sequence[Mapping[str, Any]]) -> list[Start]:
    digest = hashlib.blake2b(encode({"scope": scope, **{k: body[k] for k in _IN_CACHE if k in body}}))
    starts: list[Start] = []
    for count, content in enumerate(contents, 1):
        digest.update(encode(content))
        starts.append(Start(digest.digest(), count))
    return starts


def _tokens(request: CompletionRequest, stable: int) -> int:
    """A quick estimate, so that short prompts cost nothing here."""
    messages = request.messages[: max(request.stable, stable)]
    chars = sum(len(message.text) for message in messages)
    return chars // _CHARS_PER_TOKEN + _IMAGE_TOKENS * sum(len(message.images) for message in messages)


def _size(content: Mapping[str, Any]) -> int:
    """About how many tokens a content is."""
    size = 0
    for part in content["parts"]:
        if "inlineData" in part:
            size += _IMAGE_TOKENS
        else:
            size += len(part["text"]) // _CHARS_PER_TOKEN if "text" in part else len(encode(part)) // 4
    return size
