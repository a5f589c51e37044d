"""The rows of choosing: what a decision among ten models costs, and how soon it leaves a model that becomes slow.

The models have answered for hours, some failed, one has its breaker open, so every layer has something to read. CPU time.
"""

from __future__ import annotations

import time
from random import Random

from channels.capabilities import LatencyClass, Streaming
from providers.errors import ErrorKind
from routing.case import RouteQuery
from routing.catalog import Catalog
from routing.health import Health
from routing.policy import decide
from routing.strategy import Difficulty
from tests.bench.rig import Kind
from tests.bench.rows import Found, Scale
from tests.bench.talk import quantile
from tests.routing.models import catalog, model
from tests.routing.slowdown_trace import slowdown

CANDIDATES = 10
DECISIONS = 5_000
SEEDS = 20
HOURS = 6


async def decision(kind: Kind, scale: Scale) -> Found:
    """CPU of a decision among ten candidates, every class, difficulty and pin in turn; an answer comes after each."""
    if kind is not Kind.FIRSTWORD:
        return {}
    known, health, chance = _models(), _health(), Random(1)
    now = HOURS * 3600.0
    times: list[float] = []
    for number in range(scale.of(DECISIONS)):
        query = RouteQuery(
            latency=list(LatencyClass)[number % len(LatencyClass)],
            streaming=list(Streaming)[number % len(Streaming)],
            now=now + number / 100,
            pinned=f"p{number % 5}/m{number % CANDIDATES}",
            difficulty=list(Difficulty)[number % len(Difficulty)],
            tokens=chance.randrange(50, 6_000),
            roll=chance.random(),
        )
        began = time.thread_time()
        chosen = decide(query, known, health)
        times.append((time.thread_time() - began) * 1000)
        if chosen.case is None or len(chosen.case.candidates) != CANDIDATES:
            raise RuntimeError("fewer were judged than are measured")
        health.began(chosen.rungs[0].key, chance.lognormvariate(-1.2, 0.5), query.now)
    return {"decision.p50": quantile(times, 0.5), "decision.p99": quantile(times, 0.99)}


async def degradation(kind: Kind, scale: Scale) -> Found:
    """The worst of many seeds of a model that becomes ten times slower and recovers."""
    if kind is not Kind.FIRSTWORD:
        return {}
    found = [slowdown(seed) for seed in range(scale.of(SEEDS))]
    return {
        "degradation.moved": max(each.moved for each in found),
        "degradation.back": max(each.back for each in found),
    }


def _models() -> Catalog:
    specs = [model(f"p{number % 5}/m{number}", 100_000) for number in range(CANDIDATES)]
    return catalog(*specs, aliases={"fast": specs[3].ref, "reason": specs[6].ref, "deep": specs[9].ref})


def _health() -> Health:
    health, chance = Health(), Random(2)
    for second in range(0, HOURS * 3600, 30):
        number = chance.randrange(CANDIDATES)
        health.began((f"p{number % 5}", f"m{number}", ""), chance.lognormvariate(-1.2, 0.5), float(second))
    for number in range(5):
        health.failed(("p2", "m7", ""), ErrorKind.SERVER, None, HOURS * 3600.0 - number)
    return health
