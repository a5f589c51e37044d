"""Our own sync loop: a token is stored only after the host has taken over every event that came before it.

matrix-nio 0.26 saves the next token before it runs its callbacks (nio/client/async_client.py, _handle_sync): killed in
between, it loses what came. Here the order is: fetch, take over, store, fetch on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import structlog

from channels.errors import ChannelError, NotAuthorized, RateLimited, Refused, Unavailable
from channels.matrix.account import Account
from channels.matrix.gaps import patiently
from channels.matrix.intake import Intake
from channels.matrix.invites import Inviter
from channels.matrix.rooms import events_of, rooms_of
from channels.matrix.unread import Unread
from channels.matrix.wire import path
from channels.waiting import backoff

log = structlog.get_logger()

Json = dict[str, Any]


def _filter(limit: int) -> str:
    """Members only of those who speak; of what is only for the moment just typing (spec, Filtering)."""
    lazy = {"lazy_load_members": True, "include_redundant_members": True}
    room = {
        "timeline": {"limit": limit, **lazy},
        "state": lazy,
        "ephemeral": {"types": ["m.typing"]},
        "account_data": {"types": []},
    }
    found = {"room": room, "presence": {"types": []}, "account_data": {"types": ["m.direct"]}}
    return orjson.dumps(found).decode()


# A homeserver that has nothing to tell holds the line for seconds; one that does not is asked more slowly.
_HELD = 0.5
_SNAPSHOT, _FOLLOW = _filter(1), _filter(100)


@dataclass(slots=True)
class Syncer:
    """The loop of one account. `clock` in seconds, `chance` in 0..1."""

    account: Account
    intake: Intake
    inviter: Inviter
    unread: Unread
    clock: Callable[[], float]
    chance: Callable[[], float]

    async def begin(self) -> str:
        """Learn the rooms as they are, and return the token to go on from. Raises NotAuthorized.

        The first time ever that is now: what was said before the bot came is history. Later it is the stored token.
        """
        account = self.account
        stored = await account.host.cursor(self._cursor)
        snapshot = await patiently(
            self._snapshot,
            account.timing.retry_first,
            account.timing.retry_last,
            self.chance,
            on_failure=self._offline,
            whatever=True,
        )
        account.rooms.account_data(events_of(snapshot, "account_data"))
        for room_id, part in rooms_of(snapshot, "join").items():
            account.rooms.joined(room_id, part)
        if account.crypto is not None:
            # With a stored token the keys come again, in order, with what follows it.
            await account.crypto.receive(snapshot, with_keys=stored is None)
        self.inviter.take(snapshot)
        if stored is None:
            await account.host.set_cursor(self._cursor, snapshot["next_batch"])
        account.is_ready = True
        return stored or str(snapshot["next_batch"])

    async def run(self, since: str) -> None:
        """Sync until cancelled. Raises NotAuthorized when the token is not accepted any more."""
        failures, stored_at = 0, self.clock()
        while True:
            asked_at = self.clock()
            try:
                sync = await self._fetch(since)
            except NotAuthorized:
                raise
            except ChannelError as error:
                failures += 1
                since = await self._after(error, failures, since)
                continue
            if failures:
                self.account.host.signal("reconnected")
            failures = 0
            self.account.host.heard()
            self.account.host.online(is_online=True)
            is_worth = await self._take(sync, since)
            await self.unread.keep()
            following: str = sync["next_batch"]
            if following == since and self.clock() < asked_at + _HELD:
                await asyncio.sleep(self.account.timing.idle)
            if following != since and (
                is_worth or self.clock() > stored_at + self.account.timing.cursor_every
            ):
                await self.account.host.set_cursor(self._cursor, following)
                stored_at = self.clock()
            since = following

    async def restore_unread(self) -> None:
        """Fetch again what an earlier process could not read, as its key may be here by now."""
        for room_id, event_id in await self.unread.kept():
            try:
                where = path("rooms", room_id, "event", event_id)
                event = await self.account.wire.ask("GET", where, seconds=self.account.timing.ask)
            except NotAuthorized:
                raise
            except ChannelError as error:
                log.debug("unread message not fetched", channel="matrix", reason=error.detail)
                continue
            self.unread.put(room_id, event, "this device has not got the key")
        await self.intake.retry()

    async def _take(self, sync: Json, since: str) -> bool:
        account = self.account
        has_keys = account.crypto is not None and await account.crypto.receive(sync)
        if has_keys:
            await self.intake.retry()  # first, as what waits for a key was said before what comes with it
        is_worth = await self.intake.take(sync, since)
        await self.intake.tell_unread()
        self.inviter.take(sync)
        await self._keep_keys()
        return is_worth or has_keys

    async def _keep_keys(self) -> None:
        """What the encryption needs between two syncs; what fails is tried with the next."""
        crypto = self.account.crypto
        if crypto is None:
            return
        try:
            await crypto.upkeep()
            for waiting in self.unread.to_ask():
                await crypto.request_key(waiting.room_id, waiting.event)
        except NotAuthorized:
            raise
        except ChannelError as error:
            log.warning(
                "keys not exchanged", channel="matrix", account=self.account.me.account, reason=error.detail
            )

    @property
    def _cursor(self) -> str:
        return f"since:{self.account.me.user_id}:{self.account.me.device_id}"

    async def _snapshot(self) -> Json:
        # Synapse keeps the answer to a first sync for two minutes, by its parameters (sync_response_cache_duration): a
        # process that starts again would learn an old state, perhaps of a room before it was encrypted. A first sync
        # is answered at once whatever `timeout` says, so that is what tells this one from others.
        timeout = str(int(1_000_000 * self.chance()))
        query = {"filter": _SNAPSHOT, "timeout": timeout, "set_presence": "online"}
        return _checked(
            await self.account.wire.ask(
                "GET", path("sync"), query=query, seconds=self.account.timing.snapshot
            )
        )

    async def _fetch(self, since: str) -> Json:
        """One sync. A line that hangs is given up: the call has a deadline of its own, and loses its connection."""
        hold = self.account.settings.poll_seconds
        query = {"filter": _FOLLOW, "timeout": str(1000 * hold), "since": since, "set_presence": "online"}
        seconds = hold + self.account.timing.poll_grace
        return _checked(await self.account.wire.ask("GET", path("sync"), query=query, seconds=seconds))

    async def _after(self, error: ChannelError, failures: int, since: str) -> str:
        """Wait after a failure; the token to go on from."""
        timing = self.account.timing
        wait = backoff(failures, timing.retry_first, timing.retry_last, self.chance())
        if isinstance(error, RateLimited):
            wait = error.retry_after
            self.account.host.signal("rate_limited")
        else:
            self.account.host.signal("poll_failed")
        if failures == 1:
            log.warning(
                "sync failed",
                channel="matrix",
                account=self.account.me.account,
                reason=error.detail,
                retry_after=wait,
            )
        self._offline(error)
        await asyncio.sleep(wait)
        if isinstance(error, Refused) and failures >= 3:
            # The homeserver does not know the token any more: a database that was restored, a server that moved.
            log.warning("sync begins anew", channel="matrix", reason=error.detail)
            fresh = await patiently(
                self._snapshot, timing.retry_first, timing.retry_last, self.chance, whatever=True
            )
            return str(fresh["next_batch"])
        return since

    def _offline(self, error: ChannelError) -> None:
        self.account.host.online(is_online=False, reason=error.detail or type(error).__name__)


def _checked(sync: Json) -> Json:
    """A sync without a token leads nowhere."""
    if not isinstance(sync.get("next_batch"), str) or not sync["next_batch"]:
        raise Unavailable("the homeserver's sync names no next one")
    return sync
