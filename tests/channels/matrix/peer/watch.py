"""Waiting for what happens in rooms, by long polls of /sync: no sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import orjson

from tests.channels.matrix.peer.api import V3, Api

T = TypeVar("T")
PATIENCE = 20.0
_POLL_MS = 10_000
_FILTER = orjson.dumps({"presence": {"types": []}, "room": {"timeline": {"limit": 20}}}).decode()


class Watch:
    """One user's sync: who types and who has read what, and a way to wait for more."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock = asyncio.Lock()
        self._since = ""
        self._round = 0
        self.hook: Callable[[dict[str, Any]], Awaitable[None]] | None = None
        self.typing: dict[str, set[str]] = {}
        self.typing_changes: dict[str, int] = {}
        self.read: dict[str, dict[str, str]] = {}
        self.invites: set[str] = set()

    async def until(
        self, look: Callable[[], Awaitable[T]], what: Callable[[], object], timeout: float = PATIENCE
    ) -> T:
        """The first true value of `look`, which is asked after every sync. `what` describes the state at a timeout."""
        try:
            async with asyncio.timeout(timeout):
                if not self._since:
                    await self.refresh()
                while True:
                    before = self._round
                    if found := await look():
                        return found
                    await self._more(before)
        except TimeoutError:
            raise TimeoutError(f"waited {timeout} s in vain; now: {what()}") from None

    async def refresh(self) -> None:
        """Learn what has happened until now; returns at once."""
        async with self._lock:
            await self._sync(0)

    async def _more(self, seen: int) -> None:
        """Return once a sync has ended that began after round `seen`; several waiters share one."""
        async with self._lock:
            if self._round == seen:
                await self._sync(_POLL_MS)

    async def _sync(self, poll_ms: int) -> None:
        query = {"timeout": str(poll_ms), "filter": _FILTER}
        if self._since:
            query["since"] = self._since
        found = await self._api.call("GET", f"{V3}/sync", query=query)
        self._since = found["next_batch"]
        self._round += 1
        rooms: dict[str, Any] = found.get("rooms", {})
        for room, joined in rooms.get("join", {}).items():
            self.invites.discard(room)
            for event in joined.get("ephemeral", {}).get("events", ()):
                self._ephemeral(room, event)
        self.invites |= set(rooms.get("invite", {}))
        if self.hook is not None:
            await self.hook(found)

    def _ephemeral(self, room: str, event: dict[str, Any]) -> None:
        if event["type"] == "m.typing":
            self.typing[room] = set(event["content"]["user_ids"])
            self.typing_changes[room] = self.typing_changes.get(room, 0) + 1
        elif event["type"] == "m.receipt":
            for event_id, kinds in event["content"].items():
                for user in kinds.get("m.read", {}):
                    self.read.setdefault(room, {})[user] = event_id
