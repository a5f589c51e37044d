"""What the owner set for wider scopes than one conversation; read once, then kept at hand."""

from __future__ import annotations

from collections.abc import Mapping

from bot.store.base import Store

GLOBAL = "global"


class WiderChoices:
    """Choices for an account ("account:telegram:main") or for all ("global"). Bounded by the accounts."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: dict[str, Mapping[str, str]] = {}

    async def model_for(self, scope: str) -> str | None:
        """The standing model choice of a scope, None where nothing is set."""
        if scope not in self._kept:
            self._kept[scope] = await self._store.choices(scope)
        return self._kept[scope].get("model")

    async def choose_model(self, scope: str, name: str | None) -> None:
        """Set it, or with None unset it; durable when this returns."""
        await self._store.set_choice(scope, "model", name)
        self._kept.pop(scope, None)
