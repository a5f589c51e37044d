"""Invitations: accepted where the inviter may talk to the bot there, declined or left open otherwise."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog

from channels.capabilities import Surface
from channels.errors import ChannelError, NotAuthorized
from channels.events import Membership
from channels.matrix.account import Account
from channels.matrix.gaps import patiently
from channels.matrix.intake import insist
from channels.matrix.parse import invitation
from channels.matrix.rooms import INVITED, events_of, rooms_of
from channels.matrix.settings import Invites
from channels.matrix.wire import path

log = structlog.get_logger()

Json = dict[str, Any]
_MAX_OPEN = 500
_TRIES = 5


@dataclass(slots=True)
class Inviter:
    """One account's. One invitation is handled at a time, so that a flood of them costs nobody else anything."""

    account: Account
    chance: Callable[[], float]
    _open: OrderedDict[str, Membership] = field(default_factory=OrderedDict)
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, sync: Json) -> None:
        """Note the invitations of a sync. Beyond 500 that are open at once the newest are left for the next start."""
        if self.account.settings.join_invites is Invites.NEVER:
            return
        for room_id, part in rooms_of(sync, "invite").items():
            room = self.account.rooms.room(room_id)
            events = events_of(part, "invite_state")
            for event in events:
                self.account.rooms.state(room, event)
            found = invitation(room, events, self.account.me)
            if found is not None and (room_id in self._open or len(self._open) < _MAX_OPEN):
                room.own = INVITED
                self._open[room_id] = found
                self._came.set()

    async def run(self) -> None:
        """Handle them, until cancelled. Raises NotAuthorized."""
        while True:
            await self._came.wait()
            self._came.clear()
            while self._open:
                room_id, event = self._open.popitem(last=False)
                try:
                    await self._answer(room_id, event)
                except NotAuthorized:
                    raise
                except ChannelError as error:
                    log.warning(
                        "invitation not answered", channel="matrix", conversation=room_id, reason=error.detail
                    )

    async def _answer(self, room_id: str, event: Membership) -> None:
        account = self.account
        is_welcome = account.host.refusal(event) is None
        if is_welcome:
            await insist(account.host, event, account.timing.full)
            await self._ask("join", room_id)
            if event.address.surface is Surface.DIRECT:
                await self._mark_direct(room_id, event.sender.id)
        elif account.settings.join_invites is Invites.ALLOWED:
            await self._ask("leave", room_id)
        log.info(
            "invitation accepted" if is_welcome else "invitation not accepted",
            channel="matrix",
            account=account.me.account,
            conversation=room_id,
        )

    async def _ask(self, verb: str, room_id: str) -> None:
        timing = self.account.timing
        await patiently(
            lambda: self.account.wire.ask("POST", path("rooms", room_id, verb), {}, seconds=timing.join),
            timing.retry_first,
            timing.retry_last,
            self.chance,
            tries=_TRIES,
        )

    async def _mark_direct(self, room_id: str, user_id: str) -> None:
        """So that it is known as a direct chat after a restart too (spec, Direct Messaging)."""
        account = self.account
        lists = {key: value for key, value in account.rooms.direct_lists.items() if isinstance(value, list)}
        rooms = lists.get(user_id, [])
        account.rooms.room(room_id).is_marked_direct = True
        if room_id in rooms:
            return
        lists[user_id] = [*rooms, room_id]
        account.rooms.direct_lists = lists
        where = path("user", account.me.user_id, "account_data", "m.direct")
        try:
            await account.wire.ask("PUT", where, lists, seconds=account.timing.ask)
        except NotAuthorized:
            raise
        except ChannelError as error:
            log.debug("direct chat not marked", channel="matrix", reason=error.detail)
