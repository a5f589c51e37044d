"""From an update to the host: the same way for polling and for the webhook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from channels.base import Host
from channels.telegram.parse import Me, parse

# What a drop is counted as (names of the metrics' closed set); everything else is an event without content for us.
_SIGNALS = {"own": "self_message", "unknown_kind": "event_unknown", "no_content": "event_unknown"}
_QUIET = frozenset({"same_membership", "migrated"})


class Intake:
    """Offers updates to the host. `on_press` and `on_migration` must not block."""

    def __init__(
        self, me: Me, host: Host, on_press: Callable[[str], None], on_migration: Callable[[int, int], None]
    ) -> None:
        self._me = me
        self._host = host
        self._on_press = on_press
        self._on_migration = on_migration

    async def offer(self, update: Any) -> bool:
        """True: taken over, or dropped and counted; confirm it. False: no room, offer it again later."""
        parsed = parse(update, self._me)
        if parsed.dropped and parsed.dropped not in _QUIET:
            self._host.signal(_SIGNALS.get(parsed.dropped, "event_malformed"))
        if parsed.migrated is not None:
            self._on_migration(*parsed.migrated)
        if parsed.press:
            self._on_press(parsed.press)
        for event in parsed.events:
            if not await self._host.accept(event):
                return False
        return True
