"""getUpdates and webhooks: how updates leave the server.

Sources: Bot API docs getUpdates, setWebhook, getWebhookInfo (2026-11); tdlib/telegram-bot-api, Client.cpp
(process_get_updates_query, do_get_updates, fail_query_conflict, process_set_webhook_query) and WebhookActor.cpp.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import aiohttp
from aiohttp import web

from .state import Bot, Update
from .wire import ApiError, Args, bad, reply, reply_raw

# Client.cpp: LONG_POLL_MAX_TIMEOUT.
MAX_TIMEOUT = 50
# Client.cpp, fail_query_conflict: one conflict is answered at once, further ones within 3 s are held for 3 s.
CONFLICT_HOLD = 3.0
OTHER_POLLER = (
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
)
# Bot API docs, setWebhook: 1-256 characters, only A-Z, a-z, 0-9, _ and -.
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}\Z")


class Outgoing:
    """The way out for one bot: a held poll, or a webhook."""

    def __init__(self, bot: Bot, *, webhook_retry: float) -> None:
        self.bot = bot
        self.webhook: dict[str, Any] = {}
        self._held: asyncio.Future[None] | None = None
        self._next_conflict = 0.0
        self._last_offset: tuple[int, float] = (-1, 0.0)
        self._retry = webhook_retry
        self._lanes: dict[int, asyncio.Queue[Update]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(40)
        bot.on_update.append(self._wake)

    # -- long polling

    def _wake(self) -> None:
        if self._held is not None and not self._held.done():
            self._held.set_result(None)
        if self.webhook:
            self._push()

    async def _conflict(self, text: str) -> ApiError:
        now = time.monotonic()
        if now < self._next_conflict:
            await asyncio.sleep(CONFLICT_HOLD)
        else:
            self._next_conflict = now + CONFLICT_HOLD
        return ApiError(409, text)

    async def get_updates(self, args: Args) -> web.Response:
        """Bot API docs, getUpdates."""
        if self.webhook:
            raise await self._conflict(
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete"
                " the webhook first"
            )
        offset, limit = args.whole("offset"), min(max(args.whole("limit", 100), 1), 100)
        timeout = float(min(max(args.whole("timeout"), 0), MAX_TIMEOUT))
        self._set_allowed(args)
        now = time.monotonic()
        last_offset, last_at = self._last_offset
        if offset == last_offset and timeout < 3 and now < last_at + 3.0:
            timeout = 3.0  # Client.cpp: short polls for one offset are slowed down
        self._last_offset = (offset, now)
        found = self._take(offset, limit)
        if not found and timeout > 0:
            await self._hold(timeout)
            found = self._take(offset, limit)
        return reply_raw([update.body for update in found])

    async def _hold(self, timeout: float) -> None:
        bot = self.bot
        if self._held is not None and not self._held.done():
            self._held.set_exception(_Superseded(OTHER_POLLER))
        held = self._held = asyncio.get_running_loop().create_future()
        bot.is_held = True
        bot.changed()
        try:
            await asyncio.wait_for(held, timeout)
        except TimeoutError:
            pass
        except _Superseded as reason:
            raise await self._conflict(str(reason)) from None
        finally:
            if self._held is held:
                self._held = None
                bot.is_held = False

    def _set_allowed(self, args: Args) -> None:
        wanted = args.nested("allowed_updates")
        if isinstance(wanted, list):
            self.bot.allowed = [str(kind) for kind in wanted]

    def _take(self, offset: int, limit: int) -> list[Update]:
        updates, now = self.bot.updates, time.monotonic()
        if offset < 0:  # counted from the end; all before it are forgotten
            while len(updates) > -offset:
                updates.popleft()
        # An offset from the future (ids are drawn anew after a week of silence) confirms nothing: TQueue::get.
        elif offset <= self.bot.next_update:
            while updates and updates[0].id < offset:
                self.bot.confirmed = max(self.bot.confirmed, updates.popleft().id)
                self.bot.changed()
            self.bot.confirmed = max(self.bot.confirmed, offset - 1)
        while updates and updates[0].expires < now:
            updates.popleft()
        return [update for _, update in zip(range(limit), updates, strict=False) if update.expires >= now]

    # -- webhooks

    def set_webhook(self, args: Args) -> web.Response:
        """Bot API docs, setWebhook. Plain http and any port are taken, as a self-hosted server with --local does."""
        url = args.text("url")
        if not url:
            return self.delete_webhook(args)
        if not url.startswith(("https://", "http://")):
            raise bad("bad webhook: An HTTPS URL must be provided for webhook")
        secret = args.text("secret_token")
        if secret and not _SECRET.match(secret):
            raise bad("secret token contains unallowed characters")
        if args.flag("drop_pending_updates"):
            self.bot.updates.clear()
        self._set_allowed(args)
        if self._held is not None and not self._held.done():
            self._held.set_exception(_Superseded("Conflict: terminated by setWebhook request"))
        connections = min(max(args.whole("max_connections", 40), 1), 100)
        self._slots = asyncio.Semaphore(connections)
        self.webhook = {"url": url, "secret": secret, "max_connections": connections}
        self._push()
        return reply(True)

    def delete_webhook(self, args: Args) -> web.Response:
        """Bot API docs, deleteWebhook."""
        if args.flag("drop_pending_updates"):
            self.bot.updates.clear()
        self.webhook = {}
        self._stop_lanes()
        return reply(True)

    def webhook_info(self) -> web.Response:
        """Bot API docs, getWebhookInfo."""
        found: dict[str, Any] = {
            "url": self.webhook.get("url", ""),
            "has_custom_certificate": False,
            "pending_update_count": len(self.bot.updates),
        }
        for name in ("max_connections", "last_error_date", "last_error_message"):
            if name in self.webhook:
                found[name] = self.webhook[name]
        if self.bot.allowed:
            found["allowed_updates"] = self.bot.allowed
        return reply(found)

    def _push(self) -> None:
        """Hand waiting updates to one lane a chat: WebhookActor sends the next of a queue after the last one."""
        while self.bot.updates:
            update = self.bot.updates.popleft()
            lane = self._lanes.get(update.chat)
            if lane is None:
                lane = self._lanes[update.chat] = asyncio.Queue()
                task = asyncio.create_task(self._run_lane(lane))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            lane.put_nowait(update)

    async def _run_lane(self, lane: asyncio.Queue[Update]) -> None:
        while True:
            update = await lane.get()
            delay = self._retry
            while not await self._deliver(update):
                await asyncio.sleep(delay)
                delay = min(delay * 2, 60.0)
            self.bot.confirmed = max(self.bot.confirmed, update.id)
            self.bot.changed()

    async def _deliver(self, update: Update) -> bool:
        hook = self.webhook
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
        headers = {"Content-Type": "application/json"}
        if hook.get("secret"):
            headers["X-Telegram-Bot-Api-Secret-Token"] = hook["secret"]
        problem = ""
        async with self._slots:
            try:
                async with self._session.post(hook["url"], data=update.body, headers=headers) as response:
                    await response.read()
                    if response.status // 100 != 2:
                        problem = f"Wrong response from the webhook: {response.status} {response.reason}"
            except (aiohttp.ClientError, TimeoutError) as error:
                problem = f"Connection failed: {type(error).__name__}"
        if problem:
            hook["last_error_date"], hook["last_error_message"] = int(time.time()), problem
            self.bot.counts["webhook_errors"] = self.bot.counts.get("webhook_errors", 0) + 1
            self.bot.changed()
        return not problem

    def _stop_lanes(self) -> None:
        for lane in self._lanes.values():
            while not lane.empty():
                self.bot.updates.append(lane.get_nowait())
        self._lanes.clear()
        for task in self._tasks:
            task.cancel()

    def forget(self) -> None:
        """No webhook, no held poll, no memory of conflicts."""
        self.webhook = {}
        self._stop_lanes()
        self._next_conflict, self._last_offset = 0.0, (-1, 0.0)
        if self._held is not None and not self._held.done():
            self._held.set_result(None)
        self._held = None

    async def close(self) -> None:
        """Let go of sockets and tasks."""
        self._stop_lanes()
        if self._session is not None:
            await self._session.close()


class _Superseded(Exception):
    """A held poll is ended by another request."""
