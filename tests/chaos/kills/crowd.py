"""People who talk to the bot on three channels at once, each in a place of their own, and what they said."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field

from tests.chaos.kills.rooms import Question, Room, Size
from tests.chaos.kills.sides import Side
from tests.mock_model.client import MockModel

PAUSE = 3.2
"""Seconds that a person waits at least between two messages: what comes within 1.5 s would be answered as one."""

PATIENCE = 4.0
"""Seconds that a named moment waits for a place where nothing is left to be answered, which would come before it."""


@dataclass
class Crowd:
    """Everybody. `live` lets them talk until `is_over`; `ask` has somebody ask now.

    `waiting`: how many messages the store has that are not answered, in each place.
    """

    sides: Mapping[str, Side]
    model: MockModel
    dice: random.Random
    waiting: Callable[[], Counter[str]] = Counter
    rooms: list[Room] = field(default_factory=list)
    said: int = 0
    is_over: asyncio.Event = field(default_factory=asyncio.Event)

    async def gather(self, size: Size) -> None:
        """Rooms for so many people."""
        for side in self.sides.values():
            self.rooms.extend(await side.gather(size))

    async def greet(self) -> None:
        """Everybody says a first word, so that every place is known."""
        for room in self.rooms:
            await self.ask(room, "brief")

    async def live(self, pace: float) -> None:
        """Somebody says or corrects something, or an event comes twice, every `pace` seconds or so.

        It ends between two of these: who is cut off while speaking does not know by which name it was heard.
        """
        while not self.is_over.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.dice.uniform(0.2, 1.8) * pace):
                    await self.is_over.wait()
            room = self.idle()
            if self.is_over.is_set() or room is None or self.waiting().total() > 2 * len(self.rooms):
                continue
            chance = self.dice.random()
            if chance < 0.12 and room.questions and not room.is_group:
                await self.correct(room)
            elif chance < 0.24 and room.questions:
                await self.repeat(room)
            elif chance < 0.3:
                await self.command(room)
            else:
                kind = self.dice.choice(("brief", "plain", "plain", "long", "huge"))
                await self.ask(room, kind)

    def idle(
        self, channel: str = "", *, is_group: bool | None = None, besides: Container[str] = ()
    ) -> Room | None:
        """Of the places where nobody spoke just now the one where it was quiet for the longest time."""
        free = [
            each
            for each in self.rooms
            if channel in ("", each.channel)
            and is_group in (None, each.is_group)
            and time.monotonic() - each.spoke_at >= PAUSE
            and each.place not in besides
        ]
        return min(free, key=lambda each: each.spoke_at) if free else None

    async def quiet(self, channel: str, *, is_group: bool = False) -> Room:
        """The same; waits until there is one, and for a while for one where everything is answered."""
        patience = time.monotonic() + PATIENCE
        while True:
            waiting = self.waiting() if time.monotonic() < patience else ()
            if (room := self.idle(channel, is_group=is_group, besides=waiting)) is not None:
                return room
            await asyncio.sleep(0.05)

    async def ask(self, room: Room, kind: str, marker: str = "") -> Question:
        """The person says something new there."""
        marker = marker or self.marker()
        room.spoke_at = time.monotonic()
        question = Question(kind, [marker], "", room.spoke_at)
        room.questions.append(question)
        question.message = await self.sides[room.channel].say(room, f"{kind} {marker}")
        return question

    async def command(self, room: Room) -> None:
        """The person gives a command, which is answered beside all else."""
        room.spoke_at = time.monotonic()
        room.commands += 1
        await self.sides[room.channel].say(room, self.sides[room.channel].ping)

    async def correct(self, room: Room) -> None:
        """The person corrects the last question."""
        question = room.questions[-1]
        question.markers.append(self.marker())
        text = f"{question.kind} {question.markers[-1]}"
        await self.sides[room.channel].edit(room, question.message, text)

    async def repeat(self, room: Room) -> None:
        """The platform tells of the last message once more."""
        await self.sides[room.channel].again(room, room.questions[-1].message)

    def marker(self) -> str:
        """What tells a question and its answer from all others."""
        self.said += 1
        return f"qid{self.said}q"
