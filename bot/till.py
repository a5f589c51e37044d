"""Paying for a request that is no answer: vectors, transcripts, prompts that are sent ahead."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from providers.base import ModelSpec
from routing.attempt import Hold, Unbounded
from routing.ledger import NOBODY, Payer


class Till(Protocol):
    """Lets requests in where there is money for them."""

    def open_hold(
        self, model: ModelSpec, tokens: int, payer: Payer = NOBODY
    ) -> AbstractAsyncContextManager[Hold]:
        """Open while the request runs, which settles it; else it is let go. Raises ProviderError(BUDGET)."""


class Unpaid:
    """Lets everything in and adds up nothing."""

    @asynccontextmanager
    async def open_hold(self, model: ModelSpec, tokens: int, payer: Payer = NOBODY) -> AsyncIterator[Hold]:
        """At once."""
        del model, tokens, payer
        yield Unbounded()
