"""Albums: their parts come as updates of their own and become one message.

Telegram does not say how many parts there are, so an album is taken to be whole when none has come for a moment, or
when something else is said in its conversation. Until then its parts are kept in a cursor of the host: each may be
confirmed to Telegram as soon as it is there (a webhook gets the next one only then), and none is lost in a crash.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from channels.base import Host
from channels.events import Message, MessageEdited
from channels.telegram.timing import Timing

# Bot API docs, sendMediaGroup: 2-10 items; more are taken as they come.
MAX_PARTS = 20
# Albums that are open at once; beyond it the oldest is taken to be whole.
MAX_OPEN = 100
# Albums whose late or repeated parts are still known as such.
_REMEMBERED = 50
CURSOR = "albums"

# An update, as it came, to the message in it; None where there is none.
Read = Callable[[Any], Message | None]


def merged(parts: Sequence[Message]) -> Message:
    """One message out of an album's parts: all files, all captions, known by its first part. Pure."""
    ordered = sorted(parts, key=lambda part: int(part.message_id))
    return replace(
        ordered[0],
        text="\n".join(part.text for part in ordered if part.text),
        attachments=tuple(one for part in ordered for one in part.attachments),
        addressed=any(part.addressed for part in ordered),
    )


@dataclass(slots=True)
class _Album:
    """One that is still open. `updates`: its parts as they came, by message id."""

    begun: float
    due: float
    parts: dict[str, Message] = field(default_factory=dict)
    updates: dict[str, Any] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Albums:
    """The albums of one account. `clock` gives seconds."""

    def __init__(self, host: Host, read: Read, timing: Timing, clock: Callable[[], float]) -> None:
        self._host = host
        self._read = read
        self._timing = timing
        self._clock = clock
        self._open: OrderedDict[str, _Album] = OrderedDict()
        self._whole: OrderedDict[str, list[str]] = OrderedDict()
        self._came = asyncio.Event()
        self._writing = asyncio.Lock()

    async def restore(self) -> None:
        """Take up what an earlier life of the process left."""
        stored = await self._host.cursor(CURSOR)
        try:
            found = orjson.loads(stored or "{}")
            kept = [(str(group), update) for group, update in found.get("open", ())]
            whole = {str(group): [str(one) for one in ids] for group, ids in found.get("whole", ())}
        except (ValueError, TypeError, AttributeError):
            return
        self._whole.update(whole)
        for group, update in kept:
            message = self._read(update)
            if message is not None:
                self._put(group, message, update)

    async def add(self, group: str, message: Message, update: Any) -> bool:
        """Keep a part; True when it is durable. A late part of an album that was taken is a message of its own."""
        known = self._whole.get(group)
        if known is not None:
            return message.message_id in known or await self._host.accept(message)
        if group not in self._open and len(self._open) >= 2 * MAX_OPEN:
            return False
        self._put(group, message, update)
        album = self._open[group]
        if len(self._open) > MAX_OPEN:
            await self._close(next(iter(self._open)))
        if len(album.parts) >= MAX_PARTS:
            return await self._close(group)
        await self._store()
        return True

    async def edited(self, group: str, event: MessageEdited, update: Any) -> bool:
        """A caption was changed: in an open album, or of one that the host knows by its first part."""
        album = self._open.get(group)
        if album is not None and event.message_id in album.parts:
            message = {**update.get("edited_message", {})}
            album.parts[event.message_id] = replace(album.parts[event.message_id], text=event.text)
            album.updates[event.message_id] = {"update_id": update.get("update_id"), "message": message}
            await self._store()
            return True
        known = self._whole.get(group)
        if known and event.message_id in known:
            event = replace(event, message_id=known[0])
        return await self._host.accept(event)

    async def settle(self, conversation: str) -> bool:
        """Before something else is said in a conversation: what is open there is whole. False: no room for it."""
        if not self._open:
            return True
        groups = [
            group
            for group, album in self._open.items()
            if any(str(part.address.key) == conversation for part in album.parts.values())
        ]
        for group in groups:
            if not await self._close(group):
                return False
        return True

    async def run(self) -> None:
        """Hand over what has become whole; until cancelled."""
        while True:
            if not self._open:
                self._came.clear()
                await self._came.wait()
                continue
            group, album = min(self._open.items(), key=lambda item: item[1].due)
            wait = album.due - self._clock()
            if wait > 0:
                await asyncio.sleep(wait)
            elif not await self._close(group):
                album.due = self._clock() + self._timing.full

    def _put(self, group: str, message: Message, update: Any) -> None:
        now = self._clock()
        album = self._open.get(group)
        if album is None:
            album = self._open[group] = _Album(now, now)
        if message.message_id not in album.parts:
            album.due = min(now + self._timing.album_quiet, album.begun + self._timing.album_longest)
        album.parts[message.message_id] = message
        album.updates[message.message_id] = update
        self._came.set()

    async def _close(self, group: str) -> bool:
        """Hand the album over, once; True when that is done, now or before."""
        album = self._open.get(group)
        if album is None:
            return True
        async with album.lock:
            if self._open.get(group) is not album:
                return True
            handed = sorted(album.parts, key=int)
            if not await self._host.accept(merged([album.parts[one] for one in handed])):
                return False
            late = [one for one in album.parts if one not in handed]
            del self._open[group]
            self._whole[group] = handed
            while len(self._whole) > _REMEMBERED:
                self._whole.popitem(last=False)
            for one in late:  # came while the host was busy with the others
                self._put(f"{group}+{one}", album.parts[one], album.updates[one])
        await self._store()
        return True

    async def _store(self) -> None:
        """What is open and what was whole, durable when this returns."""
        async with self._writing:
            opened = [[group, one] for group, album in self._open.items() for one in album.updates.values()]
            whole = [[group, ids] for group, ids in self._whole.items()]
            await self._host.set_cursor(CURSOR, orjson.dumps({"open": opened, "whole": whole}).decode())
