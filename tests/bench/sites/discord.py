"""The fake Discord: DMs with as many people, or as many channels of a server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tests.bench.sites.base import Look, Said, State, Write
from tests.channels.discord.peer.client import Bot, Peer, start_peer

_TEXT = frozenset({"create_message", "edit_message"})
_SHOWN = _TEXT | {"typing", "delete_message"}


class Discord:
    """See sites.base.Site. Conversation n belongs to bot n modulo their number."""

    channel = "discord"

    def __init__(self, peer: Peer, bots: Sequence[Bot], *, is_guild: bool, more: dict[str, Any]) -> None:
        self._peer = peer
        self._bots = bots
        self._is_guild = is_guild
        self._more = more
        self._rooms: list[tuple[str, str]] = []  # (channel, the person who writes there)

    @property
    def places(self) -> int:
        """See sites.base.Site."""
        return len(self._rooms)

    async def furnish(self, places: int) -> None:
        """Make the conversations."""
        for number in range(places):
            if self._is_guild:
                self._rooms.append((await self._peer.add_channel(f"bench-{number}"), self._peer.person))
            else:
                person = await self._peer.add_user(f"person{number}")
                self._rooms.append((await self._peer.dm(user=person, bot=self._bot(number)), person))

    def accounts(self) -> dict[str, Any]:
        """See sites.base.Site."""
        base = {
            "apiBase": self._peer.api_url,
            "gateway": self._peer.gateway_url,
            "allow": ["*"],
            "stopLoops": False,  # its people are programs
            "groups": ["*"],
        }
        return {f"bot{at}": {**base, "token": bot.token, **self._more} for at, bot in enumerate(self._bots)}

    async def connected(self) -> None:
        """See sites.base.Site."""
        for bot in self._bots:
            await self._peer.wait(timeout=60, connected=True, bot=bot.id)

    async def say(self, items: Sequence[tuple[int, str]]) -> None:
        """See sites.base.Site."""
        said = []
        for place, text in items:
            room, person = self._rooms[place]
            words = f"{self._peer.mention(self._bot(place))} {text}" if self._is_guild else text
            said.append({"channel": room, "user": person, "content": words})
        await self._peer.say_all(said)

    async def look(self, places: Sequence[int]) -> list[Look]:
        """See sites.base.Site."""
        rooms = [self._rooms[place][0] for place in places]
        return [_look(room) for room in await self._peer.control("channel", channels=rooms)]

    async def writes(self) -> list[Write]:
        """See sites.base.Site."""
        calls = await self._peer.calls(" ".join(sorted(_SHOWN)))
        return [Write(call["at"], call["name"] in _TEXT, call["status"]) for call in calls]

    def _bot(self, place: int) -> Bot:
        return self._bots[place % len(self._bots)]


def _look(room: dict[str, Any]) -> Look:
    said, states = [], []
    for message in room["messages"]:
        if message["from_bot"]:
            states += [State(at, text) for at, text in message["history"]]
        else:
            said += [Said(at, text) for at, text in message["history"][:1]]
    return Look(tuple(said), tuple(sorted(states, key=lambda one: one.at)))


@asynccontextmanager
async def open_discord(
    places: int, *, is_guild: bool = False, keeps_limits: bool = True, bots: int = 1, **more: Any
) -> AsyncIterator[Discord]:
    """`more`: further settings of the accounts, as in config.json. At most two bots."""
    async with start_peer() as peer:
        if not keeps_limits:
            await peer.limits(enabled=False)
        site = Discord(peer, peer.bots[:bots], is_guild=is_guild, more=more)
        await site.furnish(places)
        yield site
