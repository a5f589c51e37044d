"""What a sync left out: a room's messages between the last sync and the ones that it shows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from channels.errors import ChannelError, NotAuthorized, RateLimited, Unavailable
from channels.matrix.account import Account
from channels.matrix.rooms import INVITED, JOINED, events_of
from channels.matrix.wire import path
from channels.waiting import backoff

log = structlog.get_logger()

Json = dict[str, Any]
T = TypeVar("T")
_PAGE = 100


@dataclass(slots=True)
class Gaps:
    """Fetches them, newest first, until it meets the last sync. `wall`: the time of day in seconds."""

    account: Account
    wall: Callable[[], float]
    chance: Callable[[], float]

    async def whole(self, room_id: str, part: Json, since: str, *, is_new: bool) -> list[Any]:
        """The room's events to take up, oldest first.

        `is_new`: we were not in the room before. Then what was said before our invitation is none of our business,
        and what was said since then is.
        """
        events = events_of(part, "timeline")
        if is_new:
            begin = self._entry(events)
            if begin is not None:
                return events[begin:]
        timeline = part.get("timeline")
        token = timeline.get("prev_batch") if isinstance(timeline, dict) else None
        is_limited = isinstance(timeline, dict) and timeline.get("limited") is True
        if not is_limited or not isinstance(token, str) or not self.account.settings.backfill_messages:
            return events
        missed, is_complete = await self._missed(room_id, token, since, is_new=is_new)
        if is_new and not is_complete:
            return events
        if missed or not is_complete:
            level = log.info if is_complete else log.warning
            level(
                "missed messages fetched",
                channel="matrix",
                conversation=room_id,
                count=len(missed),
                whole=is_complete,
            )
        return missed + events

    async def _missed(self, room_id: str, token: str, since: str, *, is_new: bool) -> tuple[list[Any], bool]:
        """Events before `token`, oldest first; False beside them where the bounds of the settings ended it."""
        settings = self.account.settings
        oldest = 1000 * (self.wall() - 3600 * settings.backfill_hours)
        found: list[Any] = []  # newest first
        while True:
            query = {"dir": "b", "from": token, "limit": str(_PAGE)}
            if not is_new:
                query["to"] = since
            page = await self._page(room_id, query)
            self.account.host.heard()
            chunk = page.get("chunk") if page is not None else None
            is_old = True
            for event in chunk if isinstance(chunk, list) else ():
                stamp = event.get("origin_server_ts") if isinstance(event, dict) else None
                if type(stamp) is int and stamp < oldest:
                    continue  # its server's clock may be wrong, so one alone does not end it
                is_old = False
                found.append(event)
                if is_new and self._is_entry(event):
                    return found[::-1], True
                if len(found) >= settings.backfill_messages:
                    return found[::-1], False
            if chunk and is_old:
                return found[::-1], False
            following = page.get("end") if page is not None else None
            if page is None or not chunk or not isinstance(following, str) or following == token:
                return found[::-1], page is not None
            token = following

    async def _page(self, room_id: str, query: Json) -> Json | None:
        """One page, None where the homeserver does not let us read. Waits while it is away; raises NotAuthorized."""
        timing = self.account.timing

        async def page() -> Json:
            where = path("rooms", room_id, "messages")
            return await self.account.wire.ask("GET", where, query=query, seconds=timing.ask)

        try:
            return await patiently(page, timing.retry_first, timing.retry_last, self.chance)
        except NotAuthorized:
            raise
        except ChannelError as error:
            log.warning(
                "missed messages not fetched", channel="matrix", conversation=room_id, reason=error.detail
            )
            return None

    def _entry(self, events: list[Any]) -> int | None:
        """Where our invitation, or our joining without one, stands among them."""
        places = [place for place, event in enumerate(events) if self._is_entry(event)]
        if not places:
            return None
        invited = [p for p in places if events[p]["content"].get("membership") == INVITED]
        return invited[-1] if invited else places[0]

    def _is_entry(self, event: Any) -> bool:
        if not isinstance(event, dict) or event.get("type") != "m.room.member":
            return False
        content = event.get("content")
        if event.get("state_key") != self.account.me.user_id or not isinstance(content, dict):
            return False
        return content.get("membership") in (INVITED, JOINED)


async def patiently(
    call: Callable[[], Awaitable[T]],
    first: float,
    last: float,
    chance: Callable[[], float],
    *,
    on_failure: Callable[[ChannelError], None] | None = None,
    tries: int | None = None,
    whatever: bool = False,
) -> T:
    """Repeat a call while the homeserver is away or asks to wait. Raises what else went wrong, and the last failure.

    `whatever`: repeat it whatever goes wrong, but for NotAuthorized.
    """
    failures = 0
    while True:
        try:
            return await call()
        except ChannelError as error:
            failures += 1
            passes = isinstance(error, Unavailable | RateLimited) or whatever
            if not passes or isinstance(error, NotAuthorized) or (tries is not None and failures >= tries):
                raise
            if on_failure is not None:
                on_failure(error)
            wait = (
                error.retry_after
                if isinstance(error, RateLimited)
                else backoff(failures, first, last, chance())
            )
        await asyncio.sleep(wait)
