"""What may be spent, and what is kept for people."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from bot.settings.fields import Section, Share, Usd


class BudgetSection(Section):
    """Money, UTC. Models are left for cheaper ones step by step, and nobody is left without a word."""

    per_day: Usd | None = Field(
        default=None,
        description="US dollars a day for models; none: without limit; 0: only models that cost nothing.",
    )
    per_month: Usd | None = Field(
        default=10.0, description="US dollars a month for models; null: without limit."
    )
    per_sender: Usd | None = Field(
        default=None,
        description="US dollars a day for one person, owners and admins excepted; none: no limit.",
    )
    per_conversation: Usd | None = Field(
        default=None,
        description="US dollars a day for one conversation, owners and admins excepted; none: no limit.",
    )
    soft: Share = Field(
        default=0.8,
        description="The share of each from which dearer models than the default come last, and half-way to `hard` "
        "dearer ones than `fast`.",
    )
    hard: float = Field(
        default=1.0,
        ge=0.0,
        le=10.0,
        allow_inf_nan=False,
        description="The share of each from which only models are asked that cost nothing.",
    )

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.soft > self.hard:
            raise ValueError(f"soft ({self.soft:g}) is above hard ({self.hard:g}); allowed: soft up to hard")
        return self
