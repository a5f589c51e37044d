"""The life of one account: sign in, open the keys, learn the rooms, follow what happens."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import structlog

from channels.errors import ChannelError, NotAuthorized, Refused
from channels.matrix.account import Account
from channels.matrix.gaps import Gaps, patiently
from channels.matrix.intake import Intake
from channels.matrix.invites import Inviter
from channels.matrix.login import KEYS, sign_in
from channels.matrix.problems import LoggedOut
from channels.matrix.receipts import Receipts
from channels.matrix.rooms import Rooms
from channels.matrix.settings import Encryption
from channels.matrix.sync import Syncer
from channels.matrix.text import clean_name
from channels.matrix.unread import Unread
from channels.matrix.wire import path

log = structlog.get_logger()

Json = dict[str, Any]


@dataclass(slots=True)
class Life:
    """Runs one account. `clock` and `wall` in seconds."""

    account: Account
    chance: random.Random
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time

    async def run(self) -> None:
        """Until cancelled. Raises NotAuthorized when the settings cannot work or the login is dead."""
        account = self.account
        try:
            while True:
                try:
                    await self._run()
                except LoggedOut as error:
                    if not error.is_soft or account.settings.password is None:
                        raise
                    log.warning("session expired", channel="matrix", account=account.me.account)
                finally:
                    account.is_ready = False
                    if account.crypto is not None:
                        account.crypto.close()
                        account.crypto = None
        finally:
            account.host.online(is_online=False, reason="stopped")
            await account.wire.close()

    async def _run(self) -> None:
        await self._sign_in()
        account = self.account
        unread = Unread(account.host, self.clock, account.timing.unread, account.timing.hope)
        gaps = Gaps(account, self.wall, self.chance.random)
        receipts = Receipts(account)
        inviter = Inviter(account, self.chance.random)
        intake = Intake(account, gaps, unread, receipts.read)
        syncer = Syncer(account, intake, inviter, unread, self.clock, self.chance.random)
        account.rooms = Rooms(account.me.user_id)
        since = await syncer.begin()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(receipts.run())
                group.create_task(inviter.run())
                if account.crypto is not None:
                    await self._publish_keys()
                    await syncer.restore_unread()
                account.host.heard()
                account.host.online(is_online=True)
                await syncer.run(since)
        except ExceptionGroup as group_error:
            refused, others = group_error.split(NotAuthorized)
            if refused is None or others is not None:
                raise
            raise _leaf(refused) from None

    async def _sign_in(self) -> None:
        account = self.account
        settings, timing = account.settings, account.timing
        login = await self._until_it_works(
            lambda: sign_in(account.wire, settings, account.host.folder, timing.ask)
        )
        where = path("profile", login.user_id, "displayname")
        name = ""
        try:
            profile = await account.wire.ask("GET", where, seconds=timing.ask)
            name = profile["displayname"] if isinstance(profile.get("displayname"), str) else ""
        except NotAuthorized:
            raise
        except ChannelError as error:
            log.debug("display name not known", channel="matrix", reason=error.detail)
        account.me = replace(
            account.me, user_id=login.user_id, device_id=login.device_id, name=clean_name(name)
        )
        self._open_keys(login.device_id)
        pace = (await account.host.cursor("pace") or "").split(":")
        if len(pace) == 2 and pace[0] == str(settings.writes_per_second):
            account.offers.refused(_seconds(pace[1]))
        log.info(
            "signed in",
            channel="matrix",
            account=account.me.account,
            user=login.user_id,
            device=login.device_id,
            encryption=account.crypto is not None,
        )

    def _open_keys(self, device_id: str) -> None:
        """Raises NotAuthorized where encryption is wanted and cannot be."""
        account = self.account
        wanted = account.settings.encryption
        if wanted is Encryption.OFF:
            return
        from channels.matrix.crypto import BrokenStore, Crypto, is_possible

        reason = ""
        if not is_possible():
            reason = "vodozemac is not installed (matrix-nio[e2e])"
        elif not device_id:
            reason = "the token belongs to no device"
        if reason:
            if wanted is Encryption.ON:
                raise NotAuthorized(f"encryption is set to on, but {reason}")
            log.warning("encrypted rooms cannot be read", channel="matrix", reason=reason)
            return
        folder = account.host.folder / KEYS
        try:
            account.crypto = Crypto(
                account.wire, account.me.user_id, device_id, folder, seconds=account.timing.ask
            )
        except BrokenStore as error:
            raise NotAuthorized(f"the keys in the account's folder cannot be opened ({error})") from None

    async def _publish_keys(self) -> None:
        """Before we are online, so that whoever writes to us then can encrypt for this device."""
        crypto = self.account.crypto
        if crypto is None:
            return

        async def upkeep() -> Json:
            await crypto.upkeep()
            return {}

        timing = self.account.timing
        try:
            await patiently(upkeep, timing.retry_first, timing.retry_last, self.chance.random, tries=3)
        except NotAuthorized:
            raise
        except Refused as error:
            # The homeserver has other keys for this device: the folder with ours was lost, or the token was copied.
            log.error(
                "encrypted rooms cannot be used",
                channel="matrix",
                account=self.account.me.account,
                reason="the keys of this device were made elsewhere; log in as a new device",
                detail=error.detail,
            )
        except ChannelError as error:
            log.warning(
                "keys not published", channel="matrix", account=self.account.me.account, reason=error.detail
            )

    async def _until_it_works(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """Repeat until the homeserver answers. Raises NotAuthorized."""
        timing, host = self.account.timing, self.account.host

        def tell(error: ChannelError) -> None:
            host.online(is_online=False, reason=error.detail or type(error).__name__)

        return await patiently(
            call,
            timing.retry_first,
            timing.retry_last,
            self.chance.random,
            on_failure=tell,
            whatever=True,
        )


def _seconds(rate: str) -> float:
    """The wait between two writes at a stored rate; 0 where it is no rate."""
    try:
        return 1 / float(rate)
    except (ValueError, ZeroDivisionError):
        return 0.0


def _leaf(group: BaseException) -> BaseException:
    """The first exception inside nested groups."""
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group
