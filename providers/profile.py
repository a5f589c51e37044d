"""Facts per model family, as data: what a model takes and does, with the source of each figure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ReasoningStyle(StrEnum):
    """How a request says how much to reason."""

    NONE = "none"  # the model has no such switch
    EFFORT = "reasoning_effort"  # OpenAI's parameter: low, medium, high
    DISABLE = "disable_reasoning"  # a flag that switches it off
    NO_THINK = "/no_think"  # a suffix of every question
    ADAPTIVE = "adaptive"  # Anthropic: the model thinks as much as it needs, guided by output_config.effort
    BUDGET = "budget"  # Anthropic and Gemini 2.5: a number of tokens
    LEVEL = "level"  # Gemini 3: thinking_level


class CacheStyle(StrEnum):
    """How a provider's prompt cache is used."""

    NONE = "none"
    AUTO = "auto"  # by itself, for an equal beginning
    MARKS = "marks"  # what the request marks


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """What a family of models takes. `prefill`: an assistant message may stand last and is continued.

    `sends_usage_option`: the server knows stream_options.include_usage. `max_output_field`: the name of the
    request's output limit. `effort_off`: what OFF becomes, "none" where thinking can be switched off.
    `cache_min`: tokens below which nothing is cached. `cache_marks`: how many a request may carry. `prediction`,
    `schema`: the model takes a predicted text, a JSON schema. `efforts`: the levels that the vendor names beside
    off. `budget_min`, `budget_max`: of the style BUDGET, tokens of thought; no most where it is None.
    `sampling`: the model takes a temperature. `forced_tools`: a call can be demanded. `audio`: it hears.
    `source`: where this was read, with date.
    """

    reasoning: ReasoningStyle = ReasoningStyle.NONE
    prefill: bool = False
    images: bool = False
    tools: bool = True
    sends_usage_option: bool = True
    max_output_field: str = "max_tokens"
    effort_off: str = "low"
    cache: CacheStyle = CacheStyle.NONE
    cache_min: int = 0
    cache_marks: int = 0
    prediction: bool = False
    schema: bool = False
    efforts: tuple[str, ...] = ()
    budget_min: int = 0
    budget_max: int | None = None
    sampling: bool = True
    forced_tools: bool = True
    audio: bool = False
    source: str = ""
