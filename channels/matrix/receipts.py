"""Read receipts: the last message of a conversation that was taken up, told to the people in it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

import structlog

from channels.errors import ChannelError, NotAuthorized
from channels.events import Message
from channels.matrix.account import Account
from channels.matrix.wire import path

log = structlog.get_logger()

_MAX_DUE = 1000


@dataclass(slots=True)
class Receipts:
    """One account's. Only the newest message of a conversation is told; a receipt that fails is not repeated."""

    account: Account
    _due: OrderedDict[tuple[str, str | None], str] = field(default_factory=OrderedDict)
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    def read(self, message: Message) -> None:
        """A message was taken up. Returns at once."""
        if not self.account.settings.read_receipts:
            return
        place = message.address.key.space, message.address.key.thread
        self._due[place] = message.message_id
        self._due.move_to_end(place)
        if len(self._due) > _MAX_DUE:
            self._due.popitem(last=False)
        self._came.set()

    async def run(self) -> None:
        """Tell them, until cancelled. Raises NotAuthorized."""
        while True:
            await self._came.wait()
            self._came.clear()
            while self._due:
                (room_id, thread), event_id = self._due.popitem(last=False)
                try:
                    await self._tell(room_id, thread, event_id)
                except NotAuthorized:
                    raise
                except ChannelError as error:
                    log.debug("receipt not sent", channel="matrix", reason=error.detail)
            await asyncio.sleep(self.account.timing.receipts)

    async def _tell(self, room_id: str, thread: str | None, event_id: str) -> None:
        wire, seconds = self.account.wire, self.account.timing.typing
        if thread is None:
            body = {"m.fully_read": event_id, "m.read": event_id}
            await wire.ask("POST", path("rooms", room_id, "read_markers"), body, seconds=seconds)
        elif thread != event_id:
            where = path("rooms", room_id, "receipt", "m.read", event_id)
            await wire.ask("POST", where, {"thread_id": thread}, seconds=seconds)
        else:
            # A thread's first message belongs to the room's own line (spec, Threaded read receipts).
            body = {"m.read": event_id}
            await wire.ask("POST", path("rooms", room_id, "read_markers"), body, seconds=seconds)
