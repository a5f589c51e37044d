"""Rows of models.json: read strictly, so that a slip in the file is named instead of believed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

import orjson

from providers.base import Effort, Price
from providers.profile import CacheStyle, ReasoningStyle

_SWITCHES = {
    "effortOff": ("effort_off", str),
    "prefill": ("prefill", bool),
    "images": ("images", bool),
    "audio": ("audio", bool),
    "tools": ("tools", bool),
    "prediction": ("prediction", bool),
    "schema": ("schema", bool),
    "sampling": ("sampling", bool),
    "forcedTools": ("forced_tools", bool),
}
"""Fields that go into a profile as they are."""

_SHARED = frozenset({*_SWITCHES, "reasoning", "efforts", "budget", "cache"})
"""What a family may say for its models."""

_KEYS = _SHARED | {
    *("provider", "id", "title", "aliases", "family", "context", "contextFree", "maxOutput"),
    *("price", "above", "later", "retiredOn", "successor", "successorEffort"),
    *("note", "believed", "source", "checked"),
}


@dataclass(frozen=True, slots=True)
class Facts:
    """A row of the catalogue.

    `retired_on`: gone by that day; `successor`: the id to use instead, thinking as hard as `successor_effort`.
    `switches`: fields of ModelProfile. `context_free`: the window without a paid plan. `later`: the price from a
    day on. `believed`: fields that no source states.
    """

    provider: str
    id: str
    title: str
    context: int | None
    max_output: int | None
    price: Price | None
    source: str
    switches: Mapping[str, Any]
    aliases: tuple[str, ...] = ()
    context_free: int | None = None
    later: tuple[date, Price] | None = None
    retired_on: date | None = None
    successor: str = ""
    successor_effort: Effort | None = None
    note: str = ""
    believed: tuple[str, ...] = ()

    def is_retired(self, today: date) -> bool:
        """The vendor has taken it away by then."""
        return self.retired_on is not None and self.retired_on <= today

    def price_on(self, today: date) -> Price | None:
        """The price of a day."""
        if self.later is not None and today >= self.later[0]:
            return self.later[1]
        return self.price


def parse(text: bytes) -> dict[tuple[str, str], Facts]:
    """The rows of a catalogue file by provider and id, and by their other names. ValueError names row and field."""
    document = orjson.loads(text)
    sources: Mapping[str, str] = document["sources"]
    families: Mapping[str, Any] = document.get("families", {})
    for name, family in families.items():
        _no_others(f"family {name}", family, _SHARED)
    rows: dict[tuple[str, str], Facts] = {}
    for row in document["models"]:
        facts = _row(row, sources, families)
        for name in (facts.id, *facts.aliases):
            if (facts.provider, name) in rows:
                raise ValueError(f"{facts.provider}/{name} stands twice")
            rows[facts.provider, name] = facts
    for facts in rows.values():
        if facts.successor and (facts.provider, facts.successor) not in rows:
            raise ValueError(f"{facts.provider}/{facts.id}: successor {facts.successor!r} is no row")
    return rows


def _row(row: Mapping[str, Any], sources: Mapping[str, str], families: Mapping[str, Any]) -> Facts:
    where = f"{row.get('provider')}/{row.get('id')}"
    _no_others(where, row, _KEYS)
    try:
        date.fromisoformat(row["checked"])
        family = families[row["family"]] if "family" in row else {}
        price = _price(row["price"])
        if above := row.get("above"):
            long = _price(above["price"])
            if price is None or long is None:
                raise ValueError("above without a price")
            price = _with_above(price, above["tokens"], long)
        return Facts(
            provider=_text(row, "provider"),
            id=_text(row, "id"),
            title=_text(row, "title"),
            context=_tokens(row, "context"),
            max_output=_tokens(row, "maxOutput"),
            price=price,
            source=f"{sources[row['source']]}, read {row['checked']}",
            switches=_switches({**family, **row}),
            aliases=tuple(row.get("aliases", ())),
            context_free=_tokens(row, "contextFree") if "contextFree" in row else None,
            later=_later(row.get("later")),
            retired_on=date.fromisoformat(row["retiredOn"]) if row.get("retiredOn") else None,
            successor=row.get("successor", ""),
            successor_effort=Effort(row["successorEffort"]) if "successorEffort" in row else None,
            note=row.get("note", ""),
            believed=_believed(row),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error


def _no_others(where: str, row: Mapping[str, Any], allowed: frozenset[str] | set[str]) -> None:
    if unknown := row.keys() - allowed:
        raise ValueError(f"{where}: unknown field {min(unknown)!r}; allowed: {', '.join(sorted(allowed))}")


def _switches(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields of a profile that a row and its family state."""
    made: dict[str, Any] = {"reasoning": ReasoningStyle(row.get("reasoning", ReasoningStyle.NONE))}
    for key, (name, kind) in _SWITCHES.items():
        value = row.get(key)
        if value is None:
            continue
        if not isinstance(value, kind):
            raise TypeError(f"{key} is {value!r}")
        made[name] = value
    if "efforts" in row:
        made["efforts"] = tuple(row["efforts"])
    if "budget" in row:
        made["budget_min"], made["budget_max"] = row["budget"]
    if "cache" in row:
        _no_others("cache", row["cache"], {"style", "min", "marks"})
        made["cache"] = CacheStyle(row["cache"]["style"])
        made["cache_min"] = row["cache"].get("min", 0)
        made["cache_marks"] = row["cache"].get("marks", 0)
    return MappingProxyType(made)


def _believed(row: Mapping[str, Any]) -> tuple[str, ...]:
    names = tuple(row.get("believed", ()))
    if unknown := set(names) - _KEYS:
        raise ValueError(f"believed names {min(unknown)!r}, which is no field")
    return names


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
        len(value) not in {4, 5}
        or value[0] is None
        or value[1] is None
        or any(one is not None and one < 0 for one in value)
    ):
        raise ValueError(
            f"price is {value!r}, not [input, output, cache read, cache write, write for an hour]"
        )
    return Price(value[0], value[1], value[2], value[3], value[4] if len(value) == 5 else None)


def _with_above(price: Price, tokens: int, above: Price) -> Price:
    return Price(
        price.input,
        price.output,
        price.cache_read,
        price.cache_write,
        price.cache_write_hour,
        (tokens, above),
    )


def _later(value: Mapping[str, Any] | None) -> tuple[date, Price] | None:
    if value is None:
        return None
    price = _price(value["price"])
    if price is None:
        raise ValueError("later without a price")
    return date.fromisoformat(value["from"]), price
