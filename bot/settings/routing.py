"""How models are chosen, and how far a new way of choosing is rolled out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from bot.settings.classifying import CascadeSection, SemanticSection
from bot.settings.fields import Flag, Section, Share, Usd
from bot.settings.pressure import BudgetSection
from routing.hedge import SHARE


def _share(value: Any) -> Any:
    """20, 50 and 100 are often written as bare numbers."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


StageName = Annotated[Literal["off", "shadow", "20", "50", "100"], BeforeValidator(_share)]


class RolloutSection(Section):
    """Whose models are chosen by figures and difficulty; the others' are asked as the settings list them."""

    stage: StageName = Field(
        default="100",
        description="Per cent of the conversations: 20, 50, 100; shadow: decided and compared, never acted on; off. "
        "/rollout changes it while it runs.",
    )
    cost_cap: float = Field(
        default=1.5,
        ge=1.0,
        le=100.0,
        allow_inf_nan=False,
        description="An answer may cost so many times what it costs by the settings' order; beyond it is taken back.",
    )
    sample: float = Field(
        default=0.0,
        ge=0.0,
        le=0.02,
        allow_inf_nan=False,
        description="In shadow: the share of questions that the other model is really asked too, its answer unseen.",
    )
    sample_budget: Usd = Field(
        default=0.0, description="In shadow: the most that such second answers may cost a day, US dollars."
    )


class HedgeSection(Section):
    """A second provider that is asked beside a first one which has not begun to answer when it usually would have."""

    enabled: Flag = Field(
        default=True,
        description="Whether the next model of another provider is asked too, when the first one is later than "
        "nearly always; the one that begins first answers, the other is cancelled.",
    )
    share: Share = Field(
        default=SHARE,
        description="The share of questions for which that may happen at most, three of them at once; 0: none.",
    )


class RoutingSection(Section):
    """How models are chosen."""

    hedge: HedgeSection = Field(
        default=HedgeSection(), description="Asking another provider beside a silent one."
    )
    rollout: RolloutSection = Field(
        default=RolloutSection(), description="How far choosing by figures and difficulty is rolled out."
    )
    kept_for_people: float = Field(
        default=0.5,
        ge=0.0,
        le=0.95,
        allow_inf_nan=False,
        description="The share of each of models.providers.NAME.limits that mail and schedules never use.",
    )
    budget: BudgetSection = Field(default=BudgetSection(), description="Money for models.")
    semantic: SemanticSection = Field(
        default=SemanticSection(), description="Routes told by likeness to sample messages."
    )
    cascade: CascadeSection = Field(
        default=CascadeSection(),
        description="A small model first, a larger one where that was not good enough.",
    )
    learns: Flag = Field(
        default=False,
        description="Whether reactions, /retry and /model move the bound between simple and hard questions, "
        "by at most 0.02 a day.",
    )
