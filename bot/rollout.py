"""The rollout of choosing by figures while it runs: who is served by what, what came of it, kept over restarts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import orjson
import structlog

from bot import metrics
from bot.ending import Ending
from bot.record import total_cost
from bot.seconds import Seconds
from bot.settings.routing import RolloutSection
from bot.store.base import Outcome, Store
from channels.capabilities import LatencyClass
from channels.delivery import Delivery
from routing.catalog import Catalog
from routing.execute import Fit, Tools
from routing.policy import Decision, RouteQuery, decide
from routing.rollout import Policy, Rollout, Stage

log = structlog.get_logger()

SCOPE = "routing"
NAME = "rollout"
SAVE_EVERY = 50
"""Answers after which the figures are written down; a crash loses fewer than these."""

_UNTOLD = frozenset({Outcome.STOPPED, Outcome.WITHDRAWN, Outcome.STALE, Outcome.UNDELIVERABLE})
_FAILED = frozenset({Outcome.FAILED, Outcome.CUT})


@dataclass(slots=True)
class Rolling:
    """The running rollout, from the settings until `load` has read what was kept. `wall`: seconds since the epoch.

    `seconds`: asks the other model in shadow, None for never.
    """

    section: RolloutSection
    store: Store
    wall: Callable[[], float]
    seconds: Seconds | None = None
    rollout: Rollout = field(init=False)
    _unsaved: int = 0

    def __post_init__(self) -> None:
        self.rollout = self._fresh()

    def _fresh(self) -> Rollout:
        configured = Stage(self.section.stage)
        return Rollout(configured, configured, self.section.cost_cap, since=self.wall())

    async def load(self) -> None:
        """Go on as it was left; anew where the settings name another stage, or where what is kept cannot be read."""
        kept = (await self.store.choices(SCOPE)).get(NAME)
        if kept is None:
            return
        fresh = self._fresh()
        try:
            self.rollout = Rollout.from_plain(orjson.loads(kept), fresh.configured, fresh.cost_cap)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("rollout forgotten", reason=f"what was kept cannot be read ({type(error).__name__})")

    def policy(self, latency: LatencyClass, conversation: str) -> Policy:
        """Who serves a conversation."""
        return self.rollout.policy(str(latency), conversation)

    def shadow(
        self, query: RouteQuery, decision: Decision, catalog: Catalog, tools: Tools, fit: Fit | None
    ) -> str:
        """Decide by the other policy too: whom it would have asked first, "" where it is the same or nobody asks.

        `fit`: what to ask it with where second answers are sampled; None: this question is never asked twice.
        """
        if not self.rollout.shadows or decision.wanted is not None or decision.case is None:
            return ""
        smart = decision.case.policy is Policy.SMART
        unasked = replace(query, policy=Policy.STATIC if smart else Policy.SMART)
        other = decide(unasked, catalog, tools.health)
        model = other.rungs[0].model.ref if other.rungs else ""
        served = decision.rungs[0].model.ref if decision.rungs else ""
        self.rollout.compared(is_same=model == served)
        if model != served:
            log.info(
                "shadow decided",
                model=served,
                shadow=model,
                reason=str(other.reason),
            )
        metrics.shadow_decided(is_same=model == served)
        self._count()
        if model == served:
            return ""
        if fit is not None and self.seconds is not None:
            self.seconds.offer(other, fit, tools)
        return model

    def ended(self, ending: Ending, delivery: Delivery) -> None:
        """A turn is over; where its figures are bad enough, its class is served by the old policy from now on."""
        decision = ending.decision
        if decision is None or decision.case is None or decision.wanted is not None:
            return
        if ending.outcome in _UNTOLD or not self.rollout.compares:
            return
        why = self.rollout.answered(
            str(decision.latency),
            decision.case.policy,
            seconds=delivery.first_visible,
            failed=ending.outcome in _FAILED,
            cost_usd=total_cost(ending),
        )
        self._judged(str(decision.latency), why)

    def disliked(self, latency: str, policy: Policy, count: int = 1) -> None:
        """People took an answer badly, or (-1) no longer do."""
        if self.rollout.compares:
            self._judged(latency, self.rollout.disliked(latency, policy, count))

    def _judged(self, latency: str, why: str | None) -> None:
        if why is None:
            self._count()
            return
        log.warning("rollout taken back", latency_class=latency, reason=why)
        metrics.rolled_back(latency)
        self.save()

    def go(self, stage: Stage) -> None:
        """Begin a stage; it holds over restarts until the settings name another."""
        self.rollout.go(stage, self.wall())
        log.info("rollout stage", stage=str(stage))
        self.save()

    def _count(self) -> None:
        self._unsaved += 1
        if self._unsaved >= SAVE_EVERY:
            self.save()

    def save(self) -> None:
        """Write it down without waiting."""
        self._unsaved = 0
        self.store.set_choice(SCOPE, NAME, orjson.dumps(self.rollout.to_plain()).decode())
