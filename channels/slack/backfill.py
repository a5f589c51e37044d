"""Messages that never arrived: what was seen last in each conversation, and a look for what came after it.

Slack keeps an event for a few tries only ("Events API", 2026-11: at once, after 1 and after 5 minutes). After a
restart or a lost connection the latest conversations are therefore read back, bounded by age and number.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterable
from typing import Any

import structlog

from channels.base import Host
from channels.errors import ChannelError, Gone, NotAuthorized, RateLimited, Refused
from channels.events import Event, Message
from channels.slack.calls import Api
from channels.slack.intake import Intake
from channels.slack.memory import Recent
from channels.slack.parse import space_kind
from channels.slack.settings import BackfillSettings
from channels.slack.timing import Timing

log = structlog.get_logger()

_PAGE = 100
_TRIES = 30
# Slack's timestamps have six decimals.
_TICK = 0.000001


class Seen:
    """Channels and threads ("C1", "C1 1700000000.000100") with the newest message of people that was taken.

    `wanted`, `looking`: from which message on a place is still to be looked at, and is being looked at. That is older
    than what was heard there meanwhile, and where a next process has to begin.
    """

    def __init__(self, host: Host, name: str, most: int) -> None:
        self._host = host
        self._name = name
        self.places: Recent[str] = Recent(most)
        self.wanted: dict[str, str] = {}
        self.looking: dict[str, str] = {}
        self._durable: frozenset[str] = frozenset()
        self._is_changed = asyncio.Event()
        self._writing = asyncio.Lock()

    async def load(self) -> None:
        """What an earlier life wrote down."""
        try:
            found = json.loads(await self._host.cursor(self._name) or "{}")
        except ValueError:
            found = {}
        for place, ts in found.items() if isinstance(found, dict) else ():
            if isinstance(place, str) and isinstance(ts, str) and _number(ts) > 0:
                self.places.put(place, ts)
        self._durable = frozenset(self.places)

    def miss(self, message: Message) -> None:
        """A message found no room. A new place counts as seen up to just before it, so that a look finds it."""
        for place in _places(message):
            if message.addressed and place not in self.places:
                self.places.put(place, f"{_number(message.message_id) - _TICK:.6f}")

    async def note(self, message: Message) -> None:
        """A message was taken. One that opens a thread is the newest of its channel and of the thread.

        What people say among themselves makes no place worth looking at; where there is one, it is seen, too.
        A new place is durable when this returns. The message must not be confirmed before, else a crash forgets the
        place, and nobody looks for what is said there until the next start.
        """
        places = _places(message)
        for place in places:
            if message.addressed or place in self.places:
                self._put(place, message.message_id)
        if self._is_any_new(places):
            async with self._writing:
                if self._is_any_new(places):  # else it was written with another's
                    await self._write()

    def forget(self, place: str) -> None:
        """The bot is not there any more."""
        self.places.pop(place, None)
        self._is_changed.set()

    def looked(self, place: str) -> None:
        """What was missed there has been found."""
        self.looking.pop(place, None)
        self._is_changed.set()

    def since(self) -> dict[str, str]:
        """Each place with the message from which on nothing is known to be heard."""
        gaps = (self.looking, self.wanted)
        return {
            place: min((ts, *(gap[place] for gap in gaps if place in gap)), key=_number)
            for place, ts in self.places.items()
        }

    def _put(self, place: str, ts: str) -> None:
        old = self.places.get(place)
        self.places.put(place, ts if old is None or _number(ts) > _number(old) else old)
        self._is_changed.set()

    async def keep(self, every: float) -> None:
        """Write down what has changed in known places, at most `every` so many seconds.

        A crash loses the last moments of it, whose messages are found again and known by their keys.
        """
        while True:
            await self._is_changed.wait()
            async with self._writing:
                await self._write()
            await asyncio.sleep(every)

    def _is_any_new(self, places: Iterable[str]) -> bool:
        return any(place in self.places and place not in self._durable for place in places)

    async def _write(self) -> None:
        self._is_changed.clear()
        places = frozenset(self.places)
        await self._host.set_cursor(self._name, json.dumps(self.since()))
        self._durable = places


class Backfill:
    """One account's look back. What was seen when a gap began is kept, whatever is heard before the look begins."""

    def __init__(  # noqa: PLR0917 - everything is handed in
        self,
        api: Api,
        host: Host,
        seen: Seen,
        settings: BackfillSettings,
        timing: Timing,
        now: Callable[[], float],
        account: str,
    ) -> None:
        self._api = api
        self._host = host
        self._seen = seen
        self._settings = settings
        self._timing = timing
        self._now = now
        self._account = account
        self._is_wanted = asyncio.Event()
        self._is_urgent = asyncio.Event()
        self._ahead: dict[str, asyncio.Event] = {}
        self._waited_for: set[str] = set()

    def want(self) -> None:
        """Events may have been missed: look at once."""
        self.want_later()
        for place in self._seen.wanted if self._settings.hours > 0 else ():
            self._ahead.setdefault(place, asyncio.Event())
        self._is_urgent.set()

    async def in_turn(self, message: Message) -> None:
        """Wait, for a moment at most, until what was missed before it is found in its place.

        What is said after a restart arrives at once, what was said before it only by the look, which takes the places
        first where somebody waits: fifty of them can take half a minute.
        """
        places = [place for place in _places(message) if place in self._ahead]
        self._waited_for.update(places)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timing.in_turn):
                for place in places:
                    if (found := self._ahead.get(place)) is not None:
                        await found.wait()

    def want_later(self, missed: Event | None = None) -> None:
        """An event found no room: should Slack not offer it again, it is found in a while."""
        if isinstance(missed, Message):
            self._seen.miss(missed)
        for place, ts in self._seen.since().items():
            self._seen.wanted.setdefault(place, ts)
        self._is_wanted.set()

    async def run(self, intake: Intake) -> None:
        """Look whenever it is wanted, until cancelled."""
        while True:
            await self._is_wanted.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._timing.refill):
                    await self._is_urgent.wait()
            self._is_wanted.clear()
            self._is_urgent.clear()
            since, self._seen.wanted = self._seen.wanted, {}
            if self._settings.hours > 0:
                self._seen.looking = dict(since)
                try:
                    await self._look(intake, since)
                finally:
                    for place in since:
                        self._found(place)

    async def _look(self, intake: Intake, since: dict[str, str]) -> None:
        cutoff = self._now() - self._settings.hours * 3600
        patience = self._timing.backfill_patience
        places = dict(reversed(since.items()))
        while places:
            place = next((one for one in places if one in self._waited_for), next(iter(places)))
            last = places.pop(place)
            oldest = last if _number(last) > cutoff else f"{cutoff:.6f}"
            try:
                messages, patience = await self._read(place, oldest, patience)
            except NotAuthorized:
                raise
            except (Gone, Refused) as error:
                self._cannot(error, place)
            except ChannelError as error:
                self._cannot(error, "")
                self._seen.wanted |= {place: last, **places}
                self._seen.looking = {}
                self._is_wanted.set()  # the rest in a while
                break
            else:
                # At once: with many places Slack's limits stretch the look, and people go on talking meanwhile.
                for event in sorted(messages, key=lambda one: _number(str(one.get("ts")))):
                    await self._offer(intake, event)
                # A thread that began and went on meanwhile is known by its head alone.
                room = self._settings.conversations - len(since)
                heads = [f"{one['channel']} {one.get('ts')}" for one in messages if one.get("reply_count")]
                fresh = [head for head in heads if " " not in place and head not in since][: max(0, room)]
                since |= dict.fromkeys(fresh, oldest)
                self._seen.looking |= dict.fromkeys(fresh, oldest)
                places |= dict.fromkeys(fresh, oldest)
            self._seen.looked(place)
            self._found(place)

    def _found(self, place: str) -> None:
        self._waited_for.discard(place)
        if (found := self._ahead.pop(place, None)) is not None:
            found.set()

    def _cannot(self, error: ChannelError, gone: str) -> None:
        """`gone`: the place that is not there any more, "" where Slack could only not be asked."""
        if not gone:
            log.warning(
                "missed messages not read", channel="slack", account=self._account, reason=error.detail
            )
            return
        log.debug("conversation not read back", channel="slack", account=self._account, reason=error.detail)
        if isinstance(error, Gone):
            self._seen.forget(gone)

    async def _read(self, place: str, oldest: str, patience: float) -> tuple[list[dict[str, Any]], float]:
        """The messages after `oldest`, and how long may still be waited for Slack's limits."""
        channel, _, thread = place.partition(" ")
        method = "conversations.replies" if thread else "conversations.history"
        args: dict[str, Any] = {
            "channel": channel,
            "oldest": oldest,
            "limit": min(_PAGE, self._settings.messages),
        }
        if thread:
            args["ts"] = thread
        found: list[dict[str, Any]] = []
        while True:
            try:
                data = await self._api.ask(method, args)
            except RateLimited as error:
                patience -= error.retry_after
                if patience < 0:
                    raise
                await asyncio.sleep(error.retry_after)
                continue
            messages = data.get("messages")
            found.extend(
                {**one, "type": "message", "channel": channel, "channel_type": space_kind(channel)}
                for one in (messages if isinstance(messages, list) else ())
                if isinstance(one, dict) and _number(str(one.get("ts"))) > _number(oldest)
            )
            after = data.get("response_metadata")
            cursor = after.get("next_cursor") if isinstance(after, dict) else None
            if not data.get("has_more") or not cursor or len(found) >= self._settings.messages:
                return found[: self._settings.messages], patience
            args["cursor"] = cursor

    async def _offer(self, intake: Intake, event: dict[str, Any]) -> None:
        parsed = await intake.read("events_api", {"event": event, "team_id": intake.me.team})
        for _ in range(_TRIES):
            if (await intake.settle(parsed, is_missed=True)).is_taken:
                return
            await asyncio.sleep(self._timing.full)


def _places(message: Message) -> list[str]:
    """Where a message is the newest: its channel, its thread, or both where it opens one. None for a command."""
    ts, key = message.message_id, message.address.key
    if _number(ts) <= 0:
        return []
    places = [key.space] if key.thread is None or key.thread == ts else []
    return places if key.thread is None else [*places, f"{key.space} {key.thread}"]


def _number(ts: str) -> float:
    try:
        return float(ts)
    except ValueError:
        return 0.0
