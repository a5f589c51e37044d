"""What a decision is made of: the question's needs and every candidate's figures, gathered once, as plain values. Pure.

`policy.pick` sees nothing else, so that a recorded case gives the same choice at every replay.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from channels.capabilities import LatencyClass, Streaming
from providers.base import Effort, GenerationOptions, ModelSpec
from routing.budgets import BUDGETS
from routing.catalog import AUTO, Catalog, Choice
from routing.errors import UnknownModel
from routing.health import Breaker, Health, Key
from routing.ledger import NOBODY, Payer
from routing.rollout import Policy
from routing.score import Score, Wait, score
from routing.spend import price_of
from routing.strategy import STRATEGIES, Difficulty
from routing.tasks import Task, find

NO_CREDENTIAL = ""
"""The credential id of a provider that needs none."""

OUTPUT_RESERVE = 512
"""Tokens that a window must leave for an answer."""

USUAL_ANSWER = 250
"""Tokens of an answer of which nothing is known."""

_WHOLE = frozenset({Streaming.NONE, Streaming.BLOCK})


class Reason(StrEnum):
    """Why the first rung stands first."""

    ONE_SHOT = "one_shot"
    CHOSEN_HERE = "chosen_here"
    CHOSEN_FOR_ACCOUNT = "chosen_for_account"
    CHOSEN_FOR_ALL = "chosen_for_all"
    PINNED = "pinned"  # it answered here last
    DIFFICULTY = "difficulty"  # what the question needs, or the class asks for
    DEFAULT = "default"
    FELL_BACK = "fell_back"  # the one that should stand first is resting
    TOO_SLOW = "too_slow"  # the one that should stand first would be late now
    UNFIT = "unfit"  # the one that should stand first cannot take this
    TASK = "task"  # what the kind of work asks for
    JUDGED = "judged"  # what a classifier said of the question
    CASCADE = "cascade"  # models are asked one after another until an answer is good enough
    FULL = "full"  # the one that should stand first has used up what its provider allows
    SPARING = "sparing"  # the one that should stand first costs more than is left for today


class Exclusion(StrEnum):
    """Why a model is not asked, or only at the end."""

    WINDOW = "window"
    RESTING = "resting"
    CREDENTIAL = "credential"
    NO_IMAGES = "no_images"
    NO_SCHEMA = "no_schema"
    NO_TOOLS = "no_tools"
    NOT_LOCAL = "not_local"
    NOT_ALLOWED = "not_allowed"
    LIMIT = "limit"  # what its provider allows is used up, or kept for people
    BUDGET = "budget"  # it costs more than is left for today


class Group(StrEnum):
    """Why a candidate is one. In the order in which they are asked."""

    CHOSEN = "chosen"
    TASK = "task"  # for the kind of work that was named
    FITTING = "fitting"  # for the question's difficulty
    PINNED = "pinned"
    DEFAULT = "default"
    LARGER = "larger"  # only where nothing else can take it


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of the ladder: a model, the credential to use and how to ask."""

    model: ModelSpec
    credential_id: str = NO_CREDENTIAL
    options: GenerationOptions = GenerationOptions()

    @property
    def key(self) -> Key:
        """What health is kept by."""
        return (self.model.provider, self.model.model, self.credential_id)

    @property
    def account(self) -> tuple[str, str]:
        """What its provider counts by."""
        return (self.model.provider, self.credential_id)


