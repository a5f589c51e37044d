"""From a sync to the host: fill gaps, decrypt, parse, offer. A sync is taken when every event of it was accepted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog

from channels.base import Host
from channels.events import Event, Message, Sender, Unreadable, UnreadableReason
from channels.matrix.account import Account
from channels.matrix.content import relation_of
from channels.matrix.gaps import Gaps
from channels.matrix.parse import address_of, parse, typing
from channels.matrix.rooms import JOINED, Room, events_of, rooms_of
from channels.matrix.text import clean_name
from channels.matrix.unread import Unread

log = structlog.get_logger()

Json = dict[str, Any]
# What a drop is counted as (names of the metrics' closed set).
_SIGNALS = {"own": "self_message", "unknown_kind": "event_unknown", "no_content": "event_unknown"}
_QUIET = frozenset({"state", "notice"})
_MAX_TYPING = 50


@dataclass(slots=True)
class Intake:
    """One account's way in. `on_read` gets each message that was taken up and may take effect."""

    account: Account
    gaps: Gaps
    unread: Unread
    on_read: Callable[[Message], None]
    _typing: dict[str, frozenset[str]] = field(default_factory=dict)

    async def take(self, sync: Json, since: str) -> bool:
        """Offer everything; returns when all of it was accepted. True when there was anything for the host.

        Raises NotAuthorized.
        """
        rooms = self.account.rooms
        rooms.account_data(events_of(sync, "account_data"))
        batches: list[tuple[Room, list[Any]]] = []
        for room_id, part in rooms_of(sync, "join").items():
            known = rooms.get(room_id)
            is_new = known is None or known.own != JOINED
            room = rooms.joined(room_id, part)
            batches.append((room, await self.gaps.whole(room_id, part, since, is_new=is_new)))
        for room_id, part in rooms_of(sync, "leave").items():
            known = rooms.get(room_id)
            was_inside = known is not None and known.own == JOINED
            room = rooms.left(room_id, part)
            events = [*events_of(part, "state"), *events_of(part, "timeline")]
            if was_inside:
                batches.append((room, [event for event in events if _is_membership(event)]))
        counts = await self._in_parallel(batches)
        for room_id, part in rooms_of(sync, "join").items():
            await self._typings(rooms.room(room_id), part, since)
        return any(counts)

    async def retry(self) -> bool:
        """Offer the messages whose keys have come meanwhile. True when there were any."""
        crypto = self.account.crypto
        found = self.unread.read(crypto.decrypt) if crypto is not None else []
        for room_id, event in found:
            await self._offer_all(self.account.rooms.room(room_id), [event])
        return bool(found)

    async def tell_unread(self) -> None:
        """Let the daemon tell people whose messages still cannot be read.

        Not in a room with others: whether it was said to the bot cannot be known.
        """
        for waiting in self.unread.overdue():
            room = self.account.rooms.room(waiting.room_id)
            event_id, sender = waiting.event.get("event_id"), waiting.event.get("sender")
            if not (room.is_direct and isinstance(event_id, str) and isinstance(sender, str)):
                continue
            where = address_of(room, self.account.me, None)
            # The event's own id stays free: it is the message's, whose key may still come.
            unread = Unreadable(
                f"unread:{event_id}", event_id, where, Sender(sender), UnreadableReason.ENCRYPTED
            )
            await insist(self.account.host, unread, self.account.timing.full)

    async def _in_parallel(self, batches: list[tuple[Room, list[Any]]]) -> list[int]:
        if len(batches) == 1:
            return [await self._offer_all(*batches[0])]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._offer_all(room, events)) for room, events in batches if events]
        return [task.result() for task in tasks]

    async def _offer_all(self, room: Room, events: list[Any]) -> int:
        """A room's events one after the other, as they were said; returns how many the host took."""
        count = 0
        for event in events:
            _tell_replaced(room, event)
            for found in self._read(room, event):
                await self._offer(found)
                count += 1
        return count

    def _read(self, room: Room, event: Any) -> tuple[Event, ...]:
        plain = event
        if isinstance(event, dict) and event.get("type") == "m.room.encrypted":
            plain = self._decrypted(room, event)
            if plain is None:
                return ()
        parsed = parse(plain, room, self.account.me, self.account.memory)
        if parsed.dropped and parsed.dropped not in _QUIET:
            self.account.host.signal(_SIGNALS.get(parsed.dropped, "event_malformed"))
        return parsed.events

    def _decrypted(self, room: Room, event: Json) -> Json | None:
        """None where it cannot be read, which is noted; what we said ourselves needs no reading."""
        if event.get("sender") == self.account.me.user_id:
            self.account.host.signal("self_message")
            event_id, content = event.get("event_id"), event.get("content")
            if isinstance(event_id, str) and isinstance(content, dict):
                self.account.wrote(event_id, relation_of(content).thread)
            return None
        crypto = self.account.crypto
        if crypto is None:
            self.unread.put(room.id, event, "encryption is off or not installed")
            return None
        plain = crypto.decrypt(room.id, event)
        if plain is None:
            self.unread.put(room.id, event, "this device has not got the key")
        return plain

    async def _offer(self, event: Event) -> None:
        """Until there is room for it. Waiting here keeps the token back, so nothing is lost if the process ends."""
        host = self.account.host
        await insist(host, event, self.account.timing.full)
        if isinstance(event, Message) and host.refusal(event) is None:
            self.on_read(event)

    async def _typings(self, room: Room, part: Json, mark: str) -> None:
        """Whoever began to type since the last time; of no use later, so it is not offered twice."""
        for event in events_of(part, "ephemeral"):
            content = event.get("content") if isinstance(event, dict) else None
            if not isinstance(content, dict) or event.get("type") != "m.typing":
                continue
            users = content.get("user_ids")
            now = frozenset(
                user for user in (users if isinstance(users, list) else ()) if isinstance(user, str)
            )
            before = self._typing.pop(room.id, frozenset())
            if now:
                self._typing[room.id] = frozenset(sorted(now)[:_MAX_TYPING])
            for user in sorted(now - before - {self.account.me.user_id})[:_MAX_TYPING]:
                await self.account.host.accept(typing(room, user, self.account.me, mark))


async def insist(host: Host, event: Event, pause: float) -> None:
    """Offer an event until there is room for it."""
    while True:
        if await host.accept(event):
            return
        await asyncio.sleep(pause)


def _tell_replaced(room: Room, event: Any) -> None:
    """A room that was upgraded goes on under another id, which the lists of the settings do not know."""
    if isinstance(event, dict) and event.get("type") == "m.room.tombstone" and event.get("state_key") == "":
        content = event.get("content")
        new = content.get("replacement_room") if isinstance(content, dict) else None
        if isinstance(new, str):
            log.warning("room was replaced", channel="matrix", conversation=room.id, new_id=clean_name(new))


def _is_membership(event: Any) -> bool:
    return isinstance(event, dict) and event.get("type") == "m.room.member"
