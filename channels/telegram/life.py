"""The life of one account: sign in, receive by polling or webhook, keep the menu, answer presses."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog
import telegram

from channels.base import Host
from channels.commands import CommandSpec
from channels.errors import ChannelError, NotAuthorized, RateLimited, Refused
from channels.telegram.calls import Calls
from channels.telegram.fields import Me
from channels.telegram.intake import Intake
from channels.telegram.menu import fingerprint, menu, shorter
from channels.telegram.parse import WANTED
from channels.telegram.poll import Poller
from channels.telegram.request import AiohttpRequest
from channels.telegram.settings import TelegramSettings
from channels.telegram.timing import Timing
from channels.telegram.topics import Topics
from channels.telegram.webhook import Webhook, public_url
from channels.waiting import backoff

log = structlog.get_logger()

T = TypeVar("T")
# Presses that are being acknowledged at once; one more only keeps its little clock a bit longer.
_MAX_PRESSES = 100
# Bot API docs, answerCallbackQuery: text of 0-200 characters.
_MAX_TOLD = 200


@dataclass(slots=True)
class Life:
    """Runs one account. Everything is handed in; nothing is shared with other accounts."""

    account: str
    settings: TelegramSettings
    host: Host
    bot: telegram.Bot
    request: AiohttpRequest
    calls: Calls
    webhook: Webhook | None
    timing: Timing
    chance: random.Random
    topics: Topics
    clock: Callable[[], float] = time.monotonic
    _group: asyncio.TaskGroup | None = None
    _presses: int = 0
    _bot_id: int = 0
    _polls: AiohttpRequest = field(init=False)

    def __post_init__(self) -> None:
        # Polls have a pool of their own, so that one that hangs is thrown away without touching a send.
        self._polls = AiohttpRequest(
            self.settings.base_url, deadline=self.timing.ask, proxy=self.settings.proxy
        )

    async def run(self, keep_drafts: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Until cancelled. Raises NotAuthorized when the token is refused."""
        await self.request.initialize()
        await self._polls.initialize()
        try:
            await self._run(keep_drafts)
        except ExceptionGroup as group:
            refused, others = group.split(NotAuthorized)
            if refused is None or others is not None:
                raise
            raise _leaf(refused) from None
        finally:
            self.host.online(is_online=False, reason="stopped")
            await self._polls.shutdown()
            await self.request.shutdown()

    async def _run(self, keep_drafts: Callable[[], Coroutine[Any, Any, None]]) -> None:
        user = await self._until_it_works(lambda: self.bot.get_me(read_timeout=self.timing.ask))
        self._bot_id = user.id
        me = Me(self.account, user.id, (user.username or "").lower())
        intake = Intake(
            me,
            self.host,
            topics=self.topics,
            timing=self.timing,
            clock=self.clock,
            on_press=self._acknowledge,
            on_migration=self.calls.moved,
        )
        log.info(
            "signed in",
            channel="telegram",
            account=self.account,
            username=user.username,
            sees_all=bool(user.can_read_all_group_messages),
        )
        await intake.albums.restore()
        self._presses = 0
        try:
            async with asyncio.TaskGroup() as self._group:
                self._group.create_task(keep_drafts())
                self._group.create_task(self._keep_menu())
                self._group.create_task(intake.albums.run())
                if self.webhook is None:
                    await self._poll(intake)
                else:
                    await self._listen(self.webhook, intake)
        finally:
            self._group = None
            if self.webhook is not None:
                self.webhook.intake = None

    async def _until_it_works(self, call: Callable[[], Awaitable[T]]) -> T:
        """Repeat until Telegram answers. Raises NotAuthorized."""
        failures = 0
        while True:
            try:
                return await self.calls.ask(call)
            except NotAuthorized:
                raise
            except ChannelError as error:
                failures += 1
                wait = backoff(
                    failures, self.timing.retry_first, self.timing.retry_last, self.chance.random()
                )
                if isinstance(error, RateLimited):
                    wait = error.retry_after
                self.host.online(is_online=False, reason=error.detail or type(error).__name__)
                await asyncio.sleep(wait)

    # -- receiving

    async def _poll(self, intake: Intake) -> None:
        await self._until_it_works(lambda: self.bot.delete_webhook(read_timeout=self.timing.ask))
        poller = Poller(
            f"{self.bot.base_url}/getUpdates",
            self._polls,
            self.host,
            intake,
            cursor=f"offset:{self._bot_id}",
            hold=self.settings.poll_seconds,
            timing=self.timing,
            chance=self.chance,
        )
        self.host.heard()
        self.host.online(is_online=True)
        await poller.run()

    async def _listen(self, webhook: Webhook, intake: Intake) -> None:
        """Set the webhook, and look from time to time whether it still is."""
        settings = self.settings.webhook
        assert settings is not None  # noqa: S101  (a Webhook is only made from its settings)
        url = public_url(settings, self.account)
        webhook.intake = intake
        last_error = 0
        await self._set_webhook(url, webhook.secret, settings.max_connections)
        while True:
            self.host.online(is_online=True)
            if await _is_set(webhook.changed, self.timing.webhook_check):
                webhook.changed.clear()
                await self._set_webhook(url, webhook.secret, settings.max_connections)
                continue
            info = await self._until_it_works(lambda: self.bot.get_webhook_info(read_timeout=self.timing.ask))
            if info.url != url:
                self.host.signal("conflict")
                log.warning("webhook was changed by somebody else", channel="telegram", account=self.account)
                await self._set_webhook(url, webhook.secret, settings.max_connections)
            failed = int(info.last_error_date.timestamp()) if info.last_error_date is not None else 0
            if failed > last_error:
                last_error = failed
                reason = (info.last_error_message or "")[:200]
                log.warning(
                    "webhook deliveries fail", channel="telegram", account=self.account, reason=reason
                )

    async def _set_webhook(self, url: str, secret: str, connections: int) -> None:
        await self._until_it_works(
            lambda: self.bot.set_webhook(
                url,
                max_connections=connections,
                allowed_updates=WANTED,
                secret_token=secret,
                read_timeout=self.timing.ask,
            )
        )

    # -- presses

    def _acknowledge(self, press: str, told: str) -> None:
        """Take the clock off a pressed button at once, whatever becomes of the press; `told` shows to its person."""
        if self._group is not None and self._presses < _MAX_PRESSES:
            self._presses += 1
            self._group.create_task(self._answer(press, told[:_MAX_TOLD]))

    async def _answer(self, press: str, told: str) -> None:
        try:
            await self.calls.ask(
                lambda: self.bot.answer_callback_query(
                    press, text=told or None, read_timeout=self.timing.typing
                )
            )
        except ChannelError as error:
            log.debug("press not acknowledged", channel="telegram", reason=error.detail)
        finally:
            self._presses -= 1

    # -- menu

    async def _keep_menu(self) -> None:
        try:
            await self.register_commands(self.host.commands())
        except ChannelError as error:
            self.host.signal("menu_failed")
            log.warning("command menu not set", channel="telegram", account=self.account, reason=error.detail)

    async def register_commands(self, commands: Sequence[CommandSpec]) -> None:
        """Make the menu show these; asks Telegram only when they have changed. Raises ChannelError."""
        entries: list[dict[str, Any]] = menu(commands)
        wanted = fingerprint(entries, self._bot_id)
        if not entries or await self.host.cursor("menu") == wanted:
            return
        while entries and not await self._set_menu(entries):
            entries = shorter(entries)
        await self.host.set_cursor("menu", wanted)

    async def _set_menu(self, entries: list[dict[str, Any]]) -> bool:
        """False when Telegram finds it too long."""
        try:
            await self.calls.ask(
                lambda: self.bot.set_my_commands(
                    [], read_timeout=self.timing.ask, api_kwargs={"commands": entries}
                )
            )
        except Refused as error:
            if error.code == "commands_too_many":
                return False
            raise
        return True


def _leaf(group: BaseException) -> BaseException:
    """The first exception inside nested groups."""
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group


async def _is_set(event: asyncio.Event, seconds: float) -> bool:
    """Whether it is set before so many seconds are over."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
