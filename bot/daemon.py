"""The daemon's life: open everything, take up what was unfinished, run, drain, leave."""

from __future__ import annotations

import asyncio
import gc
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from bot import metrics, words
from bot.alerts import Kind, teller
from bot.app import App
from bot.baselines import baselines_path, expectations, keep_baselines, read_baselines, write_baselines
from bot.compose import open_app
from bot.control import Method, open_control
from bot.credentials import is_open_to_others
from bot.errors import BotError
from bot.home import Home
from bot.interrupt import StopReason
from bot.keeping import keeping_methods
from bot.model_notes import notes_on, refs_in_use
from bot.pairing_methods import pairing_methods
from bot.plugins import collisions
from bot.priors import priors_path, read_priors
from bot.recovery import resume
from bot.refresh import keep_lists_fresh, model_methods
from bot.rekeying import Rekeying
from bot.rings import free_rings
from bot.route_methods import route_methods
from bot.server import Health, Listening, open_servers
from bot.settings import AccountSettings, Settings, load_settings
from bot.sources import open_models
from bot.store.lock import HomeLock
from bot.store.scrub import scrub
from bot.store.sqlite import SqliteStore, open_store
from bot.store.sweep import Retention
from bot.supervisor import Supervisor
from bot.vitals import watch_vitals
from bot.warming import warm_local
from channels.errors import ChannelError

log = structlog.get_logger()

DRAIN = 25.0
"""Seconds that running answers get after SIGTERM (Kubernetes kills after 30)."""

LEAVE = 3.0
"""Seconds to save what a second SIGTERM, or the end of the drain, breaks off."""


@dataclass(slots=True)
class Daemon:
    """One running daemon. `tell` prints a line for whoever started it. `offline_after`: see settings.alerts."""

    app: App
    listening: Listening
    tell: Callable[[str], None]
    stopping: asyncio.Event
    hurrying: asyncio.Event
    offline_after: float

    async def run(self) -> None:
        """Until SIGTERM or SIGINT; then drain."""
        async with asyncio.TaskGroup() as tasks:
            keeper, accounts = Supervisor(self.app.clock, time.time, self.app.alerts), self.app.accounts
            running = [tasks.create_task(keeper.keep(account)) for account in accounts.values()]
            running.append(tasks.create_task(keeper.tell_offline(accounts, self.offline_after)))
            running.append(tasks.create_task(watch_vitals(self.app.home.database)))
            running.append(tasks.create_task(scrub(self.app.home.database, self._damaged)))
            running.append(tasks.create_task(free_rings(lambda: not self.app.lanes.running)))
            usual = baselines_path(self.app.home)
            running.append(tasks.create_task(keep_baselines(usual, self.app.health)))
            running.append(tasks.create_task(keep_lists_fresh(self.app.models)))
            running.append(tasks.create_task(warm_local(self.app.models)))
            await self.stopping.wait()
            await self._drain()
            for task in running:
                task.cancel()

    def _damaged(self) -> None:
        metrics.store_failed("damaged")
        self.app.alerts.raise_(Kind.DISK, words.STORE_DAMAGED)

    async def _drain(self) -> None:
        """Take nothing new; let running answers end; save the rest, which goes on after the next start."""
        self.app.is_draining = True
        self.app.lanes.drain()
        if self.app.lanes.running:
            log.info("draining", running=self.app.lanes.running)
        try:
            async with asyncio.timeout(DRAIN):
                await self._idle_or_hurried()
        except TimeoutError:
            log.warning("drain ended early", running=self.app.lanes.running)
        self.app.lanes.interrupt_all(StopReason.SHUTDOWN)
        try:
            async with asyncio.timeout(LEAVE):
                await self.app.lanes.idle.wait()
        except TimeoutError:
            log.warning("answers cut off", running=self.app.lanes.running)

    async def _idle_or_hurried(self) -> None:
        waits = {
            asyncio.ensure_future(self.app.lanes.idle.wait()),
            asyncio.ensure_future(self.hurrying.wait()),
        }
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()


