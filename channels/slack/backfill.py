"""Messages that never arrived: what was seen last in each conversation, and a look for what came after it.

Slack keeps an event for a few tries only ("Events API", 2026-11: at once, after 1 and after 5 minutes). After a
restart or a lost connection the latest conversations are therefore read back, bounded by age and number.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Callable
from typing import Any

import structlog

from channels.base import Host
from channels.errors import ChannelError, Gone, NotAuthorized, RateLimited, Refused
from channels.events import Message
from channels.slack.calls import Api
from channels.slack.intake import Intake
from channels.slack.memory import Recent
from channels.slack.parse import space_kind
from channels.slack.settings import BackfillSettings
from channels.slack.timing import Timing

log = structlog.get_logger()

_PAGE = 100
_TRIES = 30


class Seen:
    """Channels and threads ("C1", "C1 1700000000.000100") with the newest message of people that was taken."""

    def __init__(self, host: Host, name: str, most: int) -> None:
        self._host = host
        self._name = name
        self.places: Recent[str] = Recent(most)
        self._is_changed = asyncio.Event()

    async def load(self) -> None:
        """What an earlier life wrote down."""
        try:
            found = json.loads(await self._host.cursor(self._name) or "{}")
        except ValueError:
            found = {}
        for place, ts in found.items() if isinstance(found, dict) else ():
            if isinstance(place, str) and isinstance(ts, str) and _number(ts) > 0:
                self.places.put(place, ts)

    def note(self, message: Message) -> None:
        """A message was taken. One that opens a thread is the newest of its channel and of the thread.

        What people say among themselves makes no place worth looking at; where there is one, it is seen, too.
        """
        ts, key = message.message_id, message.address.key
        if _number(ts) <= 0:
            return  # a command
        places = [key.space] if key.thread is None or key.thread == ts else []
        if key.thread is not None:
            places.append(f"{key.space} {key.thread}")
        for place in places:
            if message.addressed or place in self.places:
                self._put(place, ts)

    def forget(self, place: str) -> None:
        """The bot is not there any more."""
        self.places.pop(place, None)
        self._is_changed.set()

    def _put(self, place: str, ts: str) -> None:
        old = self.places.get(place)
        self.places.put(place, ts if old is None or _number(ts) > _number(old) else old)
        self._is_changed.set()

    async def keep(self, every: float) -> None:
        """Write it down whenever it has changed; a crash loses the last moments, whose messages are then known."""
        while True:
            await self._is_changed.wait()
            self._is_changed.clear()
            await self._host.set_cursor(self._name, json.dumps(self.places))
            await asyncio.sleep(every)


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
        self._since: dict[str, str] = {}
        self._is_wanted = asyncio.Event()
        self._is_urgent = asyncio.Event()

    def want(self) -> None:
        """Events may have been missed: look at once."""
        self.want_later()
        self._is_urgent.set()

    def want_later(self) -> None:
        """An event found no room: should Slack not offer it again, it is found in a while."""
        for place, ts in self._seen.places.items():
            self._since.setdefault(place, ts)
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
            since, self._since = self._since, {}
            if self._settings.hours > 0:
                await self._look(intake, since)

    async def _look(self, intake: Intake, since: dict[str, str]) -> None:
        cutoff = self._now() - self._settings.hours * 3600
        patience = self._timing.backfill_patience
        places = deque(reversed(since.items()))
        while places:
            place, last = places.popleft()
            oldest = last if _number(last) > cutoff else f"{cutoff:.6f}"
            try:
                messages, patience = await self._read(place, oldest, patience)
            except NotAuthorized:
                raise
            except (Gone, Refused) as error:
                self._cannot(error, place)
            except ChannelError as error:
                self._cannot(error, "")
                self._since |= {place: last, **dict(places)}
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
                places.extend((head, oldest) for head in fresh)

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
            if (await intake.settle(parsed)).is_taken:
                return
            await asyncio.sleep(self._timing.full)


def _number(ts: str) -> float:
    try:
        return float(ts)
    except ValueError:
        return 0.0
