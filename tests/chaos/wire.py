"""Between the process and what people see: the platform remembers everything, the way to it loses, delays and doubles.

What is on its way when the process dies, or hangs up, arrives at that moment or never.
"""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from channels.base import Host
from channels.capabilities import Capabilities
from channels.errors import ChannelError, RateLimited, Unavailable
from channels.events import Action, Address, Event, Sent
from channels.fake import FakeChannel
from tests.chaos.fate import Fate
from tests.chaos.life import Life, Point

_ABILITIES = (
    "edit", "delete", "typing", "start_stream", "update_stream", "finish_stream", "read_back", "show_note",
)  # fmt: skip
_SENDS = frozenset({"send", "start_stream", "finish_stream"})


@dataclass(slots=True)
class Offer:
    """An event that the platform has for the bot. `taken_at`, `taken_in`: when, and in which life, it was first taken."""

    event: Event
    at: float
    room: str
    taken_at: float | None = None
    taken_in: int | None = None
    is_confirmed: bool = False
    again: int = 0


@dataclass(frozen=True, slots=True)
class Write:
    """A send that took effect. `known_at`: when the process was told, None where it never was."""

    send_key: str
    message_id: str
    at: float
    life: int
    known_at: float | None


@dataclass
class Platform:
    """The truth: what people see, what they said, what arrived."""

    fate: Fate
    truth: FakeChannel
    feed: list[Offer] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, event: Event, now: float) -> Offer:
        """Something happened there."""
        offer = Offer(event, now, event.address.key.space)
        self.feed.append(offer)
        self.news.set()
        return offer

    def open_offers(self) -> list[Offer]:
        """What the bot has not confirmed, or will be told once more."""
        return [each for each in self.feed if not each.is_confirmed or each.again]


class ChaosChannel:
    """The adapter within one life."""

    def __init__(self, platform: Platform, life: Life, dice: random.Random, *, is_calm: bool) -> None:
        self.host: Host | None = None
        self.platform = platform
        self.life = life
        self.dice = dice
        self._faults = 0.0 if is_calm else platform.fate.wire_faults
        self._is_calm = is_calm
        for name in _ABILITIES:
            if hasattr(platform.truth, name):
                setattr(self, name, functools.partial(self.call, name))

    @property
    def name(self) -> str:
        """See Channel."""
        return "fake"

    @property
    def account(self) -> str:
        """See Channel."""
        return "main"

    def capabilities(self, address: Address) -> Capabilities:
        """See Channel."""
        return self.platform.fate.capabilities

    async def send(
        self, address: Address, text: str, send_key: str, *, actions: Sequence[Action] | None = None
    ) -> Sent:
        """See Channel."""
        sent: Sent = await self.call("send", address, text, send_key, actions=actions)
        return sent

    # What goes out.

    async def call(self, name: str, *args: Any, **more: Any) -> Any:
        """One call over the wire."""
        if not self.life.is_alive:
            raise asyncio.CancelledError
        latency = self.platform.fate.latency
        there, back = latency * self.dice.uniform(0.5, 3), latency * self.dice.uniform(0.5, 3)
        arrives_when_cut, trouble = self.dice.random() < 0.5, self.dice.random()
        kind = self.dice.choice(("refused", "lost", "lost", "limited", "slow"))
        is_bad = trouble < self._faults
        try:
            await asyncio.sleep(
                there + (70 if is_bad and kind == "slow" and trouble < self._faults / 5 else 0)
            )
        except asyncio.CancelledError:
            if arrives_when_cut and not is_bad:
                self._arrive(name, args, more, None)
            raise
        if is_bad and kind == "refused":
            raise Unavailable("connection refused")
        if is_bad and kind == "limited":
            raise RateLimited(self.dice.choice((0.5, 3.0, 20.0)))
        is_lost = is_bad and kind == "lost"
        given = self._arrive(name, args, more, None if is_lost else self.life.loop.time() + back)
        self.life.passes(Point.SENT)
        await asyncio.sleep(back)
        if is_lost:
            raise Unavailable("the answer did not come", maybe_sent=True)
        return given

    def _arrive(self, name: str, args: Any, more: Any, known_at: float | None) -> Any:
        """It takes effect now; the platform works at once."""
        truth = self.platform.truth
        before = len(truth.messages)
        try:
            getattr(truth, name)(
                *args, **{key: value for key, value in more.items() if value is not None}
            ).send(None)
        except StopIteration as done:
            for message in truth.messages[before:]:
                now, number = self.life.loop.time(), self.life.number
                self.platform.writes.append(Write(message.send_key, message.id, now, number, known_at))
            return done.value
        except ChannelError:
            if known_at is None:
                return None  # nobody is there to be told
            raise
        raise RuntimeError("the platform must not wait")

    # What comes in.

    async def run(self) -> None:
        """Offer what is open, again and again where it is not taken."""
        if self.host is not None:
            self.host.online(is_online=True)
        if self.platform.fate.polls:
            await self._lane(None)
            return
        async with asyncio.TaskGroup() as tasks:
            for room in range(self.platform.fate.rooms):
                tasks.create_task(self._lane(f"room {room}"))

    async def _lane(self, room: str | None) -> None:
        """One after the other; those of different rooms overtake each other where the platform does not poll."""
        platform = self.platform
        while True:
            waiting = [each for each in platform.open_offers() if room in {None, each.room}]
            if not waiting:
                platform.news.clear()
                await platform.news.wait()
                await asyncio.sleep(0)
                continue
            for offer in waiting:
                await asyncio.sleep(platform.fate.latency * self.dice.uniform(0.2, 2))
                if not await self.deliver(offer):
                    await asyncio.sleep(0.3)
                    break

    async def deliver(self, offer: Offer) -> bool:
        """Hand an event over; confirm it when it was taken."""
        if self.host is None or not self.life.is_alive:
            return False
        fate, dice = self.platform.fate, self.dice
        is_doubled, is_unconfirmed = dice.random() < fate.doubled, dice.random() < fate.unconfirmed
        second = asyncio.ensure_future(self.host.accept(offer.event)) if is_doubled else None
        is_taken = await self.host.accept(offer.event)
        if second is not None:
            is_taken = await second and is_taken
        if not is_taken or not self.life.is_alive:
            return False
        if offer.taken_at is None:
            offer.taken_at, offer.taken_in = self.life.loop.time(), self.life.number
        self.life.passes(Point.ACCEPTED)
        if self.life.ended is not None:
            return False
        if is_unconfirmed and not self._is_calm and offer.again < 3:
            offer.again += 1
            return True
        offer.is_confirmed, offer.again = True, 0
        return True
