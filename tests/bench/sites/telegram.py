"""The fake Bot API server: private chats or groups, each with limits of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tests.bench.sites.base import Look, Said, State, Write
from tests.channels.telegram.peer.client import Peer, start_peer

FIRST_CHAT = 5_000_000
FIRST_GROUP = -1_001_000_000_000
PERSON = 4711
_LISTENING = frozenset({"getupdates", "getme", "deletewebhook", "setmycommands", "setwebhook"})


class Telegram:
    """See sites.base.Site."""

    channel = "telegram"

    def __init__(self, peer: Peer, places: int, *, name: str, is_group: bool, more: dict[str, Any]) -> None:
        self._peer = peer
        self.places = places
        self._is_group = is_group
        self._mention = f"@{name} " if is_group else ""
        self._more = more

    def accounts(self) -> dict[str, Any]:
        """See sites.base.Site."""
        account = {
            "token": self._peer.token,
            "baseUrl": f"{self._peer.base_url}/bot",
            "allow": ["*"],
            "stopLoops": False,  # its people are programs
            "groups": ["*"],
        }
        return {"main": account | self._more}

    async def connected(self) -> None:
        """See sites.base.Site."""
        await self._peer.wait(timeout=60, holding=True)

    async def say(self, items: Sequence[tuple[int, str]]) -> None:
        """See sites.base.Site."""
        more: dict[str, Any] = {}
        if self._mention:
            entity = {"type": "mention", "offset": 0, "length": len(self._mention) - 1}
            more = {"user": PERSON, "entities": [entity]}
        await self._peer.say_all(
            [{"chat": self._chat(place), "text": self._mention + text, **more} for place, text in items]
        )

    async def look(self, places: Sequence[int]) -> list[Look]:
        """See sites.base.Site."""
        found = await self._peer.control("chat", chats=[self._chat(place) for place in places])
        return [_look(chat) for chat in found]

    async def writes(self) -> list[Write]:
        """See sites.base.Site."""
        return [
            Write(call["at"], call["method"] != "sendchataction", call["status"])
            for call in await self._peer.calls()
            if call["method"] not in _LISTENING
        ]

    def _chat(self, place: int) -> int:
        return FIRST_GROUP - place if self._is_group else FIRST_CHAT + place


def _look(chat: dict[str, Any]) -> Look:
    said, states = [], [State(at, text, stays=False) for at, _, text in chat["draft_log"]]
    for message in chat["messages"]:
        if message["from_bot"]:
            states += [State(at, text) for at, text in message["history"]]
        else:
            said += [Said(at, text) for at, text in message["history"][:1]]
    return Look(tuple(said), tuple(sorted(states, key=lambda one: one.at)))


@asynccontextmanager
async def open_telegram(
    places: int, *, is_group: bool = False, keeps_limits: bool = True, **more: Any
) -> AsyncIterator[Telegram]:
    """`more`: further settings of the account, as in config.json."""
    flags = [] if keeps_limits else ["--no-flood"]
    if not keeps_limits:
        more = {"limits": "none", **more}
    async with start_peer(*flags) as peer:
        name = (await peer.state())["user"]["username"]
        yield Telegram(peer, places, name=name, is_group=is_group, more=more)
