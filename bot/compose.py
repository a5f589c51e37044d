"""The composition root: everything is built here and handed down; nothing is looked up from below."""

from __future__ import annotations

import asyncio
import functools
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

import structlog

from bot import metrics, words
from bot.alerts import Alerts, Kind
from bot.answering import Answering
from bot.app import App
from bot.attachments import Attachments
from bot.cascading import Cascading
from bot.choices import WiderChoices
from bot.classifying import Classifying
from bot.commands.registry import Desk, Table, answer_command
from bot.commands.table import all_commands
from bot.conversations import Conversations
from bot.difficulty import judge
from bot.doorkeeper import Doorkeeper
from bot.feedback import Feedback
from bot.fetch import Fetcher, look_up
from bot.grants import ROLES, Grants
from bot.home import Home
from bot.ids import new_turn_id
from bot.inbox import RECENT_KEYS, Inbox
from bot.lanes import Lanes, Spawn, Turn
from bot.learning import Learner
from bot.limits import Limits, Rate
from bot.loops import Loops
from bot.machine import MACHINE, Machine
from bot.mcp import open_box
from bot.media.extract import Extractor
from bot.media.speech import Speech
from bot.messenger import Messenger
from bot.notes import Notes
from bot.recent import Recent
from bot.record import report_attempt
from bot.rollout import Rolling
from bot.seconds import Seconds
from bot.settings import Settings
from bot.settings.limits import RateSection
from bot.sources import Models
from bot.spending import Spending, pressed
from bot.store.base import Store
from bot.suspects import Suspects
from bot.tools import ToolBox
from bot.tries import Tries
from bot.turn import Turns
from bot.warming import Warmer
from bot.watchdog import Watchdog, moved
from providers.errors import ErrorKind
from providers.rows import LimitSettings
from routing.execute import Attempt, Tools
from routing.health import Health
from routing.hedge import Hedges
from routing.ledger import Caps
from routing.places import Places
from routing.pressure import Pressure
from routing.spend import DAY
from routing.tasks import tasks

log = structlog.get_logger()

DEFAULT_SYSTEM = (
    "You are a helpful assistant in a chat. Answer in the language of the question. "
    "Be brief and plain; use Markdown only where it helps."
)


