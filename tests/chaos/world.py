"""One seed from its first message to its last life. `play` gives what the auditor looks at."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import structlog

from bot.access import Policy
from bot.accounts import Account
from bot.app import App
from bot.compose import open_app
from bot.home import Home
from bot.host import AccountHost
from bot.interrupt import StopReason
from bot.machine import Machine
from bot.recovery import resume
from bot.settings import Settings, load_settings
from bot.settings.limits import LimitsSection, RateSection
from bot.sources import Models
from bot.store.base import Store
from bot.tools import ToolBox, ToolResult
from channels.base import Host
from channels.capabilities import Streaming
from channels.fake import FakeChannel
from providers.base import Provider
from routing.catalog import Catalog, Choice
from tests.chaos.disk import Disk
from tests.chaos.fate import Fate, draw
from tests.chaos.life import Death, Life, Point, draw_death
from tests.chaos.loop import IS_OVER, ChaosLoop
from tests.chaos.model import ChaosModel, Vendors
from tests.chaos.people import EPOCH, People
from tests.chaos.wire import ChaosChannel, Platform
from tests.story.toolbox import Box

PATIENCE = 6 * 3600.0
"""Virtual seconds after which a life that does not come to rest is a finding."""


@dataclass(frozen=True, slots=True)
class Called:
    """A tool did its work."""

    name: str
    note: int
    at: float
    life: int


@dataclass
class ChaosBox(Box):
    """Tools outside of the process, within one life. What they did stands in `log`."""

    life: Life | None = None
    dice: random.Random = field(default_factory=random.Random)
    log: list[Called] = field(default_factory=list)

    async def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """It is made, or is cut off on the way there or back."""
        life = self.life
        if life is None or not life.is_alive:
            raise asyncio.CancelledError
        there, back, arrives = self.dice.uniform(0, 0.2), self.dice.uniform(0, 0.2), self.dice.random() < 0.5
        called = functools.partial(Called, name, int(arguments["note"]))
        try:
            await asyncio.sleep(there)
        except asyncio.CancelledError:
            if arrives:
                self.log.append(called(life.loop.time(), life.number))
            raise
        self.log.append(called(life.loop.time(), life.number))
        life.passes(Point.CALLED)
        await asyncio.sleep(back)
        return ToolResult("written")


@dataclass(frozen=True, slots=True)
class Planted:
    """A dependency that is not as it should be, for each place where one is handed in. Nothing: all are sound."""

    store: Callable[[Store], Store] = lambda store: store
    channel: type[ChaosChannel] = ChaosChannel
    model: type[ChaosModel] = ChaosModel
    host: Callable[[AccountHost], Host] = lambda host: host
    death: Callable[[random.Random], Death] = draw_death
    only: Callable[[Fate], Fate] = lambda fate: fate


SOUND = Planted()


@dataclass
class World:
    """Everything outside of the process, and the process's lives."""

    seed: int
    folder: Path
    planted: Planted = SOUND
    lives: list[Life] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    outside: set[asyncio.Task[object]] = field(default_factory=set)
    vendors: Vendors = field(default_factory=Vendors)
    tools: list[Called] = field(default_factory=list)
    unstored: set[str] = field(default_factory=set)
    unkept: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fate = self.planted.only(draw(self.seed))
        self.loop = ChaosLoop()
        can_edit = self.fate.capabilities.streaming in {Streaming.EDIT, Streaming.NATIVE}
        truth = FakeChannel(
            self.fate.capabilities, edits=can_edit, clock=self.loop.time, echoes=self.fate.echoes
        )
        self.platform = Platform(self.fate, truth)
        self.people = People(self.platform, self.dice("people"))
        self.home = Home(self.folder)
        self.disk = Disk(
            self.home.database, self.dice("disk"), self.fate.disk, self.fate.disk_faults, self.wall
        )

    def dice(self, name: str) -> random.Random:
        """Chance for one part of the world, so that parts do not disturb each other."""
        return random.Random(f"{name} {self.seed}")

    def wall(self) -> float:
        """Seconds since 1970."""
        return EPOCH.timestamp() + self.loop.time()

    def tell(self, what: str) -> None:
        """A line of the story that a failing seed prints."""
        self.story.append(f"{self.loop.time():9.3f}  {what}")

    # The lives.

    async def run(self) -> None:
        """One life after the other, the last one in peace."""
        current = asyncio.current_task()
        people: asyncio.Task[object] = asyncio.create_task(self.people.live())
        self.outside = {each for each in (current, people) if each is not None}
        dice = self.dice("deaths")
        for number in range(self.fate.kills + 1):
            death = self.planted.death(dice) if number < self.fate.kills else None
            await self._live(number, death)
            downtime = dice.choice((0.1, 1.0, 5.0)) * dice.uniform(0.5, 2)
            if death is not None and dice.random() < self.fate.long_downtime:
                downtime = dice.choice((900.0, 1200.0, 90_000.0))
            await asyncio.sleep(downtime)
        await self._live(self.fate.kills + 1, None, is_last=True)
        people.cancel()

    async def _live(self, number: int, death: Any, *, is_last: bool = False) -> None:
        life = Life(number, self.loop, death, self.outside, self.tell)
        self.lives.append(life)
        mortal = contextvars.copy_context()
        mortal.run(IS_OVER.set, lambda: not life.is_alive)
        task = asyncio.create_task(self._inside(life, is_last=is_last), name="Task-0", context=mortal)
        life.begin()
        await asyncio.wait((task,))
        if life.is_alive and not task.cancelled() and (error := task.exception()) is not None:
            self.faults.append(f"life {number} ended by itself: {error!r}")
        life.death = None
        life.kill()
        if left := await life.reap():
            self.faults.append(f"life {number}: {left} tasks cannot be ended")
        self.disk.lose()

    async def _inside(self, life: Life, *, is_last: bool) -> None:
        store = self.planted.store(self.disk.open(life))
        models = self._models(life, is_calm=is_last)
        box: ToolBox = ChaosBox(life=life, dice=self.dice(f"box {life.number}"), log=self.tools)
        bits = self.dice(f"ids {life.number}")
        machine = Machine(
            self.loop.time, self.wall, self.dice(f"roll {life.number}").random, bits.getrandbits
        )
        self.tell(f"life {life.number} begins, to end at {life.death}")
        async with open_app(self._settings(), self.home, store, models, box, machine=machine) as app:
            channel = self._channel(app, life, is_calm=is_last)
            resumed = await resume(store, app.accounts, app.inbox, app.clock, self.wall)
            self.tell(f"{resumed} turns resumed")
            running = asyncio.create_task(channel.run())
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._until_quiet(app, life, is_last=is_last)
            except TimeoutError:
                self.faults.append(f"life {life.number} never comes to rest: {self._what_waits(app)}")
            running.cancel()
            app.lanes.drain()
            app.lanes.interrupt_all(StopReason.SHUTDOWN)
            await app.lanes.idle.wait()
        await store.close()

    async def _until_quiet(self, app: App, life: Life, *, is_last: bool) -> None:
        """Until nothing is to be expected any more; a life that has to die waits for its death a little."""
        quiet = 0
        while quiet < 3:
            await asyncio.sleep(1.0 if is_last or life.death is None else 7.0)
            is_quiet = self.people.is_done and not self.platform.open_offers() and app.lanes.idle.is_set()
            quiet = quiet + 1 if is_quiet else 0

    def _what_waits(self, app: App) -> str:
        return f"{len(self.platform.open_offers())} events open, {app.lanes.running} running, {app.lanes.waiting} waiting"

    # What the process is handed.

    def _settings(self) -> Settings:
        return _settings(self.fate.per_day)

    def _models(self, life: Life, *, is_calm: bool) -> Models:
        faults = 0.0 if is_calm else self.fate.model_faults
        made = [
            self.planted.model(
                name, life, self.vendors, self.dice(f"{name} {life.number}"), faults * share, price
            )
            for name, price, share in (("first", 2000.0, 1.0), ("second", 2000.0, 1.0), ("third", 0.0, 0.5))
        ]
        choices = [Choice(each.spec) for each in made]
        catalog = Catalog(
            models={each.spec.ref: each.spec for each in made},
            primary=choices[0],
            fallbacks=tuple(choices[1:]),
            aliases={"fast": (choices[0],), "deep": (choices[1],)},
        )
        providers: dict[str, Provider] = {each.name: each for each in made}
        return Models(providers, {}, "made up", "", catalog)

    def _channel(self, app: App, life: Life, *, is_calm: bool) -> ChaosChannel:
        channel = self.planted.channel(self.platform, life, self.dice(f"wire {life.number}"), is_calm=is_calm)
        policy = Policy(allow=frozenset({"1", "2"}))
        account = Account(channel, policy, "Be brief.", "allow", "groups")
        host = AccountHost(
            channel="fake",
            name="main",
            home=self.home,
            inbox=app.inbox,
            store=app.store,
            conversations=app.conversations,
            choices=app.choices,
            catalog=app.models.catalog,
            specs=app.table.specs,
            is_draining=lambda: app.is_draining,
            account=account,
        )
        channel.host = self.planted.host(host)
        app.accounts["fake", "main"] = account
        return channel