@dataclass(frozen=True, slots=True)
class RouteQuery:
    """All that a decision depends on besides catalogue and health.

    `least_tokens`: what cannot be left out of the prompt (system text, tools and the question); `tokens`: all of it.
    The choices are names as people set them, None where nothing is set. `effort` stands over every model's own
    options. `pinned`: the ref that answered here lately. `roll`: chance, 0..1. `answer_tokens`: how long the answer
    will be. `local_only`: nothing may leave the machine. `allowed`: the refs that may be asked, None for all.
    `task`: the kind of work, of tasks.json; an unknown one says nothing. `judged`: what a classifier said: an alias or
    model, a task, or a difficulty; anything else says nothing. `full`: (provider, credential id) pairs without room.
    `ceiling`: what costs more comes last, US dollars as of spend.price_of; `is_spent`: what costs
    anything is not asked at all.
    `policy`: whether figures and difficulty count. `payer`: whose money it is.
    """

    latency: LatencyClass
    streaming: Streaming
    now: float
    one_shot: str | None = None
    chosen_here: str | None = None
    chosen_for_account: str | None = None
    chosen_for_all: str | None = None
    least_tokens: int = 0
    has_images: bool = False
    effort: Effort | None = None
    tokens: int = 0
    pinned: str | None = None
    difficulty: Difficulty = Difficulty.USUAL
    roll: float = 0.5
    answer_tokens: int = USUAL_ANSWER
    needs_schema: bool = False
    needs_tools: bool = False
    local_only: bool = False
    allowed: frozenset[str] | None = None
    task: str | None = None
    judged: str | None = None
    full: frozenset[tuple[str, str]] = frozenset()
    ceiling: float = math.inf
    is_spent: bool = False
    policy: Policy = Policy.SMART
    payer: Payer = NOBODY

    @property
    def wait(self) -> Wait:
        """What people wait for."""
        budget = BUDGETS[self.latency]
        # Where capability comes first, only a model that would be given up on is late.
        limit = budget.first_token if STRATEGIES[self.latency].capability_first else budget.target
        whole = self.answer_tokens if self.streaming in _WHOLE else None
        return Wait(limit, self.now, max(self.tokens, self.least_tokens), whole, self.roll)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One rung's figures at the time of the decision.

    `unfit`: why it cannot take the question. `behind`: why it is asked only after all others.
    """

    ref: str
    group: Group
    window: int
    breaker: Breaker
    is_disabled: bool
    last_failure: float
    score: Score
    unfit: Exclusion | None = None
    behind: Exclusion | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A question and its candidates, in the order in which they would be asked if all were well.

    `wanted`: the name that was chosen. `reason`: why the first one stands there.
    """

    latency: LatencyClass
    reason: Reason
    wanted: str | None
    pinned: str | None
    difficulty: Difficulty
    candidates: tuple[Candidate, ...]
    policy: Policy = Policy.SMART
    judged: str | None = None


def gather(query: RouteQuery, catalog: Catalog, health: Health) -> tuple[Case, tuple[Rung, ...]]:
    """The case, and the rung behind each of its candidates. Raises UnknownModel when a one-shot names nobody."""
    judged, query = query.judged, _as_judged(query)
    wanted, reason, chosen = _chosen(query, catalog)
    is_smart = query.policy is Policy.SMART
    needed = _needed(query, catalog) if is_smart and not chosen else []
    pinned = _known(query.pinned, catalog) if is_smart and not chosen else None
    is_plain = not chosen and not needed and query.difficulty is not Difficulty.HARD
    if pinned is not None and is_plain and pinned.model.ref != catalog.primary.model.ref:
        reason = Reason.PINNED
    groups = [(Group.CHOSEN, choice) for choice in chosen] + needed
    if needed:
        reason = Reason.TASK if needed[0][0] is Group.TASK else Reason.JUDGED
    elif is_smart and not chosen and (pinned is None or not is_plain):
        groups += [(Group.FITTING, choice) for choice in _fitting(query, catalog)]
        if groups and groups[0][1].model.ref != catalog.primary.model.ref:
            reason = Reason.DIFFICULTY
    if pinned is not None:
        groups.append((Group.PINNED, pinned))
    groups += [(Group.DEFAULT, choice) for choice in (catalog.primary, *catalog.fallbacks)]
    if all(_unfit(choice.model, query) for _, choice in groups):
        groups += [(Group.LARGER, choice) for choice in _larger(catalog)]
    candidates: list[Candidate] = []
    rungs: list[Rung] = []
    seen: set[str] = set()
    wait = query.wait
    for group, choice in groups:
        ref = choice.model.ref
        if ref in seen:
            continue
        seen.add(ref)
        unfit = _unfit(choice.model, query)
        for rung in _rungs(choice, catalog, query.effort):
            candidates.append(_candidate(rung, group, (unfit, _behind(rung, query)), wait, health))
            rungs.append(rung)
    # The pin gives way to what a hard question needs.
    kept = pinned.model.ref if pinned is not None and is_plain else None
    case = Case(
        query.latency, reason, wanted, kept, query.difficulty, tuple(candidates), query.policy, judged
    )
    return case, tuple(rungs)


def _candidate(
    rung: Rung, group: Group, why: tuple[Exclusion | None, Exclusion | None], wait: Wait, health: Health
) -> Candidate:
    key, ref = rung.key, rung.model.ref
    return Candidate(
        ref=ref,
        group=group,
        window=rung.model.context_window,
        breaker=health.breaker(key, wait.now),
        is_disabled=health.is_disabled(key),
        last_failure=health.last_failure(key),
        score=score(ref, key, wait, health),
        unfit=why[0],
        behind=why[1],
    )


