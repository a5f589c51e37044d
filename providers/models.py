"""What is known about models: the rows of models.json, and a model's description put together from all sources.

What a server says about its own model stands over the settings, the settings over the catalogue, the catalogue
over the preset.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import orjson

from providers import presets
from providers.base import ModelSettings, ModelSpec, Price
from providers.presets import Preference, Preset
from providers.profile import ModelProfile, ReasoningStyle

DEFAULT_CONTEXT = 8192
"""Tokens, for a model of which nobody says more. Small on purpose: a prompt that is too long is refused."""

_NOT_FOR_CHAT = (
    *("embed", "rerank", "whisper", "moderation", "transcribe", "dall-e", "gpt-image", "sora", "davinci"),
    *("-tts", "tts-", "bge-", "minilm"),
)

_KEYS = frozenset(
    {"provider", "id", "title", "context", "maxOutput", "price", "source", "checked"}
    | {"reasoning", "effortOff", "prefill", "images", "retiredOn", "successor"}
)


@dataclass(frozen=True, slots=True)
class Facts:
    """A row of the catalogue. `retired_on`: gone by that day; `successor`: the id to use instead."""

    provider: str
    id: str
    title: str
    context: int | None
    max_output: int | None
    price: Price | None
    reasoning: ReasoningStyle
    effort_off: str
    prefill: bool
    images: bool | None
    retired_on: date | None
    successor: str
    source: str

    def is_retired(self, today: date) -> bool:
        """The vendor has taken it away by then."""
        return self.retired_on is not None and self.retired_on <= today


@cache
def catalogue() -> Mapping[tuple[str, str], Facts]:
    """Every row by provider and id. Reads models.json once; ValueError names a row that is wrong."""
    return MappingProxyType(parse(files("providers").joinpath("models.json").read_bytes()))


def parse(text: bytes) -> dict[tuple[str, str], Facts]:
    """The rows of a catalogue file. ValueError names the row and the field."""
    document = orjson.loads(text)
    sources: Mapping[str, str] = document["sources"]
    rows: dict[tuple[str, str], Facts] = {}
    for row in document["models"]:
        facts = _row(row, sources)
        if (facts.provider, facts.id) in rows:
            raise ValueError(f"{facts.provider}/{facts.id} stands twice")
        rows[facts.provider, facts.id] = facts
    for facts in rows.values():
        if facts.successor and (facts.provider, facts.successor) not in rows:
            raise ValueError(f"{facts.provider}/{facts.id}: successor {facts.successor!r} is no row")
    return rows


def describe(
    provider: str,
    row: ModelSettings,
    *,
    reasoning: bool | None = None,
    images: bool | None = None,
    is_local: bool | None = None,
) -> ModelSpec:
    """A model's description: what is given here, then the catalogue's row, then the provider's preset."""
    preset = presets.find(provider)
    facts = catalogue().get((provider, row.id))
    local = is_local if is_local is not None else preset is not None and preset.is_local
    return ModelSpec(
        provider=provider,
        model=row.id,
        title=row.title or (facts.title if facts else ""),
        context_window=row.context_window or (facts.context if facts else None) or DEFAULT_CONTEXT,
        max_output=row.max_output or (facts.max_output if facts else None),
        profile=_profile(preset, facts, reasoning=reasoning, images=images),
        price=row.price or (facts.price if facts else None) or (Price(0.0, 0.0) if local else None),
        is_local=local,
    )


def is_for_chat(model: str) -> bool:
    """By its name the model answers people, rather than making vectors, pictures or speech."""
    name = model.lower()
    return not any(word in name for word in _NOT_FOR_CHAT)


def known(provider: str, today: date) -> tuple[ModelSpec, ...]:
    """The catalogue's models of a provider that are not retired."""
    rows = (facts for (name, _), facts in catalogue().items() if name == provider)
    return tuple(describe(provider, ModelSettings(facts.id)) for facts in rows if not facts.is_retired(today))


def preferred(
    preset: Preset, alias: str, today: date, listed: Collection[str] | None = None
) -> tuple[Preference, ...]:
    """What an alias stands for at a provider, best first.

    `listed`: the ids that the provider offers now. Without it, what the catalogue knows as retired is left out.
    """
    rows = catalogue()

    def is_there(model: str) -> bool:
        if listed is not None:
            return model in listed
        facts = rows.get((preset.name, model))
        return facts is None or not facts.is_retired(today)

    return tuple(one for one in preset.aliases.get(alias, ()) if is_there(one.model))


def _profile(
    preset: Preset | None, facts: Facts | None, *, reasoning: bool | None, images: bool | None
) -> ModelProfile:
    profile = preset.profile if preset else ModelProfile()
    if facts is not None:
        profile = replace(
            profile,
            reasoning=facts.reasoning,
            effort_off=facts.effort_off,
            prefill=facts.prefill or profile.prefill,
            images=profile.images if facts.images is None else facts.images,
            source=facts.source,
        )
    if reasoning is not None and (facts is None or facts.reasoning is ReasoningStyle.NONE):
        profile = replace(profile, reasoning=ReasoningStyle.EFFORT if reasoning else ReasoningStyle.NONE)
    return profile if images is None else replace(profile, images=images)


def _row(row: Mapping[str, Any], sources: Mapping[str, str]) -> Facts:
    where = f"{row.get('provider')}/{row.get('id')}"
    if unknown := row.keys() - _KEYS:
        raise ValueError(f"{where}: unknown field {min(unknown)!r}; allowed: {', '.join(sorted(_KEYS))}")
    try:
        retired = row.get("retiredOn")
        date.fromisoformat(row["checked"])
        return Facts(
            provider=_text(row, "provider"),
            id=_text(row, "id"),
            title=_text(row, "title"),
            context=_tokens(row, "context"),
            max_output=_tokens(row, "maxOutput"),
            price=_price(row["price"]),
            reasoning=ReasoningStyle(row.get("reasoning", ReasoningStyle.NONE)),
            effort_off=row.get("effortOff", "low"),
            prefill=row.get("prefill", False),
            images=row.get("images"),
            retired_on=date.fromisoformat(retired) if retired else None,
            successor=row.get("successor", ""),
            source=f"{sources[row['source']]}, read {row['checked']}",
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row[name]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is {value!r}, not a text")
    return value


def _tokens(row: Mapping[str, Any], name: str) -> int | None:
    value = row[name]
    if value is not None and (not isinstance(value, int) or value <= 0):
        raise ValueError(f"{name} is {value!r}, not a number of tokens")
    return value


def _price(value: list[float | None] | None) -> Price | None:
    if value is None:
        return None
    if (
        len(value) != 4
        or value[0] is None
        or value[1] is None
        or any(one is not None and one < 0 for one in value)
    ):
        raise ValueError(f"price is {value!r}, not [input, output, cache read, cache write]")
    return Price(value[0], value[1], value[2], value[3])
