"""What GET /v1/models says of a model. Pure. Source: anthropic 2.11, types/model_info.py, 2026-11."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from providers import models
from providers.base import ModelSettings, ModelSpec
from providers.profile import ModelProfile, ReasoningStyle

_LEVELS = ("low", "medium", "high", "xhigh", "max")


def described(provider: str, row: Mapping[str, Any]) -> ModelSpec | None:
    """A row of the list; None for a model that is gone. KeyError or TypeError for what is no row."""
    if row.get("lifecycle") == "retired":
        return None
    can = row.get("capabilities") or {}
    settings = ModelSettings(
        str(row["id"]),
        str(row.get("display_name") or ""),
        _tokens(row.get("max_input_tokens")),
        _tokens(row.get("max_tokens")),
    )
    images = can["image_input"]["supported"] is True if can.get("image_input") else None
    spec = models.describe(provider, settings, images=images)
    return replace(spec, profile=_profile(spec.profile, can))


def _profile(profile: ModelProfile, can: Mapping[str, Any]) -> ModelProfile:
    if can.get("structured_outputs"):
        profile = replace(profile, schema=can["structured_outputs"]["supported"] is True)
    effort = can.get("effort") or {}
    levels = tuple(level for level in _LEVELS if (effort.get(level) or {}).get("supported") is True)
    if levels:
        profile = replace(profile, efforts=levels)
    types = (can.get("thinking") or {}).get("types") or {}
    styles = [
        (types.get("adaptive"), ReasoningStyle.ADAPTIVE),
        (types.get("enabled"), ReasoningStyle.BUDGET),
        (effort, ReasoningStyle.EFFORT),
    ]
    style = next((style for one, style in styles if one and one.get("supported") is True), None)
    if style is None:
        return profile
    off = "none" if (types.get("disabled") or {}).get("supported") is True else (*levels, "low")[0]
    return replace(profile, reasoning=style, effort_off=off)


def _tokens(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
