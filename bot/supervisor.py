"""Keeps an account's channel running: each life of it has a number, and a silent or broken one gives way to the next.

A channel socket may look open for hours and hear nothing (openclaw issues 54682, 75660 and 99681; AstrBot 7125, read
2026-11). Every adapter watches its own heartbeats; this is the net below, for the day on which such a watch fails. And
what an old connection says after a new one was made is not heard (AstrBot issue 7259: a reconnect left a second
listener, and every answer came twice).
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass

import structlog

from bot import metrics, words
from bot.accounts import Account
from bot.alerts import Alerts, Kind
from channels.errors import ChannelError, NotAuthorized

log = structlog.get_logger()

RESTART_FIRST = 1.0
RESTART_MAX = 60.0

GRACE = 10.0
"""Seconds that an ended connection has to clean up; then it is left behind."""

LOOKS = 6
"""How often within the longest silence it is looked whether something was heard."""

OFFLINE_EVERY = 15.0
"""Seconds between two looks for accounts that are without their connection for long."""

_life: ContextVar[int | None] = ContextVar("life", default=None)


def is_late(account: Account) -> bool:
    """Whether the caller belongs to a life of the account that is over. What no life began never does: a request."""
    life = _life.get()
    return life is not None and life != account.life


def step_out() -> contextvars.Token[int | None]:
    """What is begun from here belongs to no life: a turn goes on when its account's connection is made anew."""
    return _life.set(None)


def step_back(token: contextvars.Token[int | None]) -> None:
    """Undo `step_out`."""
    _life.reset(token)


@dataclass(frozen=True, slots=True)
class Supervisor:
    """Runs accounts. `clock` is monotonic, `wall` Unix time. `first`: seconds of the first pause between two lives."""

    clock: Callable[[], float]
    wall: Callable[[], float]
    alerts: Alerts
    first: float = RESTART_FIRST

    async def keep(self, account: Account) -> None:
        """Run the account's channel until cancelled, or until it can never work.

        A fault of the adapter, the end of its connection and a silence of more than `account.silence` seconds each
        end one life and begin the next, ever less soon when lives are short.
        """
        channel = account.channel
        # Two accounts of one channel say the same things: every line of this task, and of those it begins, says whose.
        structlog.contextvars.bind_contextvars(account=channel.account)
        pause, left = self.first, set[asyncio.Task[None]]()
        while True:
            began = self.clock()
            try:
                reason = await self._live(account, left)
            except NotAuthorized as error:
                self._went_offline(account, f"not authorised: {error.detail}")
                log.error(
                    "channel stopped", channel=channel.name, account=channel.account, reason=error.detail
                )
                self.alerts.raise_(Kind.CHANNEL, words.channel_stopped(account.scope_name, error.detail))
                return
            self._went_offline(account, reason)
            pause = self.first if self.clock() - began > RESTART_MAX else min(pause * 2, RESTART_MAX)
            log.warning("channel restarting", channel=channel.name, reason=reason, retry_after=pause)
            await asyncio.sleep(pause)
            left = {each for each in left if not each.done()}
            if len(left) > 1:  # one is borne, as nobody listens to it; they must not become many
                await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)

    async def _live(self, account: Account, left: set[asyncio.Task[None]]) -> str:
        """One life, from beginning to end; why it ended. Raises NotAuthorized."""
        account.life += 1
        account.heard_at = None
        context = contextvars.copy_context()
        context.run(_life.set, account.life)
        loop = asyncio.get_running_loop()
        running = loop.create_task(account.channel.run(), name=f"channel {account.scope}", context=context)
        silent = loop.create_task(self._until_silent(account), name="silence")
        try:
            await asyncio.wait((running, silent), return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                metrics.connection_rebuilt(account.channel.name)
                return f"nothing was heard for {account.silence:g} seconds"
            return _ended(account, running)
        finally:
            silent.cancel()
            try:
                await self._end(account, running, left)  # it may write down how far it came
            finally:
                account.life += 1  # from here on it is late, whatever it still does

    async def _until_silent(self, account: Account) -> None:
        """Ends when the account is connected and was not heard for too long; never where nothing is declared."""
        silence = account.silence
        while silence is None or account.heard_at is None or self.clock() - account.heard_at < silence:
            await asyncio.sleep(silence / LOOKS if silence is not None else 3600.0)
            if account.heard_at is not None and not account.is_online:
                account.heard_at = self.clock()  # it says itself that it has no connection, and makes another

    async def _end(
        self, account: Account, running: asyncio.Task[None], left: set[asyncio.Task[None]]
    ) -> None:
        if running.done():
            return
        running.cancel()
        done, _ = await asyncio.wait((running,), timeout=GRACE)
        if done:
            if not running.cancelled() and (error := running.exception()) is not None:
                log.warning("channel ended badly", channel=account.channel.name, error=type(error).__name__)
            return
        log.error("channel does not end", channel=account.channel.name, account=account.channel.account)
        metrics.task_abandoned("channel")
        left.add(running)

    def _went_offline(self, account: Account, reason: str) -> None:
        account.report(is_online=False, reason=reason, now=self.wall())
        metrics.channel_online(account.channel.name, account.channel.account, is_online=False)

    async def tell_offline(self, accounts: Mapping[tuple[str, str], Account], after: float) -> None:
        """Until cancelled: alert once for each account that is without its connection for `after` seconds."""
        since: dict[str, float] = {}
        told: set[str] = set()
        while True:
            await asyncio.sleep(min(OFFLINE_EVERY, after))
            for account in accounts.values():
                name = account.scope_name
                if account.is_online:
                    since.pop(name, None)
                    told.discard(name)
                elif name not in told and self.clock() - since.setdefault(name, self.clock()) >= after:
                    told.add(name)
                    self.alerts.raise_(Kind.CHANNEL, words.channel_away(name, account.offline_reason))


def _ended(account: Account, running: asyncio.Task[None]) -> str:
    """Why a life ended by itself. Raises NotAuthorized."""
    channel = account.channel
    try:
        running.result()
    except NotAuthorized:
        raise
    except ChannelError as error:
        return error.detail or type(error).__name__
    except asyncio.CancelledError:
        return "its task was cancelled"
    except Exception as error:  # an adapter's fault must not take the others down
        log.exception("channel failed", channel=channel.name, account=channel.account)
        return type(error).__name__
    return "its connection ended"
