"""Channels and providers by their entry points: listed without importing, loaded one by one, never fatal.

Our own adapters are found the same way as a stranger's.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from bot.errors import BotError

if TYPE_CHECKING:
    from channels.base import ChannelSpec
    from providers.base import ProviderSpec

CHANNEL_GROUP = "firstword.channels"
PROVIDER_GROUP = "firstword.providers"
DISTRIBUTION = "firstword"
IMPORT_NAMES = ("bot", "channels", "routing", "providers")

Spec = TypeVar("Spec")


class PluginError(BotError):
    """A plug-in cannot be used. The text is one sentence that names it and says what to do."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry point that has not been imported. `target` is "module:attribute", `distribution` who brought it."""

    group: str
    name: str
    target: str
    distribution: str


@dataclass(frozen=True, slots=True)
class Plugins:
    """The channels and providers that are installed, by name."""

    channels: Mapping[str, Listed]
    providers: Mapping[str, Listed]

    def channel(self, name: str) -> ChannelSpec:
        """Import one channel's spec. Raises PluginError; `name` must be listed."""
        from channels.base import ChannelSpec

        return _load(self.channels[name], ChannelSpec)

    def provider(self, name: str) -> ProviderSpec:
        """Import one provider's spec. Raises PluginError; `name` must be listed."""
        from providers.base import ProviderSpec

        return _load(self.providers[name], ProviderSpec)


def discover(entry_points: Callable[..., Iterable[importlib.metadata.EntryPoint]] | None = None) -> Plugins:
    """What is installed. Imports none of it. When two bring one name, our own stands, else the first by name."""
    find = entry_points or importlib.metadata.entry_points
    return Plugins(channels=_list(find, CHANNEL_GROUP), providers=_list(find, PROVIDER_GROUP))


def collisions(installed: Iterable[importlib.metadata.Distribution] | None = None) -> tuple[str, ...]:
    """One sentence for each of our import names that another distribution has written into as well.

    `bot`, `channels`, `routing` and `providers` are common names: a second distribution that brings one of them
    into the same environment silently overwrites our files (Django Channels does, seen 2026-11).
    """
    owners: dict[str, set[str]] = {}
    for each in importlib.metadata.distributions() if installed is None else installed:
        for name in _brought(each):
            owners.setdefault(name, set()).add(each.name)
    found = []
    for name in IMPORT_NAMES:
        strangers = sorted(owner for owner in owners.get(name, ()) if owner.lower() != DISTRIBUTION)
        if strangers:
            found.append(
                f"the package {name!r} in this environment is also written by {', '.join(strangers)}; "
                f"install {DISTRIBUTION} into an environment of its own"
            )
    return tuple(found)


def _brought(distribution: importlib.metadata.Distribution) -> list[str]:
    """Which of our import names it brings, as its installer noted it.

    The library's `packages_distributions` parses the path of every file of every distribution: a fifth of the time
    that a start took (2026-11).
    """
    declared = (distribution.read_text("top_level.txt") or "").split()
    if declared:
        return [name for name in IMPORT_NAMES if name in declared]
    files = "\n" + (distribution.read_text("RECORD") or "")
    return [name for name in IMPORT_NAMES if f"\n{name}/" in files or f"\n{name}.py," in files]


def _list(find: Callable[..., Iterable[importlib.metadata.EntryPoint]], group: str) -> Mapping[str, Listed]:
    table: dict[str, Listed] = {}
    rows = [
        Listed(group, point.name, point.value, point.dist.name if point.dist else "")
        for point in find(group=group)
    ]
    for row in sorted(rows, key=lambda row: (row.distribution != DISTRIBUTION, row.distribution, row.name)):
        table.setdefault(row.name, row)
    return table


def _load(listed: Listed, kind: type[Spec]) -> Spec:
    kind_of = listed.group.rpartition(".")[2].removesuffix("s")
    who = f"the {kind_of} {listed.name!r} ({listed.target}, from {listed.distribution or 'an unknown distribution'})"
    try:
        loaded = importlib.metadata.EntryPoint(listed.name, listed.target, listed.group).load()
    except Exception as error:  # a stranger's module may raise anything, and must not stop the others
        text = f"{who} cannot be imported: {type(error).__name__}: {str(error)[:200]}; update or uninstall it"
        raise PluginError(text) from error
    if not isinstance(loaded, kind):
        raise PluginError(
            f"{who} is a {type(loaded).__name__}, not a {kind.__name__}; update or uninstall it"
        )
    if loaded.name != listed.name:  # type: ignore[attr-defined]
        named = loaded.name  # type: ignore[attr-defined]
        raise PluginError(f"{who} calls itself {named!r}; entry point and name must agree")
    return loaded
