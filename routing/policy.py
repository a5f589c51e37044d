"""decide(): the right models for this message, in order, with the reason. Pure; a replay gives the same.

Precedence: one-shot > conversation > account > global > router > config.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from channels.capabilities import LatencyClass, Streaming
from providers.base import Effort, GenerationOptions, ModelSpec
from routing.budgets import BUDGETS, Budget
from routing.catalog import AUTO, Catalog, Choice
from routing.errors import UnknownModel
from routing.health import Breaker, Health, Key

NO_CREDENTIAL = ""
"""The credential id of a provider that needs none."""

OUTPUT_RESERVE = 512
"""Tokens that a window must leave for an answer."""


class Reason(StrEnum):
    """Why the first rung stands first."""

    ONE_SHOT = "one_shot"
    CHOSEN_HERE = "chosen_here"
    CHOSEN_FOR_ACCOUNT = "chosen_for_account"
    CHOSEN_FOR_ALL = "chosen_for_all"
    DEFAULT = "default"
    FELL_BACK = "fell_back"  # the one that should stand first is resting


class Exclusion(StrEnum):
    """Why a model is not asked, or only at the end."""

    WINDOW = "window"
    RESTING = "resting"
    CREDENTIAL = "credential"
    NO_IMAGES = "no_images"


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of the ladder: a model, the credential to use and how to ask."""

    model: ModelSpec
    credential_id: str = NO_CREDENTIAL
    options: GenerationOptions = field(default_factory=GenerationOptions)

    @property
    def key(self) -> Key:
        """What health is kept by."""
        return (self.model.provider, self.model.model, self.credential_id)


@dataclass(frozen=True, slots=True)
class Excluded:
    """A candidate that was passed over."""

    ref: str
    why: Exclusion


@dataclass(frozen=True, slots=True)
class RouteQuery:
    """All that a decision depends on besides catalogue and health.

    `least_tokens`: what cannot be left out of the prompt (system text and the question). The three choices
    are names as people set them, None where nothing is set. `effort` stands over every model's own options.
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


@dataclass(frozen=True, slots=True)
class Decision:
    """The ladder, the deadlines and the reason. `wanted`: the name that was chosen, None for the default."""

    rungs: tuple[Rung, ...]
    budget: Budget
    latency: LatencyClass
    reason: Reason
    wanted: str | None = None
    excluded: tuple[Excluded, ...] = ()


def decide(query: RouteQuery, catalog: Catalog, health: Health) -> Decision:
    """The ladder for one message. Raises UnknownModel when a one-shot names nobody.

    A standing choice whose model is gone from the catalogue is passed over. The ladder is never empty unless
    no model can hold the question.
    """
    wanted, reason, first = _choose(query, catalog)
    excluded: list[Excluded] = []
    ready: list[Rung] = []
    resting: list[Rung] = []
    for choice in _unique((*first, catalog.primary, *catalog.fallbacks)):
        why = _unfit(choice, query)
        if why is not None:
            excluded.append(Excluded(choice.model.ref, why))
            continue
        for rung in _rungs(choice, catalog, query.effort):
            if health.is_disabled(rung.key):
                excluded.append(Excluded(rung.model.ref, Exclusion.CREDENTIAL))
                resting.append(rung)
            elif health.breaker(rung.key, query.now) is Breaker.OPEN:
                excluded.append(Excluded(rung.model.ref, Exclusion.RESTING))
                resting.append(rung)
            else:
                ready.append(rung)
    if not ready and resting:
        # With every rung open the least recently failed is tried once, as the probe.
        ready = [
            min(
                resting,
                key=lambda rung: (
                    health.is_disabled(rung.key),
                    health.last_failure(rung.key),
                ),
            )
        ]
    hoped_for = first[0] if first else catalog.primary
    if ready and ready[0].model.ref != hoped_for.model.ref:
        reason = Reason.FELL_BACK
    return Decision(
        rungs=tuple(ready),
        budget=BUDGETS[query.latency],
        latency=query.latency,
        reason=reason,
        wanted=wanted,
        excluded=tuple(excluded),
    )


def _choose(query: RouteQuery, catalog: Catalog) -> tuple[str | None, Reason, tuple[Choice, ...]]:
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


def _unique(choices: tuple[Choice, ...]) -> list[Choice]:
    seen: dict[str, Choice] = {}
    for choice in choices:
        seen.setdefault(choice.model.ref, choice)
    return list(seen.values())


def _unfit(choice: Choice, query: RouteQuery) -> Exclusion | None:
    if query.least_tokens + OUTPUT_RESERVE > choice.model.context_window:
        return Exclusion.WINDOW
    if query.has_images and not choice.model.profile.images:
        return Exclusion.NO_IMAGES
    return None


def _rungs(choice: Choice, catalog: Catalog, effort: Effort | None) -> list[Rung]:
    options = choice.options if effort is None else replace(choice.options, effort=effort)
    ids = catalog.credentials.get(choice.model.provider) or (NO_CREDENTIAL,)
    return [Rung(choice.model, credential_id, options) for credential_id in ids]
