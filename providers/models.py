"""What is known about models: the rows of models.json, and a model's description put together from all sources.

What a server says about its own model stands over the settings, but for a window, which they may lower; the
settings stand over the catalogue, the catalogue over the preset.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from providers import presets
from providers.base import Effort, ModelSettings, ModelSpec, Price
from providers.facts import Facts, parse
from providers.presets import Preference, Preset
from providers.profile import ModelProfile, ReasoningStyle

DEFAULT_CONTEXT = 8192
"""Tokens, for a model of which nobody says more. Small on purpose: a prompt that is too long is refused."""

_NOT_FOR_CHAT = (
    *("embed", "rerank", "whisper", "moderation", "transcribe", "dall-e", "gpt-image", "sora", "davinci"),
    *("-tts", "tts-", "bge-", "minilm"),
)


@cache
def catalogue() -> Mapping[tuple[str, str], Facts]:
    """Every row by provider and id, other names of a model included. Raises ValueError for a row that is wrong."""
    return MappingProxyType(parse(files("providers").joinpath("models.json").read_bytes()))


def describe(
    provider: str,
    row: ModelSettings,
    *,
    reasoning: bool | None = None,
    images: bool | None = None,
    is_local: bool | None = None,
    today: date | None = None,
) -> ModelSpec:
    """A model's description: what is given here, then the catalogue's row, then the provider's preset.

    `today`: the day whose price counts, this one by default.
    """
    preset = presets.find(provider)
    facts = catalogue().get((provider, row.id))
    local = is_local if is_local is not None else preset is not None and preset.is_local
    price = row.price or (facts.price_on(today or datetime.now(UTC).date()) if facts else None)
    return ModelSpec(
        provider=provider,
        model=row.id,
        title=row.title or (facts.title if facts else ""),
        context_window=row.context_window or (facts.context if facts else None) or assumed_window(provider),
        max_output=row.max_output or (facts.max_output if facts else None),
        profile=_profile(preset, facts, reasoning=reasoning, images=images),
        price=price or (Price(0.0, 0.0) if local else None),
        is_local=local,
    )


def of_vendor(vendor: str, model: ModelSpec) -> ModelSpec:
    """A model of a provider that speaks a vendor's dialect under a name of its own, as the vendor made it.

    What the settings say stands, and only they know its price and whether pictures get through to it.
    """
    facts = catalogue().get((vendor, model.model))
    if facts is None or presets.find(model.provider) is not None:
        return model
    unsaid = ModelProfile()
    own = {
        name: value
        for name, value in facts.switches.items()
        if name != "images" and getattr(model.profile, name) == getattr(unsaid, name)
    }
    window = facts.context if model.context_window == DEFAULT_CONTEXT else None
    return replace(
        model,
        context_window=window or model.context_window,
        max_output=model.max_output or facts.max_output,
        profile=replace(model.profile, **own, source=model.profile.source or facts.source),
    )


def assumed_window(provider: str) -> int:
    """Tokens of a model of which nobody says more."""
    preset = presets.find(provider)
    return (preset.window if preset else None) or DEFAULT_CONTEXT


def is_for_chat(model: str) -> bool:
    """By its name the model answers people, rather than making vectors, pictures or speech."""
    name = model.lower()
    return not any(word in name for word in _NOT_FOR_CHAT)


def known(provider: str, today: date, listed: Collection[str] | None = None) -> tuple[ModelSpec, ...]:
    """The catalogue's models of a hosted provider that are not retired.

    `listed`: the ids that it offers now, which then count instead of the catalogue's dates. What a local server
    has is for it to say.
    """
    preset = presets.find(provider)
    if preset is not None and preset.is_local:
        return ()
    rows = [facts for (name, model), facts in catalogue().items() if name == provider and model == facts.id]
    return tuple(
        describe(provider, ModelSettings(facts.id), today=today)
        for facts in rows
        if is_offered(provider, facts.id, today, listed)
    )


def is_offered(provider: str, model: str, today: date, listed: Collection[str] | None = None) -> bool:
    """The provider lists the model; where no list is at hand, the catalogue does not know it as retired."""
    facts = catalogue().get((provider, model))
    if listed:
        return any(name in listed for name in ((facts.id, *facts.aliases) if facts else (model,)))
    return facts is None or not facts.is_retired(today)


def preferred(
    preset: Preset, alias: str, today: date, listed: Collection[str] | None = None
) -> tuple[Preference, ...]:
    """What an alias stands for at a provider, best first.

    `listed`: the ids that the provider offers now. Without it, what the catalogue knows as retired is left out.
    """
    wanted = preset.aliases.get(alias, ())
    if listed is not None and not listed:
        return ()
    return tuple(one for one in wanted if is_offered(preset.name, one.model, today, listed))


def stand_in(
    provider: str, model: str, today: date, listed: Collection[str] | None = None
) -> Preference | None:
    """What answers for a retired model: the first successor that is not retired itself.

    None for a model that the provider still offers, and for one without a successor.
    """
    effort: Effort | None = None
    found = model
    for _ in range(8):  # successors of successors; the file holds no ring, and a longer chain is a mistake
        facts = catalogue().get((provider, found))
        if is_offered(provider, found, today, listed) or facts is None or not facts.is_retired(today):
            break
        if not facts.successor:
            return None
        found, effort = facts.successor, facts.successor_effort or effort
    return None if found == model else Preference(found, effort)


def _profile(
    preset: Preset | None, facts: Facts | None, *, reasoning: bool | None, images: bool | None
) -> ModelProfile:
    profile = preset.profile if preset else ModelProfile()
    if facts is not None:
        profile = replace(profile, **facts.switches, source=facts.source)
    if reasoning is not None and (facts is None or profile.reasoning is ReasoningStyle.NONE):
        profile = replace(profile, reasoning=ReasoningStyle.EFFORT if reasoning else ReasoningStyle.NONE)
    return profile if images is None else replace(profile, images=images)
