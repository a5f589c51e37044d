"""A day of questions played through a policy on a virtual clock: what people would have waited, and what it cost.

The decisions, breakers, baselines, deadlines and second requests are the very ones that serve people; only models and
clock are made up. The same day and seed give the same figures to the last digit.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from random import Random
from typing import Any

from channels.capabilities import LatencyClass, Streaming
from providers.errors import ErrorKind
from routing.budgets import first_token_deadline
from routing.case import Exclusion, Reason
from routing.health import Health
from routing.hedge import Hedges, plan
from routing.policy import Decision, RouteQuery, Rung, decide
from routing.retry import RULES, Next
from routing.rollout import Policy
from routing.spend import Budget, Level, Purse, ceiling
from routing.traffic import Day, Draw, Question

EPOCH = 20_000 * 86_400.0
"""When the day begins; any midnight does."""

PIN_FOR = 600.0
"""Seconds that a conversation stays with the model that answered it."""

CAUSES = frozenset(
    {
        Reason.DIFFICULTY,
        Reason.FELL_BACK,
        Reason.TOO_SLOW,
        Reason.FULL,
        Reason.SPARING,
        Reason.UNFIT,
        Reason.TASK,
        Reason.JUDGED,
    }
)
"""Reasons for another model than the one that answered last."""


class Chooser:
    """A policy as it is played: the ladder for a query. `told`: a first token, or None where none came."""

    hedges = True

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def decide(self, query: RouteQuery, day: Day, health: Health) -> Decision:
        """The ladder."""
        return decide(replace(query, policy=self._policy), day.catalog, health)

    def told(self, ref: str, ttft: float | None) -> None:
        """What became of a request."""


class Static(Chooser):
    """The order of the settings, with breakers, without second requests."""

    hedges = False

    def __init__(self) -> None:
        super().__init__(Policy.STATIC)


class Smart(Chooser):
    """What serves people."""

    def __init__(self) -> None:
        super().__init__(Policy.SMART)


class Greedy(Static):
    """Always the model whose average was best: quick to leave, never coming back. To be compared with."""

    def __init__(self) -> None:
        super().__init__()
        self._average: dict[str, float] = {}

    def decide(self, query: RouteQuery, day: Day, health: Health) -> Decision:
        """The ladder, by averages."""
        decision = super().decide(query, day, health)
        rungs = sorted(decision.rungs, key=lambda rung: self._average.get(rung.model.ref, 0.0))
        return replace(decision, rungs=tuple(rungs))

    def told(self, ref: str, ttft: float | None) -> None:
        """Up at once, down slowly."""
        seconds = 15.0 if ttft is None else ttft
        before = self._average.get(ref, seconds)
        self._average[ref] = before + (0.5 if seconds > before else 0.1) * (seconds - before)


POLICIES: Mapping[str, Callable[[], Chooser]] = {"static": Static, "greedy": Greedy, "smart": Smart}


@dataclass(slots=True)
class Figures:
    """What one class of questions came to. `late`: beyond the class's target; `lost`: no answer at all."""

    times: list[float] = field(default_factory=list)
    late: int = 0
    lost: int = 0

    def to_plain(self) -> Mapping[str, Any]:
        """As plain values; seconds."""
        ordered = sorted(self.times)
        return {
            "questions": len(ordered) + self.lost,
            **{f"p{share}": _quantile(ordered, share / 100) for share in (50, 95, 99)},
            "late": self.late,
            "lost": self.lost,
        }


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 4) if ordered else None


@dataclass(slots=True)
class Played:
    """One policy's day.

    `switches`: conversations that were answered by another model than before; `uncaused`: those of them without a
    reason in the decision; `requests`: all that were sent, `hedges` of them beside another.
    """

    policy: str
    classes: dict[LatencyClass, Figures] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    hedges: int = 0
    failed: int = 0
    switches: int = 0
    uncaused: int = 0
    violations: int = 0
    cost_usd: float = 0.0

    def to_plain(self) -> Mapping[str, Any]:
        """As plain values."""
        return {
            "policy": self.policy,
            "classes": {str(each): figures.to_plain() for each, figures in sorted(self.classes.items())},
            "answers": dict(sorted(self.answers.items())),
            "requests": self.requests,
            "hedges": self.hedges,
            "failed": self.failed,
            "switches": self.switches,
            "uncaused": self.uncaused,
            "violations": self.violations,
            "cost_usd": round(self.cost_usd, 6),
        }