def _both(first: Callable[[str], None], second: Callable[[str], None]) -> Callable[[str], None]:
    def call(reason: str) -> None:
        first(reason)
        second(reason)

    return call


def _control_renewed(error: OSError | None) -> None:
    if error is not None:
        log.warning("control socket gone", error=str(error))
        return
    metrics.mended("control_socket")
    log.warning("control socket made anew")


def _hide_nothing(*_: str) -> None:
    """Whoever gives no log needs no mask."""


@asynccontextmanager
async def open_daemon(
    settings: Settings, tell: Callable[[str], None], hide: Callable[..., None] = _hide_nothing
) -> AsyncIterator[Daemon]:
    """A daemon that holds its home, listens and has taken up what was unfinished. Raises BotError.

    Channels connect once `run` runs. `hide` is given secrets that come while it runs, to mask them in the log.
    """
    home: Home = settings.home
    home.prepare()
    for path in (home.credentials, home.dotenv):
        if is_open_to_others(path):
            log.warning("secrets open to others", path=str(path), remedy=f"chmod 600 {path}")
    async with AsyncExitStack() as stack:
        stack.enter_context(HomeLock(home.root))
        store = await stack.enter_async_context(_open_store(settings))
        store.writer.on_commit, store.writer.on_failure = metrics.committed, metrics.store_failed
        models = await stack.enter_async_context(open_models(settings))
        app = await stack.enter_async_context(open_app(settings, home, store, models))
        tell_of_disk = teller(app.alerts, Kind.DISK, words.disk)
        store.writer.on_failure = _both(metrics.store_failed, tell_of_disk)
        _know_models(app, stack)
        for row in settings.accounts:
            if not row.spec.is_foreground:
                _open_account(app, row)
        rekeying = Rekeying(settings, app.accounts, lambda: _reread(settings), hide)
        listening = await stack.enter_async_context(
            open_servers(
                app.routes(),
                Health(
                    app.missing,
                    lambda: (metrics.exposition(), metrics.CONTENT_TYPE),
                    rekeying.server_token,
                    app.serves,
                ),
                (settings.server.host, settings.server.port),
                (settings.webhooks.host, settings.webhooks.port),
                report=_both(metrics.turned_away, teller(app.alerts, Kind.SECURITY, words.strangers)),
                refresh=rekeying.refresh,
            )
        )
        methods = {
            **control_methods(app, listening),
            **model_methods(models, app.health, app.clock, lambda: _reread(settings), hide),
            **route_methods(app),
            **keeping_methods(app, store),
            **pairing_methods(app),
        }
        await stack.enter_async_context(open_control(home, methods, _control_renewed))
        resumed = await resume(store, app.accounts, app.inbox, app.clock, time.time)
        if resumed:
            log.info("unfinished turns resumed", count=resumed)
        for note in notes_on(settings, refs_in_use(settings), models.listings):
            log.warning("model left", reason=note)
        metrics.started(app.desk.version)
        stopping, hurrying = asyncio.Event(), asyncio.Event()
        yield Daemon(app, listening, tell, stopping, hurrying, settings.alerts.offline_after)


def _open_store(settings: Settings) -> AbstractAsyncContextManager[SqliteStore]:
    return open_store(settings.home.database, retention=Retention.of_days(settings.store.retention))


def _know_models(app: App, stack: AsyncExitStack) -> None:
    """Take up what was measured before, and write down at the end what is usual by then."""
    app.health.expected = expectations(read_priors(priors_path(app.home)))
    usual = baselines_path(app.home)
    read_baselines(usual, app.health)
    stack.callback(write_baselines, usual, app.health)
    stack.callback(app.desk.rolling.save)


def _reread(settings: Settings) -> Settings:
    """The file and the stored secrets as they are now; variables stay those of the start."""
    return load_settings(settings.home, settings.config_file, settings.environ)


