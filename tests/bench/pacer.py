"""The pacer's row: how stale the visible text is, against the least that any pacing could reach.

A token bucket lets r updates a second through after a burst of b. An answer comes evenly over T seconds; the
updates cut it into gaps d, so a piece of text waits sum(d^2) / (2T) on average until it is seen. At most b + rT
updates fit, hence by convexity no series does better than equal gaps:  L* = T / (2 (b - 1 + rT)).
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from channels.capabilities import Operation, WriteBudget
from channels.pacing import Budgets, EditPacer, Priority
from tests.bench.rig import Kind, open_bot, open_rig
from tests.bench.rows import FIRST_CHAT, Found, Scale, ms
from tests.bench.talk import Fate, Talk, quantile

PAIRS = {
    "b1": (1.0, 1),
    "b2": (1.0, 2),
    "b3": (1.0, 3),
    "b5": (1.0, 5),
    "r05b4": (0.5, 4),
    "r033b5": (0.33, 5),
}
MEDIAN_SECONDS, SIGMA = 4.0, 0.6
"""Lengths of answers: lognormal."""
_WRITES = frozenset({Operation.SEND, Operation.EDIT})


@dataclass(frozen=True, slots=True)
class Paced:
    """One answer: how long its text waited on average to be seen, and how late the last update was. Seconds."""

    staleness: float
    tail: float


def least(rate: float, burst: int, seconds: float) -> float:
    """L*: the mean wait that no pacing undercuts."""
    return seconds / (2 * max(burst - 1 + rate * seconds, 1e-9))


def paced(rate: float, burst: int, seconds: float) -> Paced:
    """Run the real pacer on a virtual clock over an answer that grows evenly for so long."""
    budgets = (WriteBudget("chat", _WRITES, rate, burst),)
    buckets, pacer = Budgets(), EditPacer()
    buckets.join(budgets, 0.0)
    now, shown_at = 0.0, list[float]()
    while True:
        priority = Priority.FINAL if now >= seconds else Priority.EDIT if shown_at else Priority.FIRST
        operation = Operation.EDIT if shown_at else Operation.SEND
        wait = pacer.wait(buckets, budgets, operation, priority, now)
        if wait > 0:
            later = now + wait
            now = seconds if now < seconds < later else later  # the end of the answer wakes the writer
            continue
        pacer.wrote(buckets, budgets, operation, now)
        shown_at.append(now)
        if priority is Priority.FINAL:
            return Paced(staleness(shown_at, shown_at, 0.0, seconds), now - seconds)


def staleness(seen_at: Sequence[float], until: Sequence[float], begin: float, end: float) -> float:
    """Mean over an even stream from `begin` to `end` of: when it was visible less when it came.

    `seen_at`: when each update became visible; `until`: up to when it shows what had come.
    """
    area, shown = 0.0, begin
    for at, came in zip(seen_at, until, strict=True):
        edge = min(came, end)
        if edge > shown:
            area += at * (edge - shown) - (edge**2 - shown**2) / 2
            shown = edge
    return area / max(end - begin, 1e-9)


def answers(count: int, seed: int = 7) -> list[float]:
    """Lengths in seconds, the same in every run."""
    draw = random.Random(seed)
    return [draw.lognormvariate(math.log(MEDIAN_SECONDS), SIGMA) for _ in range(count)]


def virtual(scale: Scale) -> Found:
    """Every pair of rate and burst: mean staleness over mean L*, and the wait of the final."""
    found: Found = {}
    tails: list[float] = []
    for name, (rate, burst) in PAIRS.items():
        lengths = answers(scale.of(2000))
        runs = [paced(rate, burst, seconds) for seconds in lengths]
        bound = sum(least(rate, burst, seconds) for seconds in lengths)
        found[f"pacer.{name}"] = sum(run.staleness for run in runs) / bound
        found[f"pacer.{name}.bound"] = bound / len(lengths)
        tails += [run.tail for run in runs if burst >= 2]
    return found | {"pacer.tail": ms(quantile(tails, 0.99))}


async def pacer(kind: Kind, scale: Scale) -> Found:
    """The pacer alone on a virtual clock; then the whole bot against the fake with its flood limits on."""
    found = virtual(scale) if kind is Kind.FIRSTWORD else {}
    lengths = [min(seconds, 15.0) for seconds in answers(scale.of(40))]
    async with open_rig() as rig, open_bot(kind, rig, edit_every=1.0, keeps_limits=True):
        tokens = [max(2, round(seconds / 0.05)) for seconds in lengths]
        rules = [{"match": f"qid{n}q", "count": count, "gap": 0.05} for n, count in enumerate(tokens, 1)]
        rig.model.script(*rules)
        talk = Talk(rig)
        fates: list[Fate] = []
        for number in range(len(tokens)):
            fates += await talk.say([FIRST_CHAT + number])
            await asyncio.sleep(0.2)  # five new conversations a second: the bot's own limit is not the point
        lost = await talk.until_complete(fates, timeout=45)
        talk.ask_model()
        errors = (await rig.telegram.state())["errors"]
        ages = [await _age(talk, fate, count) for fate, count in zip(fates, tokens, strict=True)]
    bounds = [least(1.0, 3, count * 0.05) for count in tokens]
    pairs = [(age, bound) for age, bound in zip(ages, bounds, strict=True) if age is not None]
    refused = sum(count for name, count in errors.items() if name.endswith(":429"))
    return found | {
        "pacer.refused": refused,
        "pacer.lost": lost,
        "pacer.real": sum(age for age, _ in pairs) / sum(bound for _, bound in pairs) if pairs else None,
    }


async def _age(talk: Talk, fate: Fate, tokens: int) -> float | None:
    """How long its text waited on average to be seen in the chat."""
    if fate.first_sent is None or fate.last_sent is None:
        return None
    chat = await talk.rig.telegram.chat(fate.chat)
    states = [(at, text) for at, _, text in chat["draft_log"]]
    states += [tuple(one) for m in chat["messages"] if m["from_bot"] for one in m["history"]]
    states.sort()
    gap = (fate.last_sent - fate.first_sent) / max(tokens - 1, 1)
    until = [fate.first_sent + gap * len(text.split()) for _, text in states]
    return staleness([at for at, _ in states], until, fate.first_sent, fate.last_sent)