@dataclass(slots=True)
class _Running:
    """One question while it is answered."""

    question: Question
    decision: Decision
    began: float
    asked: list[Rung] = field(default_factory=list)
    silent: int = 0
    is_over: bool = False
    first: float | None = None


def play(day: Day, policy: str, seed: int = 1, health: Health | None = None) -> Played:
    """The whole day. Raises KeyError for an unknown policy."""
    return _Play(day, policy, seed, health or Health(epoch=EPOCH)).run()


class _Play:
    def __init__(self, day: Day, policy: str, seed: int, health: Health) -> None:
        self._day, self._seed, self._health = day, seed, health
        self._chooser = POLICIES[policy]()
        self._hedges = Hedges()
        self._purse = Purse()
        self._budget = Budget(day.budget)
        self._pins: dict[str, tuple[str, float]] = {}
        self._last: dict[str, str] = {}
        self._played = Played(policy)
        self._now = 0.0
        self._number = count()
        self._queue: list[tuple[float, int, Callable[[], None]]] = []

    def run(self) -> Played:
        for question in self._day.questions:
            self._at(question.at, partial(self._ask, question))
        while self._queue:
            self._now, _, act = heapq.heappop(self._queue)
            act()
        return self._played

    def _at(self, when: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (when, next(self._number), act))

    def _ask(self, question: Question) -> None:
        pin, until = self._pins.get(question.conversation, (None, -math.inf))
        level = self._budget.level(self._purse.today(EPOCH + self._now))
        query = RouteQuery(
            latency=question.latency,
            streaming=Streaming.EDIT if question.streams else Streaming.NONE,
            now=self._now,
            least_tokens=question.tokens,
            tokens=question.tokens,
            pinned=pin if self._now <= until else None,
            difficulty=question.difficulty,
            roll=Random(f"roll {self._seed} {question.number}").random(),  # noqa: S311 - a simulation
            answer_tokens=question.answer,
            ceiling=ceiling(level, self._day.catalog),
            is_spent=level is Level.FREE,
        )
        decision = self._chooser.decide(query, self._day, self._health)
        self._played.violations += len(violations(decision, query))
        running = _Running(question, decision, self._now)
        self._hedges.asked(self._now)
        if not decision.rungs:
            self._lose(running)
            return
        self._request(running, decision.rungs[0])
        planned = plan(decision, decision.rungs[0], self._health, self._now, self._hedges.scarcity)
        if planned is not None and self._chooser.hedges:
            self._at(self._now + planned.after, lambda: self._hedge(running, planned.rung))

    def _request(self, running: _Running, rung: Rung) -> None:
        question, started = running.question, self._now
        running.asked.append(rung)
        running.silent += 1
        again = sum(each.model.ref == rung.model.ref for each in running.asked) - 1
        draw = self._day.draw(question, rung.model.ref, again, self._now)
        self._played.requests += 1
        self._health.asked(rung.key, self._now)
        limit = self._limit(running.decision, rung)
        if draw.kind is not None:
            self._at(started + draw.ttft, lambda: self._failed(running, rung, draw.kind or ErrorKind.SERVER))
        elif draw.ttft > limit:
            self._at(started + limit, lambda: self._failed(running, rung, ErrorKind.FIRST_TOKEN))
        else:
            self._at(started + draw.ttft, lambda: self._began(running, rung, draw))

    def _limit(self, decision: Decision, rung: Rung) -> float:
        below = decision.rungs[decision.rungs.index(rung) + 1 :]
        return first_token_deadline(
            decision.budget,
            is_last=all(each.model.ref == rung.model.ref for each in below),
            is_local=rung.model.is_local,
            p95=self._health.ttft(rung.key, 0.95),
        )

    def _hedge(self, running: _Running, rung: Rung) -> None:
        alone = running.silent == 1 and len(running.asked) == 1
        if running.first is not None or running.is_over or not alone or not self._hedges.take():
            return
        self._played.hedges += 1
        self._request(running, rung)

    def _failed(self, running: _Running, rung: Rung, kind: ErrorKind) -> None:
        running.silent -= 1
        if running.first is not None:
            return  # another has spoken; it was left when that happened
        self._health.failed(rung.key, kind, None, self._now, running.question.tokens)
        self._chooser.told(rung.model.ref, None)
        self._played.failed += 1
        if running.silent:
            return
        asked = {each.model.ref for each in running.asked}
        rest = [each for each in running.decision.rungs if each.model.ref not in asked]
        if not rest or RULES[kind].then is Next.NOWHERE:
            self._lose(running)
        else:
            self._request(running, rest[0])

    def _lose(self, running: _Running) -> None:
        running.is_over = True
        self._figures(running).lost += 1

    def _began(self, running: _Running, rung: Rung, draw: Draw) -> None:
        running.silent -= 1
        if running.first is not None:
            return
        running.first = self._now
        question = running.question
        self._health.began(
            rung.key, draw.ttft, self._now, question.tokens, running.decision.budget.first_token
        )
        self._chooser.told(rung.model.ref, draw.ttft)
        for other in running.asked:
            if other.key != rung.key and running.silent:
                running.silent -= 1
                self._health.overtaken(other.key, self._now, question.tokens)
                self._pay(other, question, answer=0)
        took = self._now - running.began
        length = question.answer / draw.speed if draw.speed else 0.0
        if not question.streams:
            took += length
        figures = self._figures(running)
        figures.times.append(took)
        figures.late += took > running.decision.budget.target
        self._pay(rung, question, answer=question.answer)
        self._switched(running, rung)
        self._at(self._now + length, lambda: self._ended(running, rung, draw))

    def _ended(self, running: _Running, rung: Rung, draw: Draw) -> None:
        running.is_over = True
        self._health.succeeded(rung.key)
        if draw.speed and running.question.answer >= 16:
            self._health.ran_at(rung.key, draw.speed)

    def _switched(self, running: _Running, rung: Rung) -> None:
        ref, conversation = rung.model.ref, running.question.conversation
        self._played.answers[ref] = self._played.answers.get(ref, 0) + 1
        before = self._last.get(conversation)
        if before is not None and before != ref:
            self._played.switches += 1
            self._played.uncaused += not _has_cause(running, before, ref)
        self._last[conversation] = ref
        if running.decision.reason in (Reason.DEFAULT, Reason.PINNED, Reason.FELL_BACK, Reason.TOO_SLOW):
            self._pins[conversation] = (ref, self._now + PIN_FOR)

    def _figures(self, running: _Running) -> Figures:
        return self._played.classes.setdefault(running.question.latency, Figures())

    def _pay(self, rung: Rung, question: Question, *, answer: int) -> None:
        price = self._day.price(rung.model.ref, self._now)
        if price is None:
            return
        usd = (question.tokens * price.input + answer * price.output) / 1_000_000
        self._purse.add(usd, EPOCH + self._now)
        self._played.cost_usd += usd


