"""One soak: a real daemon under a steady load, a fault each minute, its size looked at all the time."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.bench.processes import rss_bytes
from tests.channels.telegram.peer.client import start_peer
from tests.chaos.kills.verdict import DOUBTFUL, log_lines
from tests.faults.scene import Scene, open_scene
from tests.mock_model.client import running
from tests.soak.crowd import Crowd
from tests.soak.slopes import Sample
from tests.soak.troubles import ANSWER, CUTS, FAULTS, KILL

SEED = 20_261_121
LAG = "firstword_loop_lag_seconds_bucket"
WATCHED: Mapping[str, str] = {
    "firstword_tasks": "tasks",
    "process_open_fds": "descriptors",
    "firstword_store_bytes": "store",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """Seconds; `rate`: messages a second; `every`: from one fault to the next, of which it lasts `lasts`."""

    seconds: float
    rate: float = 5.0
    people: int = 300
    every: float = 60.0
    lasts: float = 15.0
    seed: int = SEED
    sample: float = 5.0
    patience: float = 120.0
    faults: Sequence[str] = tuple(FAULTS)


@dataclass(slots=True)
class Soak:
    """What was seen. `faults`: the names of those that were played, in order."""

    crowd: Crowd
    samples: list[Sample] = field(default_factory=list)
    lag: dict[float, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Life:
    """Which process runs, and since when."""

    number: int = 0
    began: float = 0.0


async def soak(home: Path, plan: Plan, tell: Callable[[str], None]) -> Soak:
    """Play it; `tell` is given a line for each fault."""
    async with _open(home) as scene:
        crowd = Crowd(scene.peer, range(10_001, 10_001 + plan.people), random.Random(plan.seed))
        seen, life = Soak(crowd), _Life(0, time.monotonic())
        end = time.monotonic() + plan.seconds

        def is_over() -> bool:
            return time.monotonic() >= end

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(crowd.ask(plan.rate, is_over))
            tasks.create_task(crowd.watch(is_over))
            tasks.create_task(_sample(scene, seen, life, plan, is_over))
            tasks.create_task(_trouble(scene, seen, life, plan, end, tell))
        await crowd.settle(plan.patience)
        await asyncio.to_thread(_note_doubts, crowd, home)
        await _look(scene, seen, life)
    return seen


@asynccontextmanager
async def _open(home: Path) -> AsyncIterator[Scene]:
    with running() as model:
        async with (
            start_peer("--no-flood") as peer,
            open_scene(home, {"port": peer.port, "token": peer.token}, model) as scene,
        ):
            model.config(keep_bodies=False)
            model.script(default=ANSWER)
            yield scene


async def _trouble(
    scene: Scene, seen: Soak, life: _Life, plan: Plan, end: float, tell: Callable[[str], None]
) -> None:
    """The faults in turn, the last one healed well before the end."""
    for turn in range(10_000):
        await asyncio.sleep(plan.every - plan.lasts if turn else plan.every / 2)
        if time.monotonic() + 2 * plan.lasts > end:
            return
        name = plan.faults[turn % len(plan.faults)]
        seen.faults.append(name)
        tell(f"{len(seen.crowd.questions):6d} messages, {name}")
        began = time.monotonic()
        await asyncio.to_thread(_note_doubts, seen.crowd, scene.daemon.home)  # a long life's log forgets
        if name in CUTS:
            seen.crowd.doubt()
        await FAULTS[name](scene, plan.lasts)
        if name in CUTS:
            seen.crowd.doubt(since=began)
        if name == KILL:
            life.number, life.began = life.number + 1, time.monotonic()
        await asyncio.sleep(max(0.0, began + plan.lasts - time.monotonic()))


def _note_doubts(crowd: Crowd, home: Path) -> None:
    """What the daemon logs of sends that may be second ones, in whichever life: its metric ends with each."""
    crowd.doubts.update(line for line in log_lines(home / "logs") if DOUBTFUL in line)


async def _sample(scene: Scene, seen: Soak, life: _Life, plan: Plan, is_over: Callable[[], bool]) -> None:
    while not is_over():
        await asyncio.sleep(plan.sample)
        await _look(scene, seen, life)


async def _look(scene: Scene, seen: Soak, life: _Life) -> None:
    """One sample; none while the daemon cannot be asked."""
    number = life.number
    try:
        async with asyncio.timeout(2.0):
            _, text = await scene.daemon.get("/metrics")
    except (TimeoutError, aiohttp.ClientError):
        return
    if number != life.number:
        return
    values: dict[str, float] = {"rss": float(rss_bytes(scene.daemon.pid))}
    lag: dict[float, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name in WATCHED:
                values[WATCHED[sample.name]] = sample.value
            elif sample.name == LAG:
                lag[float(sample.labels["le"])] = sample.value
    seen.lag = lag
    now = time.monotonic()
    seen.samples.append(Sample(now, number, now - life.began, values))
