"""What the owner should know of the models in use: taken away, soon to be, or no longer listed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime

from bot.draft import is_vendors, listing_of
from bot.listings import Listing
from bot.settings import Settings
from providers import presets
from providers.facts import Facts
from providers.models import catalogue, is_offered

_OTHER = "choose another: firstword models list"


def refs_in_use(settings: Settings) -> list[str]:
    """Every ref by which the configuration wants a model; rows that only describe one do not count."""
    refs: dict[str, None] = {}
    for agent in (settings.agents.defaults, *(settings.agent(name) for name in settings.agents.list)):
        named = [agent.model.primary, *agent.model.fallbacks, *agent.models]
        named += [row.model for rows in agent.aliases.values() for row in rows]
        refs |= dict.fromkeys(ref for ref in named if ref is not None and "/" in ref)
    return list(refs)


def notes_on(
    settings: Settings, refs: Iterable[str], listings: Mapping[str, Listing], today: date | None = None
) -> list[str]:
    """A sentence for each of these models that its vendor took away, will take away, or no longer lists."""
    day = today or datetime.now(UTC).date()
    notes: list[str] = []
    for ref in dict.fromkeys(refs):
        name, _, model = ref.partition("/")
        preset = presets.find(name)
        row = settings.provider(name)
        is_vendor = preset is not None and is_vendors(row, preset)
        facts = catalogue().get((name, model)) if is_vendor else None
        listing = listing_of(row, listings)
        if note := _retired(ref, facts, listing, day) or _vanished(ref, facts, listing):
            notes.append(note)
    return notes


def _retired(ref: str, facts: Facts | None, listing: Listing | None, day: date) -> str:
    if facts is None or facts.retired_on is None:
        return ""
    use = f"use {facts.provider}/{facts.successor}" if facts.successor else _OTHER
    if not facts.is_retired(day):
        return f"{ref} will be retired on {facts.retired_on}; {use}"
    if listing is not None and listing.models and is_offered(facts.provider, facts.id, day, listing.ids):
        return f"{ref} was to be retired on {facts.retired_on}, but is still listed; {use} soon"
    meanwhile = ", which answers for it meanwhile" if facts.successor else ""
    return f"{ref} was retired on {facts.retired_on}; {use}{meanwhile}"


def _vanished(ref: str, facts: Facts | None, listing: Listing | None) -> str:
    name, _, model = ref.partition("/")
    if listing is None or not listing.models:
        return ""
    names = (facts.id, *facts.aliases) if facts is not None else (model,)
    if any(each in listing.ids for each in names):
        return ""
    missed = next((listing.gone[each] for each in names if each in listing.gone), None)
    since = f" since {datetime.fromtimestamp(missed, UTC).date()}" if missed is not None else ""
    return f"{ref} is not among the models that {name} lists{since}; {_OTHER}"
