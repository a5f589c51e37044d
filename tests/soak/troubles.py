"""The faults of a soak, each switched on for a while and off again in a running life."""

from __future__ import annotations

import asyncio
import resource
import signal
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from types import MappingProxyType

from bot.home import Home
from tests.faults.proxy import Trouble
from tests.faults.scene import Scene

Fault = Callable[[Scene, float], Awaitable[None]]
"""Lasts so many seconds at most, and heals."""

OFTEN: Mapping[str, float] = MappingProxyType({"times": 1_000_000})


def _line(trouble: Trouble) -> Fault:
    async def fault(scene: Scene, seconds: float) -> None:
        scene.sick.trouble = trouble
        await asyncio.sleep(seconds)
        await scene.sick.heal()
        scene.sick.cut()  # what fell silent stays so for ever otherwise

    return fault


async def _model_down(scene: Scene, seconds: float) -> None:
    await scene.sick.down()
    await asyncio.sleep(seconds)
    await scene.sick.heal()


async def _platform_down(scene: Scene, seconds: float) -> None:
    await scene.telegram.down()
    await asyncio.sleep(min(seconds, 10.0))
    await scene.telegram.heal()


async def _platform_cut(scene: Scene, seconds: float) -> None:
    for _ in range(5):
        scene.telegram.cut()
        await asyncio.sleep(seconds / 5)


async def _platform_slow(scene: Scene, seconds: float) -> None:
    scene.telegram.trouble = Trouble(latency=0.2, jitter=0.5)
    await asyncio.sleep(seconds)
    await scene.telegram.heal()


async def _platform_502(scene: Scene, seconds: float) -> None:
    await scene.peer.fault("sendMessage", times=20, status=502)
    await asyncio.sleep(seconds)
    await scene.peer.control("clear_faults")


async def _storm(scene: Scene, seconds: float) -> None:
    scene.model.script({"model": "s", "status": 429, "headers": {"Retry-After": "2"}}, default=ANSWER)
    await asyncio.sleep(seconds)
    scene.model.script(default=ANSWER)


async def _overloaded(scene: Scene, seconds: float) -> None:
    scene.model.script({"model": "s", "status": 503}, default=ANSWER)
    await asyncio.sleep(seconds)
    scene.model.script(default=ANSWER)


async def _stopped(scene: Scene, seconds: float) -> None:
    scene.daemon.send(signal.SIGSTOP)
    await asyncio.sleep(min(seconds, 5.0))
    scene.daemon.send(signal.SIGCONT)


async def _killed(scene: Scene, seconds: float) -> None:
    await scene.daemon.kill()
    await asyncio.sleep(min(seconds, 1.0))
    await scene.daemon.start()


async def _locked(scene: Scene, seconds: float) -> None:
    with closing(sqlite3.connect(Home(scene.daemon.home).database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await asyncio.sleep(min(seconds, 4.0))
        other.execute("ROLLBACK")


def _limit(which: int, soft: int, most: float) -> Fault:
    async def fault(scene: Scene, seconds: float) -> None:
        before = resource.prlimit(scene.daemon.pid, which)
        resource.prlimit(scene.daemon.pid, which, (soft, before[1]))
        await asyncio.sleep(min(seconds, most))
        resource.prlimit(scene.daemon.pid, which, before)

    return fault


ANSWER = {"count": 12, "gap": 0.05}
KILL = "kill -9"
FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        "half-open model": _line(Trouble(silent_after=0)),
        "platform cut off": _platform_cut,
        "429 storm": _storm,
        "SIGSTOP": _stopped,
        "model down": _model_down,
        "slow bytes": _line(Trouble(piece=1, gap=0.05)),
        KILL: _killed,
        "platform down": _platform_down,
        "disk takes no bytes": _limit(resource.RLIMIT_FSIZE, 4096, 5.0),
        "store locked": _locked,
        "truncated answers": _line(Trouble(end_after=700)),
        "platform slow": _platform_slow,
        "no descriptors": _limit(resource.RLIMIT_NOFILE, 3, 3.0),
        "platform 502": _platform_502,
        "503": _overloaded,
        "reset mid-stream": _line(Trouble(reset_after=700)),
    }
)

CUTS = frozenset({KILL, "platform cut off", "platform down", "no descriptors"})
"""Those that cut sends off on their way: a platform without a key for them may then be told twice."""
