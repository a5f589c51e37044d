"""Waiting for a platform that does not answer: how long, and the loop that an adapter signs in with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from channels.base import Host
from channels.errors import ChannelError, NotAuthorized, RateLimited

T = TypeVar("T")


def backoff(failures: int, first: float, last: float, chance: float) -> float:
    """The wait after the n-th failure in a row; `chance` in 0..1 moves it by up to a fifth either way."""
    return float(min(last, first * 2.0 ** min(failures - 1, 16)) * (0.8 + 0.4 * chance))


async def until_it_works(
    call: Callable[[], Awaitable[T]], host: Host, *, first: float, last: float, chance: Callable[[], float]
) -> T:
    """Repeat until the platform answers, and say meanwhile that we are offline. Raises NotAuthorized."""
    failures = 0
    while True:
        try:
            return await call()
        except NotAuthorized:
            raise
        except ChannelError as error:
            failures += 1
            wait = backoff(failures, first, last, chance())
            if isinstance(error, RateLimited):
                wait = max(wait, error.retry_after)
            host.online(is_online=False, reason=error.detail or type(error).__name__)
            await asyncio.sleep(wait)
