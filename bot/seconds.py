"""Second answers in shadow: the model that the other policy names is really asked now and then, and nobody is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import structlog

from bot import metrics
from bot.lanes import Spawn
from bot.prices import cost
from channels.capabilities import LatencyClass
from routing.budgets import BUDGETS
from routing.errors import NoModel
from routing.execute import Attempt, Fit, Tools, open_stream
from routing.ledger import NOBODY
from routing.policy import Decision

log = structlog.get_logger()

DAY = 86_400.0


@dataclass(slots=True)
class Seconds:
    """Asks at most `share` of the questions a second time, one at a time, for at most `budget_usd` a UTC day.

    What it asks waits like any background work until people leave room. Models without a known price are not asked.
    What they cost is nobody's in particular.
    """

    share: float
    budget_usd: float
    spawn: Spawn
    wall: Callable[[], float]
    offered: int = 0
    asked: int = 0
    spent_usd: float = 0.0
    _day: int = 0
    _is_asking: bool = field(default=False, repr=False)

    def offer(self, decision: Decision, fit: Fit, tools: Tools) -> bool:
        """A question whose ladder would have been this one. True: it is asked, beside everything else."""
        self.offered += 1
        today = int(self.wall() // DAY)
        if today != self._day:
            self._day, self.spent_usd = today, 0.0
        first = decision.rungs[0] if decision.rungs else None
        may = first is not None and first.model.price is not None and not self._is_asking
        if not may or self.asked + 1 > self.share * self.offered or self.spent_usd >= self.budget_usd:
            return False
        self.asked += 1
        self._is_asking = True
        alone = replace(
            decision,
            rungs=decision.rungs[:1],
            latency=LatencyClass.BATCH,
            budget=BUDGETS[LatencyClass.BATCH],
            payer=NOBODY,
        )
        self.spawn(self._ask(alone, fit, tools), "shadow")
        return True

    async def _ask(self, decision: Decision, fit: Fit, tools: Tools) -> None:
        own = replace(tools, report=self._report, hedges=None)
        try:
            async with open_stream(decision, fit, own, lambda: True) as answer:
                async for _ in answer.events:
                    pass
        except NoModel:
            pass  # it is in the log, and nobody waits for it
        finally:
            self._is_asking = False

    def _report(self, attempt: Attempt) -> None:
        price = cost(attempt.rung.model, attempt.usage, attempt.rung.options)
        if price is not None:
            self.spent_usd += price
            metrics.shadow_cost(price)
        log.info(
            "attempt finished",
            provider=attempt.rung.model.provider,
            model=attempt.rung.model.model,
            outcome="shadow",
            error=str(attempt.kind) if attempt.kind is not None else None,
            ttft=attempt.ttft,
            tokens_per_s=attempt.speed,
            cost_usd=price,
        )
