"""Our own poll loop: an update is confirmed to Telegram only after the host has taken it over.

The library's Updater puts updates into a queue in memory and confirms them with the next call: killed in between, it
loses them for ever (13 of 20 in a trial with python-telegram-bot 22.8, 2026-11). Here `offset` moves only past the
unbroken row of updates that `Intake.offer` returned True for.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

import orjson
import structlog
from telegram.error import TelegramError

from channels.base import Host
from channels.errors import ChannelError, NotAuthorized, RateLimited, Unavailable
from channels.telegram.intake import Intake
from channels.telegram.parse import WANTED, update_id
from channels.telegram.problems import problem
from channels.telegram.request import TOO_MANY, AiohttpRequest, loads, retry_after
from channels.telegram.timing import Timing
from channels.waiting import backoff

log = structlog.get_logger()

# Bot API docs, getUpdates: 1-100.
_BATCH = 100


class OtherPoller(Unavailable):
    """409: somebody else uses the token, or a webhook is set."""


class Poller:
    """The loop of one account. `cursor` is the name under which the offset is kept."""

    def __init__(
        self,
        url: str,
        request: AiohttpRequest,
        host: Host,
        intake: Intake,
        *,
        cursor: str,
        hold: int,
        timing: Timing,
        chance: random.Random,
    ) -> None:
        self._url = url
        self._request = request
        self._host = host
        self._intake = intake
        self._cursor = cursor
        self._hold = hold
        self._timing = timing
        self._chance = chance
        self._offset = 0
        self._kept = 0
        self._moved = asyncio.Event()

    async def run(self) -> None:
        """Poll until cancelled. Raises NotAuthorized when the token is not accepted any more."""
        stored = await self._host.cursor(self._cursor)
        self._offset = self._kept = int(stored) if stored is not None and stored.isdecimal() else 0
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_cursor())
            await self._poll()

    async def _poll(self) -> None:
        failures = 0
        while True:
            try:
                updates = await self._get()
            except NotAuthorized:
                raise
            except ChannelError as error:
                failures += 1
                await self._wait_after(error, failures)
                continue
            failures = 0
            self._host.heard()
            self._host.online(is_online=True)
            if updates and not await self._take(updates):
                await asyncio.sleep(self._timing.full)

    async def _get(self) -> list[Any]:
        """One getUpdates. Raises ChannelError; a call that hangs loses its connection."""
        wanted = {
            "offset": self._offset,
            "limit": _BATCH,
            "timeout": self._hold,
            "allowed_updates": WANTED,
        }
        seconds = self._hold + self._timing.poll_grace
        try:
            status, body = await self._request.call("POST", self._url, orjson.dumps(wanted), seconds)
            found = loads(body)
        except TelegramError as error:
            await self._request.rebuild()
            self._host.signal("reconnected")
            raise problem(error, is_write=False) from None
        result = found.get("result") if isinstance(found, dict) else None
        if status == 200 and isinstance(result, list):
            return result
        raise _refusal(status, body, found)

    async def _wait_after(self, error: ChannelError, failures: int) -> None:
        timing, chance = self._timing, self._chance.random()
        if isinstance(error, OtherPoller):
            wait = backoff(failures, timing.conflict_first, timing.conflict_last, chance)
            self._host.signal("conflict")
            log.warning("polling conflict", channel="telegram", reason=error.detail, retry_after=wait)
        elif isinstance(error, RateLimited):
            wait = error.retry_after
            self._host.signal("rate_limited")
        else:
            wait = backoff(failures, timing.retry_first, timing.retry_last, chance)
            self._host.signal("poll_failed")
            if failures == 1:
                log.warning("poll failed", channel="telegram", reason=error.detail, retry_after=wait)
        self._host.online(is_online=False, reason=error.detail or type(error).__name__)
        await asyncio.sleep(wait)

    async def _take(self, updates: list[Any]) -> bool:
        """Offer a batch, all at once but in order; False when it has to be asked for again later."""
        if len(updates) == 1:
            taken = [await self._intake.offer(updates[0])]
        else:
            updates.sort(key=lambda update: update_id(update) or 0)
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._intake.offer(update)) for update in updates]
            taken = [task.result() for task in tasks]
        before = self._offset
        for update, is_taken in zip(updates, taken, strict=True):
            if not is_taken:
                break
            number = update_id(update)
            if number is not None:
                self._offset = number + 1
        if self._offset != before:
            self._moved.set()
        return all(taken) and self._offset != before

    async def _keep_cursor(self) -> None:
        """Store the offset behind the loop's back: it only saves a few copies after a crash."""
        while True:
            await self._moved.wait()
            self._moved.clear()
            if self._offset != self._kept:
                self._kept = self._offset
                await self._host.set_cursor(self._cursor, str(self._kept))
            await asyncio.sleep(self._timing.cursor_every)


def _refusal(status: int, body: bytes, found: Any) -> ChannelError:
    """Why getUpdates was refused."""
    if status in (401, 404):
        return NotAuthorized("Telegram does not accept the token")
    if status == 409:
        return OtherPoller(str(found.get("description", ""))[:200] if isinstance(found, dict) else "")
    if status == TOO_MANY and (wait := retry_after(body)) is not None:
        return RateLimited(wait)
    return Unavailable(f"getUpdates was answered with HTTP status {status}")
