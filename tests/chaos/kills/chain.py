"""A chain of lives: started, killed at a named or at any moment, started again, and looked at when it rests."""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.kills.points import POINTS
from tests.chaos.kills.rooms import Size
from tests.chaos.kills.sides import MOMENT
from tests.chaos.kills.stage import MANY, Stage, open_stage, taken
from tests.chaos.kills.strangers import admit_all
from tests.chaos.kills.verdict import DOUBTFUL, Books, Verdict, judge, look_at
from tests.mock_model.client import MockModelError

ANY = "at any moment"
REST = 180.0
"""Seconds in which everything must be answered after the last start."""


@dataclass(slots=True)
class Chain:
    """What came of one. `points`: how often it was killed where; `missed`: named moments that did not come.

    `kept`: the folder in which a home stays of which something was found.
    """

    seed: int
    kills: int = 0
    points: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)
    kept: str = ""

    def __str__(self) -> str:
        one = self.verdict
        told = f"chain {self.seed}: {self.kills} kills at {len(self.points)} kinds of moments, "
        told += f"{one.questions} questions, {one.orphans} orphans (counted), {one.aside} set aside, "
        told += f"{len(self.missed)} moments that did not come, {len(one.findings)} findings"
        where = [f"log and store are kept in {self.kept}"] if self.kept else []
        return "\n  ".join([told, *where, *one.findings, *(f"did not come: {each}" for each in self.missed)])


def plan(seed: int, kills: int) -> Sequence[str]:
    """Where a chain is killed: two of three at named moments, each in its turn, over all chains of a run."""
    dice = random.Random(f"plan {seed}")
    named = _named(seed * 1000)
    return [next(named) if dice.random() < 0.66 else ANY for _ in range(kills)]


def _named(start: int) -> Iterator[str]:
    names = list(POINTS)
    random.Random(start // 5000).shuffle(names)
    return itertools.islice(itertools.cycle(names), (start // 1000 * 7) % len(names), None)


async def run(
    seed: int,
    moments: Sequence[str],
    folder: Path | None = None,
    size: Size = MANY,
    tell: Callable[[str], None] = lambda _: None,
) -> Chain:
    """Live through these deaths. A moment is a name of POINTS, or ANY. `tell` hears of each."""
    chain = Chain(seed)
    with tempfile.TemporaryDirectory(prefix="kills-") as made:
        try:
            async with open_stage(folder or Path(made), seed, size) as stage:
                await _live(stage, moments, chain, tell, size.pace)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            told = "".join(traceback.format_exception(error))
            chain.verdict.findings.append(f"it broke off: {told[:1500]} ... {told[-1500:]}")
        if chain.verdict.findings and folder is None:
            chain.kept = tempfile.mkdtemp(prefix=f"chain-{seed}-")
            for name in ("data", "logs"):
                shutil.copytree(Path(made) / "home" / name, Path(chain.kept) / name)
    return chain


async def _live(
    stage: Stage, moments: Sequence[str], chain: Chain, tell: Callable[[str], None], pace: float
) -> None:
    talk = asyncio.create_task(stage.crowd.live(pace))
    try:
        for moment in moments:
            began = time.monotonic()
            await _die(stage, moment, chain)
            tell(f"{time.monotonic() - began:5.1f} s  {moment}")
    finally:
        stage.crowd.is_over.set()
        await asyncio.gather(talk, return_exceptions=True)
    await _rest(stage, chain)


async def _die(stage: Stage, moment: str, chain: Chain) -> None:
    if moment == ANY:
        await asyncio.sleep(stage.dice.uniform(0.0, 0.9))
    else:
        try:
            async with asyncio.timeout(2 * MOMENT):
                await POINTS[moment](stage)
        except (TimeoutError, MockModelError) as error:
            chain.missed.append(f"{moment}: {str(error)[:300]}")
    await stage.daemon.kill()
    chain.kills += 1
    chain.points[moment] += 1
    await stage.calm()
    await asyncio.sleep(stage.dice.choice((0.0, 0.0, 0.2)))
    stage.past = len(stage.daemon.log)
    await stage.daemon.start()


async def _rest(stage: Stage, chain: Chain) -> None:
    """In peace until nothing waits any more; then everything is looked at."""
    await admit_all(stage)
    await asyncio.gather(*stage.calls, return_exceptions=True)  # they broke off with their lives
    asked = sum(len(each.questions) + each.commands for each in stage.crowd.rooms)
    try:
        async with asyncio.timeout(REST):
            while (have := taken(stage.daemon))[0] < asked or have[1]:
                await asyncio.sleep(0.1)
    except TimeoutError:
        chain.verdict.findings.append(f"not at rest after {REST:.0f} s")
    told = stage.daemon.log[stage.past :].count(DOUBTFUL)
    counted = await stage.daemon.metric("firstword_sends_doubtful_total")
    if counted < told:
        chain.verdict.findings.append(f"{told} sends were in doubt and {counted:.0f} are counted")
    for copy in await asyncio.gather(*stage.copies, return_exceptions=True):
        if isinstance(copy, BaseException):
            chain.verdict.findings.append(f"no backup came of it: {copy!r}")
    code = await stage.daemon.stop()
    found = judge(Books(stage.daemon.home, stage.crowd, await look_at(stage.crowd)))
    found.findings += [*chain.verdict.findings, *([f"ended with {code}"] if code else [])]
    chain.verdict = found