def _open_account(app: App, row: AccountSettings) -> None:
    """Imports the adapter's SDK; nothing else runs on the loop yet."""
    try:
        app.open_account(row)
    except (ImportError, ChannelError, ValueError) as error:
        log.error("channel not opened", channel=row.channel, account=row.name, error=str(error))
    except Exception:  # an adapter's fault must not keep the others from starting
        log.exception("channel not opened", channel=row.channel, account=row.name)


def control_methods(app: App, listening: Listening) -> Mapping[str, Method]:
    """What command-line verbs may ask the daemon."""

    async def status(_: Mapping[str, Any]) -> Any:
        catalog = app.models.catalog()
        return {
            "version": app.desk.version,
            "uptime": app.clock() - app.desk.started_at,
            "address": listening.private,
            "webhooks": listening.public,
            "model": catalog.primary.model.ref,
            "model_origin": app.models.origin,
            "fallbacks": [choice.model.ref for choice in catalog.fallbacks],
            "running": app.lanes.running,
            "waiting": app.lanes.waiting,
            "channels": {
                f"{channel}:{name}": {
                    "online": account.is_online,
                    "reason": account.offline_reason,
                    "since": account.since,
                }
                for (channel, name), account in app.accounts.items()
            },
        }

    async def turns(params: Mapping[str, Any]) -> Any:
        limit = int(params.get("limit", 20))
        rows = await app.store.turns(params.get("conversation"), max(1, min(limit, 500)))
        return [
            {
                "turn_id": row.turn_id,
                "conversation": row.key,
                "outcome": str(row.outcome),
                "model": row.model,
                "ended_at": row.ended_at,
                "cost_usd": row.cost_usd,
                **row.detail,
            }
            for row in rows
        ]

    async def models(_: Mapping[str, Any]) -> Any:
        catalog = app.models.catalog()
        return {
            "models": sorted(catalog.models),
            "aliases": {
                alias: [each.model.ref for each in choices] for alias, choices in catalog.aliases.items()
            },
        }

    async def stop(params: Mapping[str, Any]) -> Any:
        return {"stopped": app.lanes.stop(str(params.get("conversation", "")), StopReason.STOPPED)}

    return {"status": status, "turns": turns, "models": models, "stop": stop}


async def run_daemon(
    settings: Settings, tell: Callable[[str], None], hide: Callable[..., None] = _hide_nothing
) -> int:
    """`firstword run`: until SIGTERM (drains up to 25 s) or a second one (at once). Returns the exit code."""
    for sentence in collisions():
        raise BotError(sentence)
    async with open_daemon(settings, tell, hide) as daemon:
        loop = asyncio.get_running_loop()

        def on_signal() -> None:
            (daemon.hurrying if daemon.stopping.is_set() else daemon.stopping).set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, on_signal)
        calm_collector()
        tell(ready_line(daemon))
        log.info(
            "daemon ready",
            address=daemon.listening.private,
            model=daemon.app.models.catalog().primary.model.ref,
        )
        await daemon.run()
    log.info("daemon stopped")
    return 0


def calm_collector() -> None:
    """Let the garbage collector look seldom, and never at what the start has built.

    A full look at the objects of 1,000 running answers stops the loop for 0.3 s (p99 of our own work 342 ms
    before, 30 ms after; 2026-11). A message leaves no rings of objects behind, which a test holds, so nearly
    everything is freed without the collector. What libraries and failures leave is freed by `bot.rings`; by itself
    the collector only looks when very many objects come in the same second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(500_000, 1_000, 1_000)


def ready_line(daemon: Daemon) -> str:
    """The one line at the start: where the page is, who answers and why, how to change it."""
    models = daemon.app.models
    ref = models.catalog().primary.model.ref
    return f"Firstword is ready: {daemon.listening.private}  (model: {ref}, {models.origin}. {models.advice})"
