"""The life of one account: sign in, receive over sockets or signed requests, look back, keep names."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from channels.base import Host
from channels.commands import CommandSpec
from channels.errors import ChannelError, NotAuthorized
from channels.events import Message
from channels.slack.assistant import Assistant
from channels.slack.backfill import Backfill, Seen
from channels.slack.calls import Api
from channels.slack.intake import Hooks, Intake
from channels.slack.manifest import SCOPES
from channels.slack.memory import Memory, Names
from channels.slack.payload import Me, Opened
from channels.slack.settings import Place, SlackSettings
from channels.slack.sockets import Sockets
from channels.slack.text import escape
from channels.slack.timing import Timing
from channels.slack.webhook import Webhook
from channels.waiting import until_it_works

log = structlog.get_logger()

T = TypeVar("T")
# Small things that are under way beside the events; one more is left out.
_MAX_ERRANDS = 100


@dataclass(slots=True)
class Life:
    """Runs one account. Everything is handed in; nothing is shared with other accounts."""

    account: str
    settings: SlackSettings
    host: Host
    api: Api
    memory: Memory
    webhook: Webhook | None
    timing: Timing
    chance: random.Random
    clock: Callable[[], float]
    now: Callable[[], float]
    _group: asyncio.TaskGroup | None = None
    _errands: int = 0
    _revoked: asyncio.Future[str] | None = field(default=None)

    async def run(self) -> None:
        """Until cancelled. Raises NotAuthorized when a token is refused or the app is removed."""
        await self.api.open()
        try:
            await self._run()
        except ExceptionGroup as group:
            refused, others = group.split(NotAuthorized)
            if refused is None or others is not None:
                raise
            raise _leaf(refused) from None
        finally:
            self.host.online(is_online=False, reason="stopped")
            if self.webhook is not None:
                self.webhook.intake = None
            await self.api.close()

    async def _run(self) -> None:
        me = await self._sign_in()
        app_id = await app_of(self.api, me.bot) if self.webhook is None else ""
        seen = Seen(self.host, f"seen:{me.team}:{me.user}", self.settings.backfill.conversations)
        await seen.load()
        names = Names(self.api, self.memory, self.clock, self.timing.name_keep)
        assistant = Assistant(me, self.api, self.host, self.settings.prompts, self.timing, self.clock)
        look = Backfill(
            self.api, self.host, seen, self.settings.backfill, self.timing, self.now, self.account
        )
        hooks = Hooks(
            on_opened=lambda opened: self._greet(assistant, opened),
            on_message=lambda message: self._took(assistant, seen, message),
            on_refused=lambda url, line: self._errand(self._tell(url, line)),
            on_revoked=self._was_revoked,
            on_full=look.want_later,
            in_turn=look.in_turn,
            on_stopped=lambda channel, thread: self._errand(assistant.rest(channel, thread)),
        )
        intake = Intake(
            me,
            self.host,
            self.memory,
            names,
            hooks,
            follow_ups=self.settings.follow_ups,
            now=self.now,
        )
        self._revoked = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as self._group:
            self._group.create_task(self._end_when_revoked(self._revoked))
            self._group.create_task(names.run())
            self._group.create_task(seen.keep(self.timing.seen_every))
            self._group.create_task(look.run(intake))
            self._group.create_task(self._stay_signed_in())
            if self.webhook is not None:
                await self._listen(self.webhook, intake, look)
            else:
                await self._sockets(intake, app_id, look).run(self._group)

    async def _sign_in(self) -> Me:
        data, scopes = await self._until_it_works(self.api.sign_in)
        user, team = str(data.get("user_id") or ""), str(data.get("team_id") or "")
        if not user:
            raise NotAuthorized("Slack named no user for the token; it takes a bot token (xoxb-)")
        missing = [scope for scope in SCOPES if scope not in scopes]
        if scopes and missing:
            log.warning(
                "scopes are missing",
                channel="slack",
                account=self.account,
                missing=", ".join(missing),
                remedy="add them to the app (the manifest has them all) and reinstall it",
            )
        self.memory.names.put(user, str(data.get("user") or ""))
        log.info("signed in", channel="slack", account=self.account, username=data.get("user"), team=team)
        return Me(
            self.account,
            user,
            str(data.get("bot_id") or ""),
            team,
            self.settings.command,
            self.settings.direct is Place.THREAD,
            self.settings.channel is Place.THREAD,
            _at_once(self.host.commands()),
        )

    async def _until_it_works(self, call: Callable[[], Awaitable[T]]) -> T:
        """Repeat until Slack answers. Raises NotAuthorized."""
        timing = self.timing
        return await until_it_works(
            call, self.host, first=timing.retry_first, last=timing.retry_last, chance=self.chance.random
        )

    # -- receiving

    def _sockets(self, intake: Intake, app_id: str, look: Backfill) -> Sockets:
        return Sockets(
            intake=intake,
            settings=self.settings,
            host=self.host,
            timing=self.timing,
            chance=self.chance,
            clock=self.clock,
            app_id=app_id,
            account=self.account,
            on_gap=look.want,
        )

    async def _listen(self, webhook: Webhook, intake: Intake, look: Backfill) -> None:
        """Take requests until cancelled."""
        webhook.intake = intake
        look.want()
        self.host.online(is_online=True)
        await asyncio.Event().wait()

    async def _stay_signed_in(self) -> None:
        """Look from time to time whether the bot's token is still good: neither socket nor requests need it."""
        while True:
            await asyncio.sleep(self.timing.auth_every)
            try:
                await self.api.sign_in()
            except NotAuthorized:
                raise
            except ChannelError as error:
                log.debug("token not checked", channel="slack", account=self.account, reason=error.detail)

    def _was_revoked(self, reason: str) -> None:
        if self._revoked is not None and not self._revoked.done():
            self._revoked.set_result(reason)

    @staticmethod
    async def _end_when_revoked(revoked: asyncio.Future[str]) -> None:
        raise NotAuthorized(await revoked)

    # -- errands

    async def _took(self, assistant: Assistant, seen: Seen, message: Message) -> None:
        if assistant.needs_title(message):
            self._errand(assistant.name(message))
        await seen.note(message)

    def _greet(self, assistant: Assistant, opened: Opened) -> None:
        self._errand(assistant.greet(opened))

    async def _tell(self, url: str, line: str) -> None:
        """Say to the one who pressed why nothing happens."""
        body = {"response_type": "ephemeral", "replace_original": False, "text": escape(line)}
        try:
            await self.api.respond(url, body, seconds=self.timing.typing)
        except ChannelError as error:
            log.debug("refusal not shown", channel="slack", account=self.account, reason=error.detail)

    def _errand(self, work: Coroutine[Any, Any, None]) -> None:
        if self._group is None or self._errands >= _MAX_ERRANDS:
            work.close()
            return
        run = self._run_errand(work)
        try:
            self._group.create_task(run)
        except RuntimeError:  # the account is being stopped; a request may still be on its way through
            run.close()
            work.close()
            return
        self._errands += 1

    async def _run_errand(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        finally:
            self._errands -= 1


def _at_once(commands: Sequence[CommandSpec]) -> frozenset[str]:
    """The names of the commands that ask no model."""
    return frozenset(
        name
        for spec in commands
        if not spec.takes_turn
        for name in (spec.name, *spec.aliases, *spec.channel_names.values())
    )


async def app_of(api: Api, bot: str) -> str:
    """The app that a bot belongs to, "" when Slack does not say: a socket of another app would hear nothing of it."""
    try:
        data = await api.ask("bots.info", {"bot": bot}) if bot else {}
    except ChannelError:
        return ""
    found = data.get("bot")
    return str(found.get("app_id") or "") if isinstance(found, dict) else ""


def _leaf(group: BaseException) -> BaseException:
    """The first exception inside nested groups."""
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group
