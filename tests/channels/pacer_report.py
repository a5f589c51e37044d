"""How stale a growing answer is on screen, over the least that the channel's limits allow.

    python -m tests.channels.pacer_report

Runs the real delivery on the fake channel in virtual time. An answer of T seconds on a bucket of rate r and burst b
cannot be less stale, on the average over its letters and the time they take to appear, than
L* = T / (2 (b - 1 + r T)): at most b + r T writes fit, and equal gaps are the best use of them.
"""

from __future__ import annotations

import asyncio
import math
import random
from dataclasses import dataclass

from channels.capabilities import Capabilities, LatencyClass, Streaming
from channels.delivery import open_reply
from channels.fake import FakeChannel, direct, limited
from channels.fake_daemon import MemoryJournal
from channels.pacing import Budgets
from tests.virtual_time import run

ROWS = ((1.0, 1, 1.25), (1.0, 2, 1.25), (1.0, 3, 1.4), (1.0, 5, 1.4), (0.5, 4, 1.6), (0.33, 5, 1.6))
"""Rate, burst, and the ratio that we aim at."""

ANSWERS = 60
TOKEN = 0.02  # seconds between two deltas
MEDIAN, SIGMA = 4.0, 1.0  # of the answers' length in seconds, lognormal


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report. `ratio`: sum of staleness over sum of L*; `tail`: the longest wait for the final."""

    rate: float
    burst: int
    staleness: float
    bound: float
    tail: float
    refusals: int

    @property
    def ratio(self) -> float:
        """How far from the least that is possible."""
        return self.staleness / self.bound


async def _one(rate: float, burst: int, length: int) -> tuple[float, float, float, int]:
    """Staleness, bound, tail and refusals of one answer of `length` tokens."""
    loop = asyncio.get_running_loop()
    declared = Capabilities(
        LatencyClass.SEMI_SYNC, Streaming.EDIT, max_text=100_000, budgets=limited(rate, burst)
    )
    channel = FakeChannel(declared)
    written: list[float] = []
    async with open_reply(channel, direct(), MemoryJournal(), Budgets(), clock=loop.time) as reply:
        for _ in range(length):
            written.append(loop.time())
            reply.write("0123456789 ")
            await asyncio.sleep(TOKEN)
        ended = loop.time()
        await reply.finish()
    shown = [(at, (len(text) + 1) // 11) for at, text in channel.timeline]
    stale = 0.0
    seen = 0
    for at, count in shown:
        stale += sum(at - written[number] for number in range(seen, count))
        seen = max(seen, count)
    whole = written[-1] - written[0]
    bound = whole / (2 * (burst - 1 + rate * whole))
    return stale / length, bound, shown[-1][0] - ended, sum(1 for call in channel.calls if call.error)


def measure(rate: float, burst: int, answers: int = ANSWERS) -> Row:
    """The mean over answers drawn by chance, the same for every row."""
    chance = random.Random(4)
    lengths = [max(20, round(chance.lognormvariate(math.log(MEDIAN), SIGMA) / TOKEN)) for _ in range(answers)]
    results = [run(_one(rate, burst, length)) for length in lengths]
    stale, bounds, tails, refusals = zip(*results, strict=True)
    return Row(rate, burst, sum(stale) / answers, sum(bounds) / answers, max(tails), sum(refusals))


def main() -> None:
    """Print the table."""
    print("rate/s  burst  staleness s  L* s   ratio  aim   longest tail s  refusals")
    for rate, burst, aim in ROWS:
        row = measure(rate, burst)
        print(
            f"{rate:<7} {burst:<6} {row.staleness:<12.3f} {row.bound:<6.3f} {row.ratio:<6.2f} {aim:<5} "
            f"{row.tail:<15.3f} {row.refusals}"
        )


if __name__ == "__main__":
    main()
