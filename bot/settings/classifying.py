"""Other ways of choosing: by the meaning of a message, and by the answer that a first model gave."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from bot.settings.fields import Flag, Name, Ref, Section, Share, Text, Usd
from bot.settings.media import ModelRef
from bot.settings.shapes import Named

MOST_SAMPLES = 100
"""Of all routes together: comparing a message with so many takes 1.6 ms (384 numbers each, one core, 2026-11)."""

Samples = Annotated[tuple[Text, ...], Field(min_length=1)]
ClassName = Literal["sync", "semi-sync", "async", "batch"]


class SemanticSection(Section):
    """Routes told by their likeness to sample messages, with vectors and without asking a model for words."""

    model: ModelRef | None = Field(
        default=None,
        description="What makes the vectors, as provider/model: one on this machine (onnx) answers in time, most "
        "others only for messages that came before; none: no such routes.",
    )
    routes: Annotated[dict[Name, Samples], Named("LABEL")] = Field(
        default_factory=dict,
        description="Sample messages by label: an alias or model, a task (extraction, reasoning, volume, "
        "classification), or simple, usual, hard.",
    )
    threshold: Share = Field(default=0.6, description="The least likeness (cosine) that counts.")
    deadline: float = Field(
        default=0.01,
        gt=0.0,
        le=1.0,
        allow_inf_nan=False,
        description="Seconds that a message may wait for it; then it is chosen for without.",
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        count = sum(len(each) for each in self.routes.values())
        if count > MOST_SAMPLES:
            raise ValueError(f"routes have {count} samples; allowed: at most {MOST_SAMPLES}")
        if "late" in self.routes:
            raise ValueError('a route is called "late"; allowed: any other label')
        return self


class CascadeModel(Section):
    """One model of a cascade."""

    model: Ref = Field(description="The model.")
    quality: Share = Field(description="The share of its answers that are good, as far as you know.")
    cost: Usd | None = Field(
        default=None, description="US dollars of one answer; none: from its price and the prompt."
    )


class CascadeSection(Section):
    """A small model first, and a larger one where its answer is not good enough."""

    enabled: Flag = Field(default=False, description="Whether answers are judged before they count.")
    models: Annotated[tuple[CascadeModel, ...], Field(max_length=6)] = Field(
        default=(), description="Which; what is asked in which order follows from quality and cost."
    )
    max_expected_cost: Usd | None = Field(
        default=0.003,
        description="US dollars that one question may cost on average; none: without limit, which mostly means the "
        "best model alone.",
    )
    max_depth: Annotated[int, Field(strict=True, ge=1, le=4)] = Field(
        default=3, description="The most models for one question."
    )
    force_order: Flag = Field(default=False, description="Only in the order of `models`.")
    votes: Annotated[int, Field(strict=True, ge=0, le=8)] = Field(
        default=3, description="How often a model is asked whether its own answer is right; 0: never."
    )
    accuracy: Annotated[float, Field(ge=0.5, le=1.0, allow_inf_nan=False)] = Field(
        default=0.85, description="How often such a vote is right; below 0.8 a cascade is seldom worth it."
    )
    most: Share = Field(
        default=0.1, description="The share of judged answers that may be replaced, beyond a few at once."
    )
    classes: tuple[ClassName, ...] = Field(
        default=("async", "batch"),
        description="Latency classes in which people wait for the check; never voice.",
    )

    @model_validator(mode="after")
    def _has_models(self) -> Self:
        if self.enabled and len(self.models) < 2:
            raise ValueError(f"enabled with {len(self.models)} models; allowed: from 2 models on")
        return self
