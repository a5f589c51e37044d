"""People who ask, each one thing at a time, and what came of every question."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.channels.telegram.peer.client import Peer
from tests.mock_model.behaviour import MARKER

TWICE = 0.1
"""The share of messages that come a second time, as platforms do it."""


@dataclass(slots=True)
class Question:
    """One message, and what stands in its chat: `whole` answers, `told` that there is none.

    `copies`: messages that name it, whole or not.
    `in_doubt`: its answer may have been on its way when the process was killed or the platform's line was cut.
    """

    chat: int
    marker: str
    said: float
    whole: int = 0
    told: int = 0
    copies: int = 0
    in_doubt: bool = False

    @property
    def is_settled(self) -> bool:
        """Whether something stands there that ends it."""
        return self.whole + self.told > 0


@dataclass(slots=True)
class Crowd:
    """So many people, who ask at an even rate. `chance` is seeded."""

    peer: Peer
    people: range
    chance: random.Random
    clock: Callable[[], float] = time.monotonic
    questions: list[Question] = field(default_factory=list)
    doubts: set[str] = field(default_factory=set)
    crowded: int = 0
    twice: int = 0
    _open: dict[int, Question] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _told: dict[int, int] = field(default_factory=dict)

    async def ask(self, rate: float, until: Callable[[], bool]) -> None:
        """One question each 1/rate seconds, of somebody whose last one is settled."""
        due = self.clock()
        while not until():
            await self._one()
            due += 1 / rate
            await asyncio.sleep(max(0.0, due - self.clock()))

    async def _one(self) -> None:
        free = [chat for chat in self.people if chat not in self._open]
        if not free:
            self.crowded += 1
            return
        chat = self.chance.choice(free)
        question = Question(chat, f"qid{next(self._numbers)}q", self.clock())
        self.questions.append(question)
        self._open[chat] = question
        said = await self.peer.say(chat, f"{question.marker}: what do you say?")
        if self.chance.random() < TWICE:
            self.twice += 1
            await self.peer.update("message", said["payload"])

    def doubt(self, since: float | None = None) -> None:
        """Sends were cut off on their way: nobody can know whether what is open now was answered already.

        The same holds for whatever was asked `since`.
        """
        for each in self._open.values():
            each.in_doubt = True
        for each in reversed(self.questions):
            if since is None or each.said < since:
                return
            each.in_doubt = True

    async def watch(self, until: Callable[[], bool], every: float = 1.0) -> None:
        """Look into the chats that wait, again and again."""
        while not until():
            await self.look()
            await asyncio.sleep(every)

    async def look(self) -> None:
        """See which questions are settled by now."""
        if not self._open:
            return
        for found in await self.peer.control("chat", chats=list(self._open)):
            question = self._open[found["id"]]
            self._judge(question, found)
            if question.is_settled:
                del self._open[question.chat]

    async def settle(self, patience: float) -> None:
        """Wait until nothing is open, at most so long; then count everything once more, as it stands now."""
        end = self.clock() + patience
        while self._open and self.clock() < end:
            await self.look()
            await asyncio.sleep(1.0)
        by_chat: dict[int, list[Question]] = {}
        for each in self.questions:
            by_chat.setdefault(each.chat, []).append(each)
        for found in await self.peer.control("chat", chats=list(by_chat)):
            for each in by_chat[found["id"]]:
                each.whole = _whole(found, each.marker)
                each.copies = sum(each.marker in text for text in _ours(found))

    def _judge(self, question: Question, found: dict[str, Any]) -> None:
        question.whole = _whole(found, question.marker)
        # What broke off stands there with its marker, an answer that never came is told in words without one.
        ours = _ours(found)
        told = sum(not MARKER.search(text) for text in ours)
        cut = sum(question.marker in text for text in ours) - question.whole
        question.told = told - self._told.get(question.chat, 0) + cut
        if question.is_settled:
            self._told[question.chat] = told

    @property
    def lost(self) -> list[Question]:
        """Neither an answer nor a word of why there is none."""
        return [each for each in self.questions if not each.is_settled]

    @property
    def doubled(self) -> list[Question]:
        """Answered, whole or in part, more than once."""
        return [each for each in self.questions if each.copies > 1]

    @property
    def unexplained(self) -> list[Question]:
        """Doubled though nothing was cut off on its way, or more often than the daemon counted in that chat."""
        counted = Counter(json.loads(line)["conversation"].split(":")[2] for line in self.doubts)
        found: list[Question] = []
        for each in self.doubled:
            counted[str(each.chat)] -= each.copies - 1
            if not each.in_doubt or counted[str(each.chat)] < 0:
                found.append(each)
        return found


def _ours(found: dict[str, Any]) -> list[str]:
    return [message["text"] for message in found["messages"] if message["from_bot"]]


def _whole(found: dict[str, Any], marker: str) -> int:
    return sum(text.startswith(marker) and text.endswith(marker) for text in _ours(found))
