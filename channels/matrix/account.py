"""What the parts of one running account share: who it is, its rooms, its way out. No account shares it with another."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from channels.base import Host
from channels.errors import Gone, GoneWhat, RateLimited, Refused, Unavailable
from channels.matrix.limits import SCOPE, Offers
from channels.matrix.memory import Author, Memory
from channels.matrix.parse import Me
from channels.matrix.rooms import JOINED, Rooms
from channels.matrix.settings import MatrixSettings
from channels.matrix.timing import Timing
from channels.matrix.wire import Wire, path

if TYPE_CHECKING:
    from channels.matrix.crypto import Crypto

Json = dict[str, Any]


@dataclass(slots=True)
class Account:
    """`is_ready`: signed in, and the rooms are known; before that nothing is written, as it might be in clear."""

    settings: MatrixSettings
    host: Host
    wire: Wire
    timing: Timing
    me: Me
    offers: Offers
    rooms: Rooms
    memory: Memory = field(default_factory=Memory)
    crypto: Crypto | None = None
    is_ready: bool = False

    def check_ready(self) -> None:
        """Raises Unavailable while the account is not connected; nothing goes out before."""
        if not self.is_ready:
            raise Unavailable("not connected yet")

    async def put(self, room_id: str, kind: str, txn: str, content: Json, seconds: float) -> str:
        """Write an event into a room, encrypted where the room is; returns its id. Raises ChannelError."""
        try:
            async with asyncio.timeout(seconds + self.timing.keys):
                answer = await self._put(room_id, kind, txn, content, seconds)
        except TimeoutError:
            raise Unavailable("no answer in time", maybe_sent=True) from None
        event_id = answer.get("event_id")
        if not isinstance(event_id, str) or not event_id:
            raise Unavailable("the homeserver's answer names no event", maybe_sent=True)
        return event_id

    async def _put(self, room_id: str, kind: str, txn: str, content: Json, seconds: float) -> Json:
        if await self.is_encrypted(room_id):
            if self.crypto is None:
                raise Refused(
                    "encryption_off", "the room is encrypted and encryption is off or not installed"
                )
            content = await self.crypto.encrypt(room_id, kind, content)
            kind = "m.room.encrypted"
        try:
            return await self.write("PUT", path("rooms", room_id, "send", kind, txn), content, seconds)
        except Refused as error:
            room = self.rooms.get(room_id)
            if error.code == "forbidden" and room is not None and room.own != JOINED:
                raise Gone(GoneWhat.CONVERSATION, "the bot is not in the room") from None
            raise

    async def write(self, method: str, where: str, body: Json, seconds: float) -> Json:
        """A call that counts as a write. Raises ChannelError, and learns from RateLimited."""
        self.check_ready()
        try:
            return await self.wire.ask(method, where, body, seconds=seconds, scope=SCOPE, is_write=True)
        except RateLimited as error:
            self.host.signal("rate_limited")
            if self.offers.refused(error.retry_after):
                await self.host.set_cursor("pace", f"{self.settings.writes_per_second}:{self.offers.rate}")
            raise

    async def is_encrypted(self, room_id: str) -> bool:
        """Whether events in that room have to be encrypted; asks the homeserver where we have not heard of the room."""
        self.check_ready()
        room = self.rooms.get(room_id)
        if room is not None and (room.own == JOINED or room.is_encrypted):
            return room.is_encrypted
        try:
            where = path("rooms", room_id, "state", "m.room.encryption")
            await self.wire.ask("GET", where, seconds=self.timing.ask)
        except Gone as error:
            if error.detail == "not found":
                return False
            raise
        except Refused as error:
            raise Gone(GoneWhat.CONVERSATION, error.detail) from None
        self.rooms.room(room_id).is_encrypted = True
        return True

    def wrote(self, event_id: str, thread: str | None) -> None:
        """Remember our own message, so that an answer to it is known as one."""
        self.memory.authors.put(event_id, Author(self.me.user_id, thread))
