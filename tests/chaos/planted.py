"""Faults of the kinds that bots have had, each a dependency that is handed in. The auditor must find every one."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any

from bot.host import AccountHost
from bot.store.base import PendingTurn, Store, TurnRecord
from bot.store.money import Spent
from bot.store.sqlite import SqliteStore
from channels.base import Host
from channels.errors import Unavailable
from channels.events import Event, Message, Pressed
from providers.base import CompletionRequest, Credential, Finished, FinishReason, ModelSpec, StreamEvent
from providers.errors import ProviderError
from tests.chaos.fate import Fate
from tests.chaos.model import ChaosModel
from tests.chaos.people import ANN
from tests.chaos.wire import ChaosChannel, Offer
from tests.chaos.world import Planted


class Wrapped:
    """A store that passes everything on to the sound one."""

    def __init__(self, store: Any) -> None:
        self.sound: SqliteStore = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sound, name)

    def done(self, value: Any = None) -> asyncio.Future[Any]:
        """A future that is complete already."""
        future = asyncio.get_running_loop().create_future()
        future.set_result(value)
        return future


class SaysKeptTooEarly(Wrapped):
    """A message counts as kept before the disk has it."""

    def add_message(self, *args: Any, **more: Any) -> asyncio.Future[bool]:
        self.sound.add_message(*args, **more)
        return self.done(True)


class ForgetsWhatWasSent(Wrapped):
    """The ids of messages that stand are not written down."""

    def part_sent(self, *args: Any) -> asyncio.Future[None]:
        return self.done()


class KnowsNoEvent(Wrapped):
    """An event that comes again is a new one."""

    _count = 0

    def add_message(self, message: Message, *args: Any, **more: Any) -> asyncio.Future[bool]:
        KnowsNoEvent._count += 1
        again = dataclasses.replace(message, event_key=f"{message.event_key}.{KnowsNoEvent._count}")
        return self.sound.add_message(again, *args, **more)


class ForgetsTheMerged(Wrapped):
    """Of several messages that were answered together only the first counts as answered."""

    def finish_turn(self, record: TurnRecord) -> asyncio.Future[None]:
        return self.sound.finish_turn(dataclasses.replace(record, inbox_ids=record.inbox_ids[:1]))


class NewestFirst(Wrapped):
    """After a start the newest message is answered first."""

    async def pending(self) -> Sequence[PendingTurn]:
        return list(reversed(await self.sound.pending()))


class ForgetsTheAge(Wrapped):
    """After a start every message is as good as new."""

    async def pending(self) -> Sequence[PendingTurn]:
        return [dataclasses.replace(each, received_at=1e12) for each in await self.sound.pending()]


class KeepsNoCorrection(Wrapped):
    """What a message reads after it was edited is not kept."""

    def correct(
        self, channel: str, account: str, event_key: str, turn_id: str, text: str
    ) -> asyncio.Future[bool]:
        return self.sound.add_key(channel, account, event_key)


class CallsAgain(Wrapped):
    """That a call was made is not remembered."""

    def add_key(self, *args: Any) -> asyncio.Future[bool]:
        self.sound.add_key(*args)
        return self.done(True)


class ForgetsTheMoney(Wrapped):
    """After a start nothing was spent."""

    async def take_up_spending(self, day: int, month_began: int) -> Spent:
        await self.sound.take_up_spending(day, month_began)
        return Spent()


class ConfirmsFirst(ChaosChannel):
    """Events are confirmed to the platform when they come out of its queue, as a known library does."""

    async def deliver(self, offer: Offer) -> bool:
        offer.is_confirmed, offer.again = True, 0
        offer.taken_at, offer.taken_in = self.life.loop.time(), self.life.number
        await asyncio.sleep(0.05)
        return await super().deliver(offer)


class SendsAgainByItself(ChaosChannel):
    """A send whose answer was lost is repeated by the adapter, under a key of its own."""

    async def call(self, name: str, *args: Any, **more: Any) -> Any:
        try:
            return await super().call(name, *args, **more)
        except Unavailable as error:
            if name != "send" or not error.maybe_sent:
                raise
            address, text, key = args
            return await super().call(name, address, text, f"{key}+", **more)


class SeesNothing(ChaosChannel):
    """Looking for a message of ours never finds one."""

    async def call(self, name: str, *args: Any, **more: Any) -> Any:
        found = await super().call(name, *args, **more)
        return None if name == "read_back" else found


class DeletesNothing(ChaosChannel):
    """A deletion is confirmed and not made."""

    async def call(self, name: str, *args: Any, **more: Any) -> Any:
        return None if name == "delete" else await super().call(name, *args, **more)


class EndsWell(ChaosModel):
    """A body that broke off counts as a whole answer."""

    @asynccontextmanager
    async def stream(
        self, model: ModelSpec, request: CompletionRequest, credential: Credential
    ) -> AsyncIterator[AsyncIterator[StreamEvent]]:
        async with super().stream(model, request, credential) as events:
            yield self._patched(events)

    @staticmethod
    async def _patched(events: AsyncIterator[StreamEvent]) -> AsyncIterator[StreamEvent]:
        said = False
        try:
            async for event in events:
                said = True
                yield event
        except ProviderError:
            if not said:
                raise
            yield Finished(FinishReason.STOP)


def _anybody_may_press(host: AccountHost) -> Host:
    """Whoever presses a button counts as Ann."""
    sound = host.accept

    async def accept(event: Event) -> bool:
        if isinstance(event, Pressed):
            event = dataclasses.replace(event, sender=ANN)
        return await sound(event)

    return _Host(host, accept)


class _Host:
    def __init__(self, host: AccountHost, accept: Callable[[Event], Any]) -> None:
        self._host = host
        self.accept = accept

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)


def _store(kind: Callable[[Any], Any]) -> Callable[[Store], Store]:
    return kind


def _with_money(fate: Fate) -> Fate:
    return dataclasses.replace(fate, per_day=0.3)


PLANTED: Mapping[str, Planted] = MappingProxyType(
    {
        "a message counts as kept before the disk has it": Planted(store=_store(SaysKeptTooEarly)),
        "an event is confirmed before it is kept": Planted(channel=ConfirmsFirst),
        "ids of sent messages are not written down": Planted(store=_store(ForgetsWhatWasSent)),
        "an event that comes again is new": Planted(store=_store(KnowsNoEvent)),
        "merged messages count as unanswered": Planted(store=_store(ForgetsTheMerged)),
        "after a start the newest comes first": Planted(store=_store(NewestFirst)),
        "after a start no message is old": Planted(store=_store(ForgetsTheAge)),
        "corrections are not kept": Planted(store=_store(KeepsNoCorrection)),
        "calls that were made are not remembered": Planted(store=_store(CallsAgain)),
        "after a start nothing was spent": Planted(store=_store(ForgetsTheMoney), only=_with_money),
        "lost answers make the adapter send again": Planted(channel=SendsAgainByItself),
        "read-back finds nothing": Planted(channel=SeesNothing),
        "deletions are confirmed and not made": Planted(channel=DeletesNothing),
        "a cut answer counts as whole": Planted(model=EndsWell),
        "anybody may allow a call": Planted(host=_anybody_may_press),
    }
)
