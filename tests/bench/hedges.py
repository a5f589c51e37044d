"""The row of second requests: what they cut off the tail of one model's first words, on a clock that jumps."""

from __future__ import annotations

import asyncio

from tests.bench.rig import Kind
from tests.bench.rows import Found, Scale
from tests.routing.hedge_trace import BROKEN, simulate

QUESTIONS = 20_000
OUTAGE = 2_000


async def hedge(kind: Kind, scale: Scale) -> Found:
    """The trace with and without second requests, and an outage of both models."""
    if kind is not Kind.FIRSTWORD:
        return {}
    count = scale.of(QUESTIONS)
    # A first-token deadline as long as a provider's own: what is cut is cut by second requests alone.
    alone = await asyncio.to_thread(simulate, count, share=None, deadline=15.0)
    hedged = await asyncio.to_thread(simulate, count, deadline=15.0)
    outage = await asyncio.to_thread(simulate, scale.of(OUTAGE), first=BROKEN, second=BROKEN)
    return {
        "hedge.alone.p99": alone.quantile(0.99) * 1000,
        "hedge.p50": hedged.quantile(0.5) * 1000,
        "hedge.p95": hedged.quantile(0.95) * 1000,
        "hedge.p99": hedged.quantile(0.99) * 1000,
        "hedge.extra": hedged.extra * 100,
        "hedge.outage": outage.extra * 100,
    }