@asynccontextmanager
async def open_app(
    settings: Settings,
    home: Home,
    store: Store,
    models: Models,
    box: ToolBox | None = None,
    *,
    machine: Machine = MACHINE,
) -> AsyncIterator[App]:
    """The daemon's inside, running while the context is open: lanes work, nothing is connected yet.

    `box`: what models may call; None: what the servers of the settings offer. `machine`: its time and chance. The
    tasks that it starts end with the context, whatever they wait for; a fault in one that answers people ends all.
    """
    alive: set[asyncio.Task[None]] = set()
    async with asyncio.TaskGroup() as tasks:

        def spawn(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
            task = tasks.create_task(work, name=name)
            alive.add(task)
            task.add_done_callback(alive.discard)
            return task

        box = box or open_box(settings.tool_servers, spawn)
        app = _build(settings, home, store, models, spawn, box, machine=machine)
        metrics.watch_queue("turns", lambda: app.lanes.waiting)
        metrics.watch_running(lambda: app.lanes.running)
        await app.grants.load()
        await app.desk.spending.load()
        await _recall(app.inbox.limits, store, machine)
        await app.desk.rolling.load()
        await app.desk.feedback.learner.load()
        await app.suspects.begin_life(machine.wall())
        spawn(app.messenger.run(app.accounts), "alerts")
        yield app
        await app.suspects.end_life()
        for task in list(alive):
            task.cancel()


def _build(
    settings: Settings,
    home: Home,
    store: Store,
    models: Models,
    spawn: Spawn,
    box: ToolBox,
    *,
    machine: Machine,
) -> App:
    clock = machine.clock
    table = all_commands({name: ROLES[role] for name, role in settings.commands.roles.items()})
    aside = _aside(spawn)
    conversations, choices = Conversations(store), WiderChoices(store)
    alerts = Alerts(clock, settings.alerts.cooldown, settings.alerts.kinds)
    books = _books(settings, store, models, aside, machine, alerts)
    answering, suspects = _answering(settings, models, aside, box, choices, books), Suspects(store)
    turns = Turns(
        store=store,
        tries=Tries(store, machine.wall, lambda: lanes.is_draining, alerts, suspects),
        conversations=conversations,
        answering=answering,
        command=lambda turn: answer_command(turn, table, desk),
        clock=clock,
        wall=machine.wall,
        feedback=books.feedback,
        notes=Notes(clock, table.index.keys()),
        watchdog=Watchdog(alerts),
        met=lambda turn: messenger.met(turn),  # noqa: PLW0108 - made below
    )
    loops = Loops()
    run = _noted(turns.run, loops, clock)
    lanes = Lanes(run, spawn, clock, lambda turn: store.join(turn.turn_id, turn.merged_ids))
    messenger = _messenger(settings, store, alerts, conversations, lanes, machine)
    desk = _desk(models, lanes, conversations, choices, books, box)
    warmer = _warmer(settings, models, conversations, answering, aside, books)
    return App(
        home=home,
        store=store,
        models=models,
        health=books.tools.health,
        lanes=lanes,
        inbox=_inbox(settings, desk, table, warmer, machine, loops),
        conversations=conversations,
        choices=choices,
        desk=desk,
        table=table,
        system=lambda agent: _system(settings, agent),
        persona=lambda agent: settings.agent(agent).system_prompt or "",
        clock=clock,
        messenger=messenger,
        grants=books.grants,
        suspects=suspects,
        accounts=desk.accounts,
    )


def _aside(spawn: Spawn) -> Spawn:
    """For what nobody waits for: a fault in it, perhaps of a stranger's adapter, is logged and ends nothing else."""

    async def guarded(work: Coroutine[Any, Any, None], name: str) -> None:
        try:
            await work
        except Exception as error:
            log.exception("work beside the answers failed", task=name, error=type(error).__name__)

    def begin(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = spawn(guarded(work, name), name)
        task.add_done_callback(lambda _: work.close())  # one that is cancelled at once never began
        return task

    return begin


def _messenger(
    settings: Settings,
    store: Store,
    alerts: Alerts,
    conversations: Conversations,
    lanes: Lanes,
    machine: Machine,
) -> Messenger:
    return Messenger(
        alerts=alerts,
        to=settings.alerts.to,
        store=store,
        conversations=conversations,
        lanes=lanes,
        clock=machine.clock,
        wall=machine.wall,
        new_id=lambda: new_turn_id(machine.wall(), machine.bits),
    )


@dataclass(frozen=True, slots=True)
class _Books:
    """What asking needs and leaves behind: health, money, who is served by what, what is said of it, who is let in."""

    store: Store
    tools: Tools
    spending: Spending
    rolling: Rolling
    feedback: Feedback
    alerts: Alerts
    grants: Grants
    wall: Callable[[], float]


def _books(
    settings: Settings, store: Store, models: Models, spawn: Spawn, machine: Machine, alerts: Alerts
) -> _Books:
    wall = machine.wall
    spending = Spending(_caps(settings), store, wall, alerts.raise_)
    health = Health(epoch=wall() - machine.clock())
    rolling = _rolling(settings, store, spawn, wall)
    feedback = Feedback(store, rolling, Learner(store, wall, is_on=settings.routing.learns), wall)
    tools = _tools(settings, models, health, spending, machine, alerts)
    grants = Grants(store, wall, machine.bits, lambda way: alerts.raise_(Kind.SECURITY, words.guessed(way)))
    return _Books(store, tools, spending, rolling, feedback, alerts, grants, wall)


def _answering(
    settings: Settings,
    models: Models,
    spawn: Spawn,
    box: ToolBox,
    choices: WiderChoices,
    books: _Books,
) -> Answering:
    classifying = Classifying(settings.routing.semantic, models, books.spending)
    if classifying.is_wanted:
        spawn(classifying.prepare(), "classifier")
    tasks()  # read now: at the first question there may be no descriptor left
    return Answering(
        catalog=models.catalog,
        tools=books.tools,
        chosen=choices,
        box=box,
        latch=books.store.add_key,
        attachments=Attachments(Fetcher(look_up), Extractor(), lambda: _paid(models.speech, books.spending)),
        wall=books.wall,
        difficulty=judge(books.feedback.learner.bounds),
        press=lambda query, catalog: pressed(query, catalog, books.tools.places, books.spending),
        rolling=books.rolling,
        judge=classifying.judge,
        cascading=Cascading(settings.routing.cascade, books.tools),
        drafts=lambda agent: settings.agent(agent).draft_then_deep,
    )


def _warmer(
    settings: Settings,
    models: Models,
    conversations: Conversations,
    answering: Answering,
    spawn: Spawn,
    books: _Books,
) -> Warmer:
    return Warmer(
        models,
        conversations,
        answering,
        lambda agent: settings.agent(agent).warm_prompts,
        spawn,
        books.tools.clock,
        books.wall,
        books.spending,
    )


def _paid(speech: Speech | None, spending: Spending) -> Speech | None:
    return replace(speech, money=spending) if speech is not None else None


def _desk(
    models: Models,
    lanes: Lanes,
    conversations: Conversations,
    choices: WiderChoices,
    books: _Books,
    box: ToolBox,
) -> Desk:
    return Desk(
        store=books.store,
        lanes=lanes,
        conversations=conversations,
        choices=choices,
        catalog=models.catalog,
        health=books.tools.health,
        clock=books.tools.clock,
        started_at=books.tools.clock(),
        version=_version(),
        model_origin=lambda: models.origin,
        spending=books.spending,
        rolling=books.rolling,
        feedback=books.feedback,
        grants=books.grants,
        tools=box,
    )


@functools.cache
def _version() -> str:
    """Read once in a process: that takes 3 ms."""
    return version("firstword")


def _rolling(settings: Settings, store: Store, spawn: Spawn, wall: Callable[[], float]) -> Rolling:
    section = settings.routing.rollout
    sample, most = section.sample, section.sample_budget
    seconds = Seconds(sample, most, spawn, wall) if sample else None
    return Rolling(section, store, wall, seconds)


def _caps(settings: Settings) -> Caps:
    section = settings.routing.budget

    def plain(usd: float | None) -> float:
        return math.inf if usd is None else usd

    return Caps(
        plain(section.per_day),
        plain(section.per_month),
        plain(section.per_sender),
        plain(section.per_conversation),
        section.soft,
        section.hard,
    )


def _places(settings: Settings, clock: Callable[[], float]) -> Places:
    """What the settings let each provider's keys use; other adapters' settings have no limits."""
    found = {row.name: getattr(row.settings, "limits", None) for row in settings.providers}
    limits = {name: each.plain() for name, each in found.items() if isinstance(each, LimitSettings)}
    return Places(Pressure(limits, settings.routing.kept_for_people), clock)


def _tools(
    settings: Settings, models: Models, health: Health, spending: Spending, machine: Machine, alerts: Alerts
) -> Tools:
    def report(attempt: Attempt) -> None:
        report_attempt(attempt)
        moved()
        if attempt.kind in (ErrorKind.AUTH, ErrorKind.PERMISSION):
            rung = attempt.rung
            alerts.raise_(Kind.CREDENTIAL, words.key_refused(rung.model.provider, rung.credential_id))

    return Tools(
        providers=models.providers,
        credential=models.credential,
        health=health,
        clock=machine.clock,
        roll=machine.roll,
        sleep=asyncio.sleep,
        report=report,
        money=spending,
        fallback_on_auth_error=settings.auth.fallback_on_auth_error,
        hedges=_hedges(settings),
        places=_places(settings, machine.clock),
    )


def _hedges(settings: Settings) -> Hedges | None:
    hedge = settings.routing.hedge
    return Hedges(hedge.share) if hedge.enabled else None


def _noted(
    run: Callable[[Turn], Coroutine[Any, Any, None]], loops: Loops, clock: Callable[[], float]
) -> Callable[[Turn], Coroutine[Any, Any, None]]:
    """Answers each turn, and notes when that was over: whoever says something at once after it may be a bot."""

    async def work(turn: Turn) -> None:
        await run(turn)
        loops.answered(turn.key, clock())

    return work


def _inbox(
    settings: Settings, desk: Desk, table: Table, warm: Warmer, machine: Machine, loops: Loops
) -> Inbox:
    told = Recent(RECENT_KEYS)
    return Inbox(
        store=desk.store,
        lanes=desk.lanes,
        conversations=desk.conversations,
        commands=table.by_name,
        specs=table.index,
        warm=warm,
        clock=desk.clock,
        wall=machine.wall,
        new_id=lambda: new_turn_id(machine.wall(), machine.bits),
        feedback=desk.feedback,
        limits=Limits(_rate(settings.limits.per_sender), _rate(settings.limits.per_conversation)),
        door=Doorkeeper(desk.grants, table.index, desk.clock, told),
        loops=loops,
        told=told,
    )


async def _recall(limits: Limits, store: Store, machine: Machine) -> None:
    """What people said today before the start."""
    wall, senders, conversations = machine.wall(), Counter[str](), Counter[str]()
    for channel, account, sender, conversation, count in await store.said_since(wall // DAY * DAY):
        senders[f"account:{channel}:{account} {sender}"] += count
        conversations[conversation] += count
    limits.senders.recall(senders, machine.clock(), wall)
    limits.conversations.recall(conversations, machine.clock(), wall)


def _rate(section: RateSection) -> Rate:
    def plain(count: int | None) -> float:
        return math.inf if count is None else count

    return Rate(plain(section.per_minute), plain(section.per_day))


def _system(settings: Settings, agent: str | None) -> str:
    """The prompt that an account's model is told first."""
    named = settings.agent(agent).system_prompt
    return DEFAULT_SYSTEM if named is None else named
