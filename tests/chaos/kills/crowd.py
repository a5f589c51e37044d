"""People who talk to the bot on two channels at once, each in a place of their own, and what they said."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.channels.discord.peer import client as discord
from tests.channels.telegram.peer import client as telegram
from tests.mock_model.client import MockModel
from tests.story.conftest import speak

PAUSE = 3.2
"""Seconds that a person waits at least between two messages: what comes within 1.5 s would be answered as one."""

LENGTHS = {"brief": 3, "plain": 14, "long": 50, "huge": 650}
"""Words of an answer by the first word of its question. "huge" takes several messages on both channels."""

GAPS = {"brief": 0.0, "plain": 0.01, "long": 0.02, "huge": 0.001}


@dataclass(slots=True)
class Question:
    """`markers`: those of its text and of its corrections; the answer begins and ends with one of them."""

    kind: str
    markers: list[str]
    message: str
    at: float


@dataclass(slots=True)
class Room:
    """One person's place. `channel`: whose; `is_group`: others could read along. `commands`: how many were given.

    `was_stranger`: they were let in by a code.
    """

    channel: str
    id: str
    person: str
    is_group: bool = False
    was_stranger: bool = False
    questions: list[Question] = field(default_factory=list)
    commands: int = 0
    spoke_at: float = 0.0
    last: str = ""

    @property
    def keeps_keys(self) -> bool:
        """Whether the platform knows a repeated send by its key: class A."""
        return self.channel == "discord"


def answer_of(kind: str, marker: str) -> list[str]:
    """The words of a whole answer."""
    return [marker, *(f"word{number}" for number in range(1, LENGTHS[kind] - 1)), marker]


def rules() -> list[dict[str, object]]:
    """The script with which the model answers them."""
    return [{"match": kind, "count": LENGTHS[kind], "gap": GAPS[kind]} for kind in LENGTHS]


@dataclass
class Crowd:
    """Everybody. `live` lets them talk until it is cancelled; `ask` has somebody ask now.

    `waiting`: how many messages the store has that are not answered.
    """

    telegram: telegram.Peer
    discord: discord.Peer
    model: MockModel
    dice: random.Random
    waiting: Callable[[], int] = lambda: 0
    rooms: list[Room] = field(default_factory=list)
    said: int = 0

    async def gather(self, chats: int, groups: int, direct: int) -> None:
        """Rooms for so many people; the Discord users are made."""
        await self.discord.reset()
        for number in range(chats):
            self.rooms.append(Room("telegram", str(1001 + number), str(1001 + number)))
        for number in range(groups):
            self.rooms.append(Room("telegram", str(-2001 - number), str(3001 + number), is_group=True))
        for number in range(direct):
            user = await self.discord.add_user(f"person{number}")
            self.rooms.append(Room("discord", await self.discord.dm(user=user), user))

    async def greet(self) -> None:
        """Everybody says a first word, so that every place is known."""
        for room in self.rooms:
            await self.ask(room, "brief")

    async def live(self, pace: float) -> None:
        """Somebody says or corrects something, or an event comes twice, every `pace` seconds or so."""
        while True:
            await asyncio.sleep(self.dice.uniform(0.2, 1.8) * pace)
            room = self.idle()
            if room is None or self.waiting() > 2 * len(self.rooms):
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

    def idle(self, channel: str = "", *, is_group: bool | None = None) -> Room | None:
        """Of the places where nobody spoke just now the one where it was quiet for the longest time."""
        free = [
            each
            for each in self.rooms
            if channel in ("", each.channel)
            and is_group in (None, each.is_group)
            and time.monotonic() - each.spoke_at >= PAUSE
        ]
        return min(free, key=lambda each: each.spoke_at) if free else None

    async def quiet(self, channel: str, *, is_group: bool = False) -> Room:
        """The same; waits until there is one."""
        while (room := self.idle(channel, is_group=is_group)) is None:
            await asyncio.sleep(0.02)
        return room

    async def ask(self, room: Room, kind: str, marker: str = "") -> Question:
        """The person says something new there."""
        marker = marker or self.marker()
        room.spoke_at = time.monotonic()
        question = Question(kind, [marker], "", room.spoke_at)
        room.questions.append(question)
        question.message = await self._say(room, f"{kind} {marker}")
        return question

    async def command(self, room: Room) -> None:
        """The person gives a command, which is answered beside all else."""
        room.spoke_at = time.monotonic()
        room.commands += 1
        await self._say(room, "/ping")

    async def correct(self, room: Room) -> None:
        """The person corrects the last question."""
        question = room.questions[-1]
        question.markers.append(self.marker())
        text = f"{question.kind} {question.markers[-1]}"
        if room.channel == "discord":
            await self.discord.edit(question.message, text)
        else:
            await self.telegram.edit(int(room.id), int(question.message), text)

    async def repeat(self, room: Room) -> None:
        """The platform tells of the last message once more."""
        question = room.questions[-1]
        if room.channel == "discord":
            await self.discord.say_again(question.message)
        else:
            await self.telegram.control("again", chat=int(room.id), message_id=int(question.message))

    async def _say(self, room: Room, text: str) -> str:
        if room.channel == "discord":
            return await self.discord.say(text, channel=room.id, user=room.person)
        if room.is_group:
            said = await speak(self.telegram, int(room.id), text, int(room.person))
        else:
            said = await self.telegram.say(int(room.id), text)
        return str(said["message_id"])

    def marker(self) -> str:
        """What tells a question and its answer from all others."""
        self.said += 1
        return f"qid{self.said}q"
