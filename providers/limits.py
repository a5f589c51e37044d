"""How much of a provider may be used: counted before anything is sent, for each key apart.

A request over a limit is refused here as the provider would refuse it, so that the next model answers at once and
nobody is locked out for hammering.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from providers.allowance import BUSY_FOR, DAY, MINUTE, UNLIMITED, Limits, Window
from providers.base import CompletionRequest
from providers.errors import ErrorKind, ProviderError

CHARS_PER_TOKEN = 4
"""For prompts that nobody has counted yet: a rule of thumb for English."""

IMAGE_TOKENS = 1000
"""About what a picture of a megapixel costs at the vendors. Anthropic docs, vision, 2026-11."""


@dataclass(slots=True)
class _Key:
    requests: Window | None
    tokens: Window | None
    day: Window | None
    running: int = 0


class Gate:
    """Lets requests through within the limits. Used from one loop."""

    def __init__(self, limits: Limits = UNLIMITED, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._keys: dict[str, _Key] = {}
        self._is_open = limits == UNLIMITED

    @contextmanager
    def admit(self, credential_id: str, request: CompletionRequest) -> Iterator[None]:
        """Hold a place while the context is open. ProviderError where there is none: RATE_LIMIT, for a day QUOTA."""
        if self._is_open:
            yield
            return
        key = self._keys.setdefault(credential_id, self._new())
        self._take(key, tokens_of(request))
        key.running += 1
        try:
            yield
        finally:
            key.running -= 1

    def _new(self) -> _Key:
        limits = self._limits
        return _Key(
            Window(limits.requests_per_minute, MINUTE) if limits.requests_per_minute else None,
            Window(limits.tokens_per_minute, MINUTE) if limits.tokens_per_minute else None,
            Window(limits.tokens_per_day, DAY) if limits.tokens_per_day else None,
        )

    def _take(self, key: _Key, tokens: int) -> None:
        now = self._clock()
        most = self._limits.concurrent
        if most is not None and key.running >= most:
            raise _refusal(f"{most} requests at once", BUSY_FOR)
        windows = (
            (key.day, tokens, "tokens a day", ErrorKind.QUOTA),
            (key.requests, 1, "requests a minute", ErrorKind.RATE_LIMIT),
            (key.tokens, tokens, "tokens a minute", ErrorKind.RATE_LIMIT),
        )
        for window, amount, what, kind in windows:
            if window is not None and (wait := window.wait(now, amount)) > 0:
                raise _refusal(f"{window.limit} {what}", wait, kind)
        for window, amount, _, _ in windows:
            if window is not None:
                window.take(now, amount)


def tokens_of(request: CompletionRequest) -> int:
    """About how many tokens a prompt has."""
    chars = sum(len(each.text) + sum(len(call.arguments) for call in each.calls) for each in request.messages)
    chars += sum(len(tool.description) + len(str(tool.parameters)) for tool in request.tools)
    return max(1, chars // CHARS_PER_TOKEN) + IMAGE_TOKENS * sum(
        len(each.images) for each in request.messages
    )


def _refusal(limit: str, wait: float, kind: ErrorKind = ErrorKind.RATE_LIMIT) -> ProviderError:
    detail = f"not sent: the settings allow {limit} (limits of the provider)"
    return ProviderError(kind, detail, retry_after=max(1.0, wait))
