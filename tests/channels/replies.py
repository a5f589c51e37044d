"""Answering on a fake channel, for the tests of delivery."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from channels.capabilities import Capabilities, LatencyClass, Operation, Streaming
from channels.delivery import Delivery, Reply, open_reply
from channels.fake import FakeChannel, direct
from channels.fake_daemon import MemoryJournal
from channels.pacing import Budgets
from channels.steps import Past

CAPABILITIES = Capabilities(LatencyClass.SEMI_SYNC, Streaming.EDIT, max_text=1000)


@asynccontextmanager
async def opened(
    channel: FakeChannel,
    journal: MemoryJournal | None = None,
    budgets: Budgets | None = None,
    *,
    since: float | None = None,
    hold: float = 0.0,
    past: Past | None = None,
) -> AsyncIterator[Reply]:
    """`open_reply` with a journal and budgets of its own."""
    clock = asyncio.get_running_loop().time
    journal = MemoryJournal() if journal is None else journal
    budgets = Budgets() if budgets is None else budgets
    async with open_reply(
        channel, direct(), journal, budgets, clock=clock, since=since, hold=hold, past=past
    ) as reply:
        yield reply


async def write_slowly(reply: Reply, deltas: Iterable[str], pause: float) -> None:
    """One delta after the other."""
    for delta in deltas:
        reply.write(delta)
        await asyncio.sleep(pause)


async def answer(
    channel: FakeChannel,
    deltas: Iterable[str],
    *,
    pause: float = 0.02,
    journal: MemoryJournal | None = None,
    budgets: Budgets | None = None,
    closing: str = "",
) -> Delivery:
    """A whole answer."""
    async with opened(channel, journal, budgets) as reply:
        await write_slowly(reply, deltas, pause)
        return await reply.finish(closing=closing)


def numbered(count: int) -> list[str]:
    """Words that tell their place."""
    return [f"w{number} " for number in range(count)]


def times(channel: FakeChannel, *names: str) -> list[float]:
    """When these calls reached the channel."""
    return [round(call.at, 6) for call in channel.calls if call.name in names]


def other_tasks() -> set[asyncio.Task[object]]:
    """Every task but the one that asks."""
    return asyncio.all_tasks() - {asyncio.current_task()}


__all__ = [
    "CAPABILITIES",
    "Operation",
    "answer",
    "numbered",
    "opened",
    "other_tasks",
    "times",
    "write_slowly",
]