def _chosen(query: RouteQuery, catalog: Catalog) -> tuple[str | None, Reason, tuple[Choice, ...]]:
    if query.one_shot is not None and query.one_shot.lower() != AUTO:
        return query.one_shot, Reason.ONE_SHOT, catalog.resolve(query.one_shot)
    standing = (
        (query.chosen_here, Reason.CHOSEN_HERE),
        (query.chosen_for_account, Reason.CHOSEN_FOR_ACCOUNT),
        (query.chosen_for_all, Reason.CHOSEN_FOR_ALL),
    )
    for name, reason in standing:
        if name is None:
            continue
        if name.lower() == AUTO:
            break
        try:
            return name, reason, catalog.resolve(name)
        except UnknownModel:
            continue
    return None, Reason.DEFAULT, ()


def _as_judged(query: RouteQuery) -> RouteQuery:
    """With what a classifier said put where it counts. What a caller named stands over it."""
    if not query.judged:
        return query
    said = query.judged.strip().lower()
    if said in set(Difficulty):
        return replace(query, difficulty=Difficulty(said), judged=None)
    if query.task is None and find(said) is not None:
        return replace(query, task=said, judged=None)
    return query


def _needed(query: RouteQuery, catalog: Catalog) -> list[tuple[Group, Choice]]:
    """What the kind of work asks for, or else what a classifier named."""
    if (task := find(query.task)) is not None:
        return [(Group.TASK, choice) for choice in _for_task(task, catalog)]
    if not query.judged:
        return []
    try:
        return [(Group.FITTING, choice) for choice in catalog.resolve(query.judged)]
    except UnknownModel:
        return []


def _for_task(task: Task, catalog: Catalog) -> Iterator[Choice]:
    if task.local_first:
        named = [choice for choices in catalog.aliases.values() for choice in choices]
        known = (catalog.primary, *catalog.fallbacks, *named)
        yield from (choice for choice in known if choice.model.is_local)
    for alias in task.aliases:
        yield from catalog.aliases.get(alias, ())


def _fitting(query: RouteQuery, catalog: Catalog) -> Iterator[Choice]:
    """What the class's strategy names for the question, as far as there is such an alias."""
    for alias in STRATEGIES[query.latency].aliases(query.difficulty):
        yield from catalog.aliases.get(alias, ())


def _larger(catalog: Catalog) -> list[Choice]:
    """Every model that has a name of its own, the smallest window first: what a long prompt is taken to.

    Behind them those on this machine, which cost nothing and keep everything here.
    """
    named = [choice for choices in catalog.aliases.values() for choice in choices]
    local = [
        Choice(spec, catalog.options.get(spec.ref, GenerationOptions()))
        for spec in catalog.models.values()
        if spec.is_local
    ]
    return sorted(named, key=lambda choice: choice.model.context_window) + local


def _known(ref: str | None, catalog: Catalog) -> Choice | None:
    if ref is None or ref not in catalog.models:
        return None
    for choice in (catalog.primary, *catalog.fallbacks):
        if choice.model.ref == ref:
            return choice
    return Choice(catalog.models[ref], catalog.options.get(ref, GenerationOptions()))


def _unfit(model: ModelSpec, query: RouteQuery) -> Exclusion | None:
    """The first thing that forbids this model. A chain, as every decision asks it of every model."""
    profile = model.profile
    why: Exclusion | None = None
    if query.least_tokens + OUTPUT_RESERVE > model.context_window:
        why = Exclusion.WINDOW
    elif query.has_images and not profile.images:
        why = Exclusion.NO_IMAGES
    elif query.needs_schema and not profile.schema:
        why = Exclusion.NO_SCHEMA
    elif query.needs_tools and not profile.tools:
        why = Exclusion.NO_TOOLS
    elif query.local_only and not model.is_local:
        why = Exclusion.NOT_LOCAL
    elif query.allowed is not None and model.ref not in query.allowed:
        why = Exclusion.NOT_ALLOWED
    elif query.is_spent and price_of(model) > 0:
        why = Exclusion.BUDGET
    return why


def _behind(rung: Rung, query: RouteQuery) -> Exclusion | None:
    """Why a rung is asked last. Nobody is kept waiting for money's sake while some is left."""
    if (rung.model.provider, rung.credential_id) in query.full:
        return Exclusion.LIMIT
    return Exclusion.BUDGET if price_of(rung.model) > query.ceiling else None


def _rungs(choice: Choice, catalog: Catalog, effort: Effort | None) -> list[Rung]:
    options = choice.options if effort is None else replace(choice.options, effort=effort)
    ids = catalog.credentials.get(choice.model.provider) or (NO_CREDENTIAL,)
    return [Rung(choice.model, credential_id, options) for credential_id in ids]