@functools.cache
def _settings(per_day: float | None) -> Settings:
    """They are the same for every life, and reading them is slow."""
    home = Home(Path("/nowhere"))
    settings = load_settings(home, home.config, {})
    boundless = RateSection()  # two people who say a lot, whom nobody is to hold back
    limits = LimitsSection.model_construct(per_sender=boundless, per_conversation=boundless)
    settings = replace(settings, limits=limits)
    # Every priced request holds more than any of these days' money: only one may run at a time.
    budget = settings.routing.budget.model_copy(update={"per_day": per_day, "per_month": None})
    routing = settings.routing.model_copy(update={"budget": budget})
    return replace(settings, routing=routing)


def play(seed: int, folder: Path, planted: Planted = SOUND) -> World:
    """The whole world of a seed, when it has come to rest."""
    world = World(seed, folder, planted)
    world.home.prepare()
    with _listening(world), asyncio.Runner(loop_factory=lambda: world.loop) as runner:
        try:
            runner.run(world.run())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            world.faults.append(f"the simulation broke: {error!r}")
    return world


class _listening:  # noqa: N801 - it is used as a function
    """Errors that the program logs are findings, where they are none of the disk."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._before: dict[str, Any] = {}

    def _hear(self, _: Any, __: str, line: Any) -> Any:
        lives = self._world.lives
        if lives and lives[-1].is_alive:
            if "exc_info" in line:
                line = structlog.processors.format_exc_info(None, "", line)
                self._world.faults.append(f"logged: {line}")
            else:
                self._world.tell(f"log: {line}")
            if line["event"] == "turn not stored" and "turn_id" in line:
                self._world.unstored.add(
                    line["turn_id"]
                )  # a crash now has it shown again after the next start
            elif line["event"] == "final text not kept":
                self._world.unkept[line["turn_id"]] = lives[-1].number
            elif line["event"] == "turn stored late":
                self._world.unstored.discard(line["turn_id"])
        raise structlog.DropEvent

    def __enter__(self) -> None:
        self._before = structlog.get_config()
        structlog.configure(processors=[self._hear], wrapper_class=structlog.make_filtering_bound_logger(30))

    def __exit__(self, *_: object) -> None:
        structlog.configure(**self._before)
