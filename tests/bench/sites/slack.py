"""The fake Slack: one or more conversations in each of several workspaces, whose limits are the workspace's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tests.bench.sites.base import Look, Said, State, Write
from tests.channels.slack.peer.client import Peer, start_peer

_TEXT = frozenset(
    {"chat.postMessage", "chat.update", "chat.startStream", "chat.appendStream", "chat.stopStream"}
)
_SHOWN = _TEXT | {"chat.delete", "assistant.threads.setStatus"}


class Slack:
    """See sites.base.Site. Conversation n is in workspace n modulo their number."""

    channel = "slack"

    def __init__(self, spaces: Sequence[Peer], places: int, *, is_direct: bool, more: dict[str, Any]) -> None:
        self._spaces = spaces
        self.places = places
        self._is_direct = is_direct
        self._more = more

    def accounts(self) -> dict[str, Any]:
        """See sites.base.Site."""
        return {
            f"space{at}": {
                "botToken": space.bot_token,
                "appToken": space.app_token,
                "apiBase": space.base_url,
                "allow": ["*"],
                "stopLoops": False,  # its people are programs
                "groups": ["*"],
                **self._more,
            }
            for at, space in enumerate(self._spaces)
        }

    async def connected(self) -> None:
        """See sites.base.Site."""
        for space in self._spaces:
            await space.wait(timeout=60, sockets=1)

    async def say(self, items: Sequence[tuple[int, str]]) -> None:
        """See sites.base.Site."""
        for space, places in self._by_space([place for place, _ in items]):
            texts = {place: text for place, text in items if place in places}
            mention = "" if self._is_direct else f"<@{space.bot_user}> "
            said = [
                {"channel": self._room(place), "text": mention + text, "user": _person(place)}
                for place, text in texts.items()
            ]
            await space.say_all(said)

    async def look(self, places: Sequence[int]) -> list[Look]:
        """See sites.base.Site."""
        found: dict[int, Look] = {}
        for space, there in self._by_space(places):
            rooms = await space.control("channel", channels=[self._room(place) for place in there])
            found |= {place: _look(room) for place, room in zip(there, rooms, strict=True)}
        return [found[place] for place in places]

    async def writes(self) -> list[Write]:
        """See sites.base.Site."""
        calls = [call for space in self._spaces for call in await space.calls()]
        return [
            Write(call["at"], call["method"] in _TEXT, call["status"])
            for call in calls
            if call["method"] in _SHOWN
        ]

    def _by_space(self, places: Sequence[int]) -> list[tuple[Peer, list[int]]]:
        found: dict[int, list[int]] = {}
        for place in places:
            found.setdefault(place % len(self._spaces), []).append(place)
        return [(self._spaces[at], there) for at, there in found.items()]

    def _room(self, place: int) -> str:
        return f"{'D' if self._is_direct else 'C'}0BENCH{place:04}"


def _person(place: int) -> str:
    return f"U0BENCH{place:04}"


def _look(room: dict[str, Any]) -> Look:
    said, states = [], []
    for message in room["messages"]:
        if message["from_bot"]:
            states += [State(at, text) for at, text in message["history"]]
        else:
            said += [Said(at, text) for at, text in message["history"][:1]]
    return Look(tuple(said), tuple(sorted(states, key=lambda one: one.at)))


@asynccontextmanager
async def open_slack(
    places: int, *, spaces: int, is_direct: bool = False, keeps_limits: bool = True, **more: Any
) -> AsyncIterator[Slack]:
    """`more`: further settings of the accounts, as in config.json."""
    flags = ["--workspaces", str(spaces)] + ([] if keeps_limits else ["--no-limits"])
    async with start_peer(*flags) as peer:
        yield Slack([peer.other(at) for at in range(spaces)], places, is_direct=is_direct, more=more)
