"""Messages that cannot be decrypted yet: their key is asked for once, and they wait a while for it.

A key often comes a moment after its message; who wrote is told only when it has not come for some time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog

from channels.base import Host

log = structlog.get_logger()

Json = dict[str, Any]
_MAX_WAITING = 200
_MAX_TOLD = 1000
_TELL_EVERY = 3600.0
_CURSOR = "unread"


@dataclass(frozen=True, slots=True)
class Waiting:
    """An encrypted event of a room, and until when its key is worth waiting for."""

    room_id: str
    event: Json
    until: float
    since: float


@dataclass(slots=True)
class Unread:
    """One account's. `clock` in seconds; a message waits `patience` for its key; who wrote is told after `hope`."""

    host: Host
    clock: Callable[[], float]
    patience: float
    hope: float
    _waiting: OrderedDict[str, Waiting] = field(default_factory=OrderedDict)
    _told: OrderedDict[str, float] = field(default_factory=OrderedDict)
    _to_ask: list[str] = field(default_factory=list)
    _to_tell: list[str] = field(default_factory=list)
    _is_changed: bool = False

    def put(self, room_id: str, event: Json, reason: str) -> None:
        """An event could not be read; at most once an hour for each room the log says so."""
        event_id = event.get("event_id")
        self.host.signal("undecryptable")
        self._tell(room_id, reason)
        if not isinstance(event_id, str) or event_id in self._waiting:
            return
        now = self.clock()
        self._waiting[event_id] = Waiting(room_id, event, now + self.patience, now)
        self._to_ask.append(event_id)
        self._to_tell.append(event_id)
        self._is_changed = True
        if len(self._waiting) > _MAX_WAITING:
            self._waiting.popitem(last=False)

    def _tell(self, room_id: str, reason: str) -> None:
        now = self.clock()
        told = self._told.get(room_id)
        if told is not None and now < told + _TELL_EVERY:
            return
        self._told[room_id] = now
        self._told.move_to_end(room_id)
        if len(self._told) > _MAX_TOLD:
            self._told.popitem(last=False)
        log.warning("encrypted message not readable", channel="matrix", conversation=room_id, reason=reason)

    def to_ask(self) -> Iterator[Waiting]:
        """Those whose key was not asked for yet; each once."""
        asked, self._to_ask = self._to_ask, []
        return iter([self._waiting[event_id] for event_id in asked if event_id in self._waiting])

    def overdue(self) -> list[Waiting]:
        """Those that have waited so long that their writer should hear of it; each once."""
        there = [
            (event_id, self._waiting[event_id]) for event_id in self._to_tell if event_id in self._waiting
        ]
        due = self.clock() - self.hope
        self._to_tell = [event_id for event_id, waiting in there if waiting.since > due]
        return [waiting for _, waiting in there if waiting.since <= due]

    def read(self, decrypt: Callable[[str, Json], Json | None]) -> list[tuple[str, Json]]:
        """Those that can be read by now, oldest first, as (room id, event); the others go on waiting."""
        found: list[tuple[str, Json]] = []
        for event_id, waiting in list(self._waiting.items()):
            plain = decrypt(waiting.room_id, waiting.event)
            if plain is not None:
                found.append((waiting.room_id, plain))
            elif self.clock() < waiting.until:
                continue
            del self._waiting[event_id]
            self._is_changed = True
        return found

    async def keep(self) -> None:
        """Store which ones wait, so that a new process goes on with them."""
        if self._is_changed:
            self._is_changed = False
            ids = [[waiting.room_id, event_id] for event_id, waiting in self._waiting.items()]
            await self.host.set_cursor(_CURSOR, orjson.dumps(ids).decode())

    async def kept(self) -> list[tuple[str, str]]:
        """The (room id, event id) pairs that an earlier process stored."""
        try:
            found = orjson.loads(await self.host.cursor(_CURSOR) or "[]")
        except ValueError:
            return []
        pairs = (
            [one for one in found if isinstance(one, list) and len(one) == 2]
            if isinstance(found, list)
            else []
        )
        return [(room, event) for room, event in pairs if isinstance(room, str) and isinstance(event, str)]
