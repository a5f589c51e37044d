"""decide(): the right models for this message, in order, with the reason. Pure; a replay gives the same.

Layers, the first that decides wins: what a model cannot do > one-shot > conversation's, account's, everybody's choice
> the model that answered here last > what the class and the question's difficulty ask for > the default. Within that
order, models that would be late give way to those that would not.
"""

from __future__ import annotations

from dataclasses import dataclass

from channels.capabilities import LatencyClass
from routing.budgets import BUDGETS, Budget
from routing.case import (
    NO_CREDENTIAL,
    OUTPUT_RESERVE,
    Candidate,
    Case,
    Exclusion,
    Group,
    Reason,
    RouteQuery,
    Rung,
    gather,
)
from routing.catalog import Catalog
from routing.health import Breaker, Health
from routing.ledger import NOBODY, Payer
from routing.rollout import Policy
from routing.score import in_order
from routing.strategy import STRATEGIES

__all__ = [
    "NO_CREDENTIAL",
    "OUTPUT_RESERVE",
    "VERSION",
    "Decision",
    "Excluded",
    "Exclusion",
    "Picked",
    "Reason",
    "RouteQuery",
    "Rung",
    "decide",
    "pick",
]


_BEHIND = {Exclusion.LIMIT: Reason.FULL, Exclusion.BUDGET: Reason.SPARING}

VERSION = "1"
"""Of what is decided on and how; to be raised with every change that makes a recorded case come out otherwise."""


@dataclass(frozen=True, slots=True)
class Excluded:
    """A candidate that was passed over."""

    ref: str
    why: Exclusion


@dataclass(frozen=True, slots=True)
class Picked:
    """Positions of a case's candidates in the order to ask them, why the first is first, and who was passed over."""

    order: tuple[int, ...]
    reason: Reason
    excluded: tuple[Excluded, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """The ladder, the deadlines and the reason. `wanted`: the name that was chosen, None for the default.

    `case`: what it was decided on, for /why and for a replay; None for a ladder that nobody decided. `tokens`: of the
    prompt, estimated. `payer`: whose money it is.
    """

    rungs: tuple[Rung, ...]
    budget: Budget
    latency: LatencyClass
    reason: Reason
    wanted: str | None = None
    excluded: tuple[Excluded, ...] = ()
    case: Case | None = None
    tokens: int = 0
    payer: Payer = NOBODY


def decide(query: RouteQuery, catalog: Catalog, health: Health) -> Decision:
    """The ladder for one message. Raises UnknownModel when a one-shot names nobody.

    A standing choice whose model is gone from the catalogue is passed over. The ladder is never empty unless
    no model can take the question.
    """
    case, rungs = gather(query, catalog, health)
    picked = pick(case)
    return Decision(
        rungs=tuple(rungs[at] for at in picked.order),
        budget=BUDGETS[query.latency],
        latency=query.latency,
        reason=picked.reason,
        wanted=case.wanted,
        excluded=picked.excluded,
        case=case,
        tokens=max(query.tokens, query.least_tokens),
        payer=query.payer,
    )


def pick(case: Case) -> Picked:
    """The order in which to ask a case's candidates."""
    excluded = {
        at: each.unfit
        for at, each in enumerate(case.candidates)
        if each.unfit and each.group is not Group.LARGER
    }
    fit = [at for at, each in enumerate(case.candidates) if not each.unfit]
    named = [at for at in fit if case.candidates[at].group is not Group.LARGER]
    usable = named or fit
    ready: list[int] = []
    resting: list[int] = []
    for at in usable:
        each = case.candidates[at]
        if each.is_disabled or each.breaker is Breaker.OPEN:
            excluded[at] = Exclusion.CREDENTIAL if each.is_disabled else Exclusion.RESTING
            resting.append(at)
        else:
            ready.append(at)
    # With every rung open the least recently failed is tried once, as the probe.
    probe = sorted(resting, key=lambda at: _soonest(case.candidates[at]))[:1]
    before = [at for at in ready if not case.candidates[at].behind]
    behind = [at for at in ready if case.candidates[at].behind]
    excluded |= {at: why for at in behind if (why := case.candidates[at].behind)}
    order = [*_ordered(case, before), *_ordered(case, behind)] if ready else probe
    told = tuple(Excluded(case.candidates[at].ref, why) for at, why in sorted(excluded.items()))
    return Picked(tuple(order), _reason(case, order), told)


def _soonest(each: Candidate) -> tuple[bool, float]:
    return each.is_disabled, each.last_failure


def _ordered(case: Case, ready: list[int]) -> list[int]:
    """Those that somebody chose, or that the class waits for, stand before the others whatever their times."""
    if case.policy is Policy.STATIC:
        return ready
    waits = STRATEGIES[case.latency].capability_first
    head = {Group.CHOSEN, Group.TASK, Group.FITTING} if waits else {Group.CHOSEN, Group.TASK}
    first = [at for at in ready if case.candidates[at].group in head]
    rest = [at for at in ready if case.candidates[at].group not in head]
    order: list[int] = []
    for block in (first, rest):
        scores = [case.candidates[at].score for at in block]
        order += [block[at] for at in in_order(scores, pinned=case.pinned)]
    return order


def _reason(case: Case, order: list[int]) -> Reason:
    """Why the first is first: as planned, or what became of the one that should be."""
    hoped_for = case.candidates[0]
    if not order or case.candidates[order[0]].ref == hoped_for.ref:
        return case.reason
    why = hoped_for.unfit or hoped_for.behind
    if why in _BEHIND:
        return _BEHIND[why]
    if hoped_for.unfit is not None:
        return Reason.UNFIT
    usable = [each for each in case.candidates if each.ref == hoped_for.ref]
    is_resting = all(each.is_disabled or each.breaker is Breaker.OPEN for each in usable)
    return Reason.FELL_BACK if is_resting else Reason.TOO_SLOW
