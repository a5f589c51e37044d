"""A real Synapse behind a relay: one account of the bot for each conversation, as limits are the account's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tests.bench.sites.base import Look, Said, State, Write
from tests.channels.matrix.peer.api import Api
from tests.channels.matrix.peer.home import Account, open_home
from tests.channels.matrix.peer.person import Person
from tests.channels.matrix.peer.relay import Relay, Request, open_relay
from tests.channels.matrix.peer.server import open_synapse


@dataclass(slots=True)
class _Room:
    id: str
    bot: Account
    person: Person
    said: list[Said] = field(default_factory=list)


class Matrix:
    """See sites.base.Site."""

    channel = "matrix"

    def __init__(self, relay: Relay, rooms: Sequence[_Room], more: dict[str, Any]) -> None:
        self._relay = relay
        self._rooms = rooms
        self._more = more

    @property
    def places(self) -> int:
        """See sites.base.Site."""
        return len(self._rooms)

    def accounts(self) -> dict[str, Any]:
        """See sites.base.Site."""
        return {
            f"bot{at}": {
                "homeserver": self._relay.url,
                "userId": room.bot.id,
                "accessToken": room.bot.token,
                "allow": ["*"],
                "stopLoops": False,  # its people are programs
                "groups": ["*"],
                **self._more,
            }
            for at, room in enumerate(self._rooms)
        }

    async def connected(self) -> None:
        """See sites.base.Site. A sync with a token is held for each account."""

        def follow() -> int:
            requests = self._relay.requests
            return sum(one.path.endswith("/sync") and "since" in one.query for one in requests)

        while follow() < len(self._rooms):
            await asyncio.sleep(0.02)  # the relay tells of answered requests only

    async def say(self, items: Sequence[tuple[int, str]]) -> None:
        """See sites.base.Site."""
        for place, text in items:
            room = self._rooms[place]
            await room.person.say(room.id, text)
            room.said.append(Said(time.monotonic(), text))

    async def look(self, places: Sequence[int]) -> list[Look]:
        """See sites.base.Site."""
        states: dict[str, list[State]] = {}
        for request in self._relay.sent():
            if request.status == 200 and request.done is not None:
                content = request.body.get("m.new_content") or request.body
                shown = State(request.done, str(content.get("body", "")), sent=request.at)
                states.setdefault(_room_of(request), []).append(shown)
        rooms = [self._rooms[place] for place in places]
        return [Look(tuple(room.said), tuple(states.get(room.id, ()))) for room in rooms]

    async def writes(self) -> list[Write]:
        """See sites.base.Site."""
        return [
            Write(one.at, one.is_send, one.status or 0) for one in self._relay.requests if one.method != "GET"
        ]


def _room_of(request: Request) -> str:
    return unquote(request.path.partition("/rooms/")[2].partition("/")[0])


@asynccontextmanager
async def open_matrix(places: int, *, keeps_limits: bool = True, **more: Any) -> AsyncIterator[Matrix]:
    """`keeps_limits`: the accounts are limited as on a server that nobody configured; else not at all."""
    with open_synapse() as synapse:
        async with open_home(synapse) as home, open_relay(home.url) as relay:
            rooms = []
            for _ in range(places):
                bot, person = await home.bot(is_limited=keeps_limits), await home.person()
                room = await person.create_room(bot.id, is_direct=True)
                registered = {"user_id": bot.id, "device_id": bot.device, "access_token": bot.token}
                await Person(Api(home.session, home.url, bot.token), registered).join(room)
                rooms.append(_Room(room, bot, person))
            yield Matrix(relay, rooms, more)