def _has_cause(running: _Running, before: str, now: str) -> bool:
    """Why a conversation goes on with another model: what was decided says so, or the one before it failed just now."""
    decision = running.decision
    first = decision.rungs[0].model.ref
    if (
        now != first or decision.reason in CAUSES
    ):  # it fell back, was overtaken, or the decision names its cause
        return True
    case = decision.case
    if case is None or case.policy is Policy.STATIC:
        return decision.reason is Reason.DEFAULT  # as listed, once the makeshift is over
    return before != case.pinned  # it was no longer pinned, or one question's own model


def violations(decision: Decision, query: RouteQuery) -> list[str]:
    """What a ladder holds that it may not: nothing, for every query."""
    found: list[str] = []
    for rung in decision.rungs:
        model, profile = rung.model, rung.model.profile
        rules = (
            (query.least_tokens > model.context_window, Exclusion.WINDOW),
            (query.has_images and not profile.images, Exclusion.NO_IMAGES),
            (query.needs_schema and not profile.schema, Exclusion.NO_SCHEMA),
            (query.needs_tools and not profile.tools, Exclusion.NO_TOOLS),
            (query.local_only and not model.is_local, Exclusion.NOT_LOCAL),
            (query.allowed is not None and model.ref not in query.allowed, Exclusion.NOT_ALLOWED),
        )
        found += [f"{model.ref}: {why}" for is_so, why in rules if is_so]
    return found


def compare(day: Day, policies: Sequence[str], seed: int = 1) -> Sequence[Played]:
    """The same day by several policies."""
    return [play(day, each, seed) for each in policies]
