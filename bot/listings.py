"""What each provider listed last: HOME/data/model-lists.json, looked at on the way to a decision, asked anew daily.

A cache and nothing more: a file that is lost or damaged is an empty one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bot.files import write_private
from bot.home import Home
from providers.base import ModelSettings, ModelSpec
from providers.models import assumed_window

REFRESH_EVERY = 86_400.0
REFRESH_LOCAL_EVERY = 3_000.0
"""A server on this machine tells a model's window once the model is loaded, and costs nothing to ask."""

GONE_FOR = 90 * 86_400.0
"""Seconds for which a model that vanished is remembered."""

MAX_BYTES = 8_000_000
MAX_MODELS = 5_000
"""Of one provider; the longest list known has some hundreds (OpenRouter, 2026-11)."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One provider's list. `at`: when it was asked, seconds since the epoch. `gone`: id -> when it was missed.

    `where`: the address that was asked, "" for the provider's usual one.
    """

    at: float
    models: tuple[ModelSettings, ...] = ()
    gone: Mapping[str, float] = field(default_factory=dict)
    where: str = ""

    @property
    def ids(self) -> Collection[str]:
        """What it offers."""
        return {row.id for row in self.models}

    def is_due(self, now: float, every: float = REFRESH_EVERY) -> bool:
        """Older than `every` seconds; a clock that was set back makes it due too."""
        return not 0 <= now - self.at < every


def listings_path(home: Home) -> Path:
    """Where the lists are kept."""
    return home.data / "model-lists.json"


def renewed(old: Listing | None, specs: Iterable[ModelSpec], now: float, where: str = "") -> Listing:
    """The new list; what the old one of the same address had and this one lacks is gone."""
    if old is not None and old.where != where:
        old = None
    rows = tuple(_said(spec) for spec in list(specs)[:MAX_MODELS])
    ids = {row.id for row in rows}
    missed = {**dict.fromkeys(old.ids if old else (), now), **(old.gone if old else {})}
    gone = {each: at for each, at in missed.items() if each not in ids and now - at < GONE_FOR}
    return Listing(now, rows, gone, where)


def read_listings(path: Path) -> dict[str, Listing]:
    """Every provider's list; empty where the file is not there or cannot be understood."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return {}
        rows = orjson.loads(path.read_bytes())["providers"]
        return {str(name): _listing(row) for name, row in rows.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def write_listings(path: Path, listings: Mapping[str, Listing]) -> None:
    """Replace the file in one step, mode 0600. Raises SettingsError."""
    rows = {
        name: {
            "at": listing.at,
            "where": listing.where,
            "gone": dict(listing.gone),
            "models": [
                {"id": row.id, "title": row.title, "context": row.context_window, "maxOutput": row.max_output}
                for row in listing.models
            ],
        }
        for name, listing in listings.items()
    }
    write_private(path, orjson.dumps({"providers": rows}).decode() + "\n")


def _said(spec: ModelSpec) -> ModelSettings:
    """What the server said itself: an assumed window must not stand in the way of a better one."""
    window = spec.context_window if spec.context_window != assumed_window(spec.provider) else None
    return ModelSettings(spec.model, spec.title, window, spec.max_output)


def _listing(row: Mapping[str, Any]) -> Listing:
    models = tuple(
        ModelSettings(
            str(each["id"]), str(each.get("title") or ""), _whole(each["context"]), _whole(each["maxOutput"])
        )
        for each in row["models"]
    )
    gone = {str(name): float(at) for name, at in row.get("gone", {}).items()}
    return Listing(float(row["at"]), models, gone, str(row.get("where", "")))


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
