"""A day of one model with a tail, on a loop whose clock jumps: what a second request beside it changes.

The trace: 4 % of the first model's answers wait 1-5 s in a queue and 0.5 % never begin, the others are lognormal around
200 ms; the second model is around 320 ms, 2 % of its answers are slow. It runs through `open_stream` itself.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from random import Random

from channels.capabilities import LatencyClass
from providers.base import (
    CompletionRequest,
    Credential,
    Finished,
    FinishReason,
    ModelSpec,
    PromptMessage,
    Role,
    Started,
    StreamEvent,
    TextDelta,
    Usage,
)
from routing.budgets import BUDGETS
from routing.errors import NoModel
from routing.execute import Attempt, Tools, Unbounded, open_stream
from routing.health import Health
from routing.hedge import SHARE, Hedges
from routing.policy import Decision, Reason, Rung
from tests.virtual_time import run

PAUSE = 0.5
"""Seconds between questions."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How soon a model begins. `queued`: the share that waits 1-5 s; `hanging`: the share that never begins."""

    median: float
    spread: float
    queued: float
    hanging: float = 0.0

    def draw(self, random: Random) -> float:
        """Seconds to the first token of one request."""
        chance = random.random()
        if chance < self.hanging:
            return math.inf
        if chance < self.hanging + self.queued:
            return random.uniform(1.0, 5.0)
        return self.median * math.exp(self.spread * random.gauss(0.0, 1.0))


FIRST = Pace(0.200, 0.315, 0.04, 0.005)
SECOND = Pace(0.320, 0.3, 0.02)
BROKEN = Pace(1.0, 0.0, 0.0, 1.0)


class Paced:
    """A provider that says one word after a drawn time."""

    def __init__(self, name: str, pace: Pace, seed: int) -> None:
        self.name = name
        self.requests = 0
        self._pace = pace
        self._random = Random(seed)

    @asynccontextmanager
    async def stream(
        self, model: ModelSpec, request: CompletionRequest, credential: Credential
    ) -> AsyncIterator[AsyncIterator[StreamEvent]]:
        """One word."""
        self.requests += 1
        yield self._say(self._pace.draw(self._random))

    async def _say(self, ttft: float) -> AsyncIterator[StreamEvent]:
        yield Started()
        await (asyncio.sleep(ttft) if ttft < math.inf else asyncio.Event().wait())
        yield TextDelta("word")
        yield Finished(FinishReason.STOP, Usage(10, 1))

    async def warm(self) -> None:
        """Nothing."""

    async def list_models(self, credential: Credential) -> Sequence[ModelSpec]:
        """None."""
        return ()

    async def aclose(self) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Found:
    """Seconds to the first word, sorted (infinite where none came), and the share of second requests."""

    times: Sequence[float]
    extra: float
    failed: int

    def quantile(self, share: float) -> float:
        """Nearest rank."""
        return self.times[min(len(self.times) - 1, math.ceil(share * len(self.times)) - 1)]


def simulate(
    count: int,
    *,
    share: float | None = SHARE,
    latency: LatencyClass = LatencyClass.SEMI_SYNC,
    first: Pace = FIRST,
    second: Pace = SECOND,
    deadline: float | None = None,
    seed: int = 1,
) -> Found:
    """`count` questions, one after the other. `share` None: nobody is asked beside. `deadline`: of the first token."""
    return run(_simulate(count, share, latency, (first, second), deadline, seed))


async def _simulate(
    count: int,
    share: float | None,
    latency: LatencyClass,
    paces: Sequence[Pace],
    deadline: float | None,
    seed: int,
) -> Found:
    loop = asyncio.get_running_loop()
    providers = {
        name: Paced(name, pace, seed + at) for at, (name, pace) in enumerate(zip("ab", paces, strict=True))
    }
    budget = BUDGETS[latency]
    if deadline is not None:
        budget = replace(budget, first_token=deadline)
    rungs = tuple(Rung(ModelSpec(name, "m"), "key") for name in providers)
    attempts: list[Attempt] = []
    tools = Tools(
        providers=providers,
        credential=lambda _provider, key: Credential(key),
        health=Health(),
        clock=loop.time,
        roll=lambda: 0.5,
        sleep=asyncio.sleep,
        money=Unbounded(),
        report=attempts.append,
        hedges=Hedges(share) if share is not None else None,
    )
    decision = Decision(rungs, budget, latency, Reason.DEFAULT, tokens=100)
    times: list[float] = []
    for _ in range(count):
        began = loop.time()
        times.append(math.inf)
        try:
            async with open_stream(decision, _fit, tools, lambda: True) as answer:
                async for event in answer.events:
                    if isinstance(event, TextDelta):
                        times[-1] = loop.time() - began
        except NoModel:
            pass
        await asyncio.sleep(PAUSE)
    extra = sum(each.hedge for each in attempts) / count
    return Found(sorted(times), extra, times.count(math.inf))


def _fit(_rung: Rung, _so_far: str) -> CompletionRequest:
    return CompletionRequest((PromptMessage(Role.USER, "q"),))
