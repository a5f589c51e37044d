"""People who write to the bot, and what became of each of their messages."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.bench.rig import Rig
from tests.mock_model.behaviour import MARKER

WATCH_SECONDS = 0.005
_SHOWS = frozenset({"sendmessage", "editmessagetext", "sendmessagedraft"})


@dataclass(slots=True)
class Fate:
    """One message's times on the machine's monotonic clock; None: it has not happened."""

    marker: str
    chat: int
    offered: float
    asked: float | None = None
    first_sent: float | None = None
    last_sent: float | None = None
    first_visible: float | None = None
    complete: float | None = None

    @property
    def inbound(self) -> float | None:
        """Update offered -> request at the model."""
        return _gap(self.offered, self.asked)

    @property
    def first(self) -> float | None:
        """First token sent -> first visible text."""
        return _gap(self.first_sent, self.first_visible)

    @property
    def tail(self) -> float | None:
        """Last token sent -> complete text in a message that stays."""
        return _gap(self.last_sent, self.complete)

    @property
    def added(self) -> float | None:
        """All that the bot added to the model's own time."""
        return None if self.inbound is None or self.tail is None else self.inbound + self.tail


def _gap(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start


@dataclass(slots=True)
class Talk:
    """The conversations of one row."""

    rig: Rig
    fates: dict[str, Fate] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _since: int = 0

    async def say(self, chats: Iterable[int], words: str = "tell me about") -> list[Fate]:
        """One short message in each chat, offered to the bot at once."""
        marked = [(chat, f"qid{next(self._numbers)}q") for chat in chats]
        items = [{"chat": chat, "text": f"{words} {marker}"} for chat, marker in marked]
        said = await self.rig.telegram.say_all(items)
        made = [Fate(marker, chat, one["at"]) for (chat, marker), one in zip(marked, said, strict=True)]
        self.fates.update((one.marker, one) for one in made)
        return made

    async def watch(self) -> list[Fate]:
        """Read the calls since the last time; the fates that became complete."""
        calls = await self.rig.telegram.calls(since=self._since)
        done = []
        for call in calls:
            if not call["status"] and call["method"] != "getupdates":
                break  # still being carried out; seen next time (a poll may be held for long)
            self._since = call["seq"]
            if call["method"] in _SHOWS and call["status"] == 200:
                found = show(self.fates, call["args"].get("text", ""), call["done"], call["method"])
                if found is not None:
                    done.append(found)
        return done

    async def until_complete(self, fates: Iterable[Fate], timeout: float) -> int:
        """Watch until all are complete or the time is over; how many are not."""
        open_ones = {one.marker for one in fates if one.complete is None}
        deadline = time.monotonic() + timeout
        while open_ones and time.monotonic() < deadline:
            open_ones -= {one.marker for one in await self.watch()}
            if open_ones:
                await asyncio.sleep(WATCH_SECONDS)
        return len(open_ones)

    async def read_chats(self, patience: float) -> int:
        """The same from what stands in the chats (a lean server keeps no calls); how many are missing.

        Gives up when nothing has become complete for `patience` seconds.
        """
        deadline, before = time.monotonic() + patience, len(self.fates) + 1
        while True:
            missing = [one for one in self.fates.values() if one.complete is None]
            for batch in _batches(missing):
                chats = [one.chat for one in batch]
                for chat in await self.rig.telegram.control("chat", chats=chats):
                    read_chat(self.fates, chat)
            left = sum(one.complete is None for one in missing)
            if left < before:
                deadline, before = time.monotonic() + patience, left
            if not left or time.monotonic() > deadline:
                return left
            await asyncio.sleep(1.0)  # between two looks: they cost the peers' core a lot

    def ask_model(self) -> None:
        """Fill in what the model saw."""
        for marker, asked, first, last, _ in self.rig.model.marks():
            fate = self.fates.get(marker)
            if fate is not None:
                fate.asked, fate.first_sent, fate.last_sent = asked, first, last


def show(fates: dict[str, Fate], text: str, at: float, method: str) -> Fate | None:
    """Note a text that became visible; the fate that became complete by it."""
    markers = MARKER.findall(text)
    fate = fates.get(markers[0]) if markers else None
    if fate is None:
        return None
    if fate.first_visible is None:
        fate.first_visible = at
    if len(markers) > 1 and method != "sendmessagedraft" and fate.complete is None:
        fate.complete = at
        return fate
    return None


def read_chat(fates: dict[str, Fate], chat: dict[str, Any]) -> None:
    """Note what a chat shows and has shown: previews, and the states of the bot's messages."""
    states = [(at, text, "sendmessagedraft") for at, _, text in chat["draft_log"]]
    for message in chat["messages"]:
        if message["from_bot"]:
            states += [(at, text, "sendmessage") for at, text in message["history"]]
    for at, text, method in sorted(states):
        show(fates, text, at, method)


def _batches(fates: list[Fate]) -> Iterator[list[Fate]]:
    for at in range(0, len(fates), 500):
        yield fates[at : at + 500]


def quantile(values: Iterable[float | None], part: float) -> float | None:
    """The quantile of what is there; None when nothing is."""
    there = sorted(value for value in values if value is not None)
    if not there:
        return None
    return there[min(len(there) - 1, int(part * len(there)))]
