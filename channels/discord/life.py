"""The life of one account: sign in, run its shards, keep cursors and commands, say why it is offline."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from channels.base import Host
from channels.commands import CommandSpec
from channels.discord.answers import Answers
from channels.discord.backfill import Backfill
from channels.discord.commands import application_commands, fingerprint
from channels.discord.hooks import Hooks
from channels.discord.intake import Intake
from channels.discord.parse import Me
from channels.discord.places import Places
from channels.discord.rest import Rest
from channels.discord.sequence import Seen, dump_session, load_session
from channels.discord.settings import DiscordSettings, GuildMessages
from channels.discord.shard import DisallowedIntents, Shard
from channels.discord.signin import INTENTS_SENTENCE, Gateway, has_message_content, read_gateway
from channels.discord.snowflake import is_snowflake
from channels.discord.starts import Lanes, Starts
from channels.discord.timing import Timing
from channels.discord.wire import Identity, intents_value
from channels.errors import ChannelError, NotAuthorized, Unavailable
from channels.waiting import until_it_works

log = structlog.get_logger()

T = TypeVar("T")
# Discord keeps a session for some minutes only; an attempt with an older one costs a round trip and no identify.
_SESSION_AGE = 1800.0
_FEW_STARTS = 0.2


@dataclass(slots=True)
class Life:
    """Runs one account. Everything is handed in; nothing is shared with other accounts."""

    account: str
    settings: DiscordSettings
    host: Host
    rest: Rest
    hooks: Hooks
    timing: Timing
    chance: random.Random
    wall: Callable[[], float]
    bot_id: str = ""
    _application: str = ""
    _gateway: Gateway | None = None
    _shards: list[Shard] = field(default_factory=list)
    _states: dict[int, str] = field(default_factory=dict)
    _seen: Seen | None = None
    _stored: dict[str, str] = field(default_factory=dict)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _starts: Starts = field(default_factory=lambda: Starts(None))
    _lanes: Lanes = field(default_factory=lambda: Lanes(1, 5.0))

    async def run(self) -> None:
        """Until cancelled. Raises NotAuthorized when the token is refused."""
        try:
            while True:
                try:
                    await self._run()
                except* DisallowedIntents:
                    await self._until_intents(is_refused=True)
        except ExceptionGroup as group:
            refused, others = group.split(NotAuthorized)
            if refused is None or others is not None:
                raise
            raise _leaf(refused) from None
        finally:
            self.host.online(is_online=False, reason="stopped")
            await self.rest.close()

    async def _run(self) -> None:
        me = await self._sign_in()
        if self.settings.message_content:
            await self._until_intents(is_refused=False)
        self._gateway = await self._until_it_works(self._ask_gateway)
        count = self._gateway.shards
        self._starts = Starts(await self.host.cursor("identifies"), count)
        self._lanes = Lanes(self._gateway.concurrency, self.timing.spacing)
        most = 4 * self.settings.backfill.max_channels
        self._seen = Seen(most, await self.host.cursor("seen"))
        places = Places(me.id)
        answers = Answers(me, self.host, self.rest, places, self.timing, self.wall)
        self.hooks.answers = answers
        self._states = dict.fromkeys(range(count), "connecting")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(answers.run())
                self._shards = [
                    await self._shard(number, count, me, places, answers) for number in range(count)
                ]
                for shard in self._shards:
                    group.create_task(shard.intake.run())
                    group.create_task(shard.run())
                group.create_task(self._keep_cursors())
                if self.settings.commands:
                    group.create_task(self._keep_commands())
        finally:
            await self._save()

    async def _shard(self, number: int, count: int, me: Me, places: Places, answers: Answers) -> Shard:
        assert self._seen is not None  # noqa: S101 - made before
        seen = self._seen
        backfill = Backfill(self.settings.backfill, self.rest, places, seen, self.wall)

        async def on_ready(_data: Any, is_new: bool) -> None:  # noqa: FBT001 - the one thing it says
            if is_new:
                await backfill.run(intake, self.timing.backfill, number, count)

        intake = Intake(
            me, self.host, self.rest, places, seen, self.timing, on_ready=on_ready, on_news=self._news.set
        )
        token = self.settings.token.get_secret_value()
        value = intents_value(message_content=self.settings.message_content)
        stored = await self.host.cursor(self._cursor(number, count))
        return Shard(
            session_pool=lambda: self.rest.session,
            proxy=self.rest.proxy,
            identity=Identity(token, value, number, count),
            intake=intake,
            timing=self.timing,
            chance=self.chance,
            gateway=self._begin_session,
            on_state=self._on_state,
            on_interaction=answers.arrived,
            on_frame=self.host.heard,
            session=load_session(stored, self.wall(), _SESSION_AGE),
        )

    def _cursor(self, number: int, count: int) -> str:
        return f"session:{self.bot_id}:{number}:{count}"

    # -- signing in

    async def _sign_in(self) -> Me:
        user = await self._until_it_works(lambda: self.rest.ask("GET", "/users/@me"))
        application = await self._until_it_works(self._ask_application)
        number = user.get("id") if isinstance(user, dict) else None
        if not is_snowflake(number):
            raise NotAuthorized("Discord did not say who the bot is")
        self.bot_id, self._application = str(number), str(application["id"])
        if application.get("interactions_endpoint_url"):
            log.warning("commands and buttons go to another address", channel="discord", account=self.account)
        log.info(
            "signed in", channel="discord", account=self.account, username=str(user.get("username"))[:64]
        )
        hears_all = self.settings.guild_messages is GuildMessages.ALL
        return Me(self.account, self.bot_id, self._application, hears_all)

    async def _ask_application(self) -> dict[str, Any]:
        found = await self.rest.ask("GET", "/applications/@me")
        if not isinstance(found, dict) or not is_snowflake(found.get("id")):
            raise Unavailable("Discord did not say which application it is")
        return found

    async def _ask_gateway(self) -> Gateway:
        found = read_gateway(await self.rest.ask("GET", "/gateway/bot"), self.settings.gateway)
        if found is None:
            raise Unavailable("Discord did not say where its gateway is")
        return found

    async def _until_intents(self, *, is_refused: bool) -> None:
        """Wait until the application has the privileged intent switched on; asking costs no identify.

        `is_refused`: the gateway said that it has not. Its flags may be wrong, so it is tried again all the same
        after some minutes.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + self.timing.identify_again
        application = await self._until_it_works(self._ask_application)
        is_on = has_message_content(application)
        if is_on and not is_refused:
            return
        while loop.time() < until:
            self.host.online(is_online=False, reason=INTENTS_SENTENCE.format(id=application["id"]))
            await asyncio.sleep(self.timing.intents)
            application = await self._until_it_works(self._ask_application)
            was_on, is_on = is_on, has_message_content(application)
            if is_on and not was_on:
                return

    async def _begin_session(self, shard: int) -> str:
        """The gateway's address, once this shard may identify. Raises Unavailable."""
        while (wait := self._starts.wait(self.wall())) > 0:
            self._on_state(
                shard,
                "too many starts in the last half hour; it waits so that Discord keeps the token",
            )
            await asyncio.sleep(min(wait, 60.0))
        gateway = await self._ask_gateway()
        if gateway.remaining < _FEW_STARTS * gateway.total:
            log.warning(
                "few session starts left",
                channel="discord",
                remaining=gateway.remaining,
                retry_after=gateway.reset_after,
            )
        if gateway.remaining <= 0:
            self._on_state(shard, "no session starts left today")
            await asyncio.sleep(gateway.reset_after)
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._lanes.book(shard, loop.time()))
        self._starts.note(self.wall())
        await self.host.set_cursor("identifies", self._starts.dump())
        return gateway.url

    async def _until_it_works(self, call: Callable[[], Awaitable[T]]) -> T:
        """Repeat until Discord answers. Raises NotAuthorized."""
        timing = self.timing
        return await until_it_works(
            call, self.host, first=timing.retry_first, last=timing.retry_last, chance=self.chance.random
        )

    def _on_state(self, shard: int, reason: str) -> None:
        """A shard is ready (""), or why it is not."""
        if not reason and self._states.get(shard) != "connecting":
            self.host.signal("reconnected")
        self._states[shard] = reason
        many = len(self._states) > 1
        missing = [f"shard {one}: {why}" if many else why for one, why in self._states.items() if why]
        self.host.online(is_online=not missing, reason="; ".join(missing[:3]))

    # -- keeping

    async def _keep_cursors(self) -> None:
        """Once a second, and at once what the next process could not do without."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.timing.cursor_every):
                    await self._news.wait()
            self._news.clear()
            await self._store()

    async def _store(self) -> None:
        """Where each session stands and what was last seen; only what has changed."""
        for shard in self._shards:
            session, progress = shard.session, shard.progress
            if session is None or progress is None or progress.session != session.id:
                continue
            if not progress.is_begun:
                continue  # resumed from here nobody would fetch what was missed before it
            number = self._cursor(shard.identity.shard, shard.identity.shards)
            mark = f"{session.id}:{progress.confirmed}"
            if self._stored.get(number) != mark:
                kept = type(session)(session.id, progress.confirmed, session.url)
                await self.host.set_cursor(number, dump_session(kept, self.wall()))
                self._stored[number] = mark
        if self._seen is not None and self._seen.is_changed:
            self._seen.is_changed = self._seen.has_new = False
            await self.host.set_cursor("seen", self._seen.stored())

    async def _save(self) -> None:
        """At the end, so that the next process goes on exactly here."""
        self._stored.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._store()

    # -- commands

    async def _keep_commands(self) -> None:
        try:
            await self.register_commands(self.host.commands())
        except ChannelError as error:
            self.host.signal("menu_failed")
            log.warning(
                "commands not registered", channel="discord", account=self.account, reason=error.detail
            )

    async def register_commands(self, commands: Sequence[CommandSpec]) -> None:
        """Make Discord know these; asks it only when they have changed. Raises ChannelError."""
        if not self.settings.commands or not self._application:
            return
        entries = application_commands(commands)
        wanted = fingerprint(entries, self._application)
        if await self.host.cursor("commands") == wanted:
            return
        await self.rest.ask("PUT", f"/applications/{self._application}/commands", entries)
        await self.host.set_cursor("commands", wanted)


def _leaf(group: BaseException) -> BaseException:
    """The first exception inside nested groups."""
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group
