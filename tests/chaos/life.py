"""One life of the process: whatever reaches out of it passes a gate that its death closes."""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from tests.chaos.loop import ChaosLoop


class Point(StrEnum):
    """Where a life may end. ROUND: between any two awaits; the others: exactly there, again and again the worst places."""

    ROUND = "round"
    SENT = "sent"  # the platform has it, the process does not know
    BEFORE_COMMIT = "before commit"
    COMMITTED = "committed"
    ACCEPTED = "accepted"  # an event was taken and is not confirmed
    CALLED = "called"  # a tool did its work, its answer did not come
    SAID = "said"  # a model said something


@dataclass(frozen=True, slots=True)
class Death:
    """At the `count`th time that `point` is passed."""

    point: Point
    count: int


def draw_death(dice: random.Random) -> Death:
    """Half of all deaths come anywhere, half of them at a named point."""
    if dice.random() < 0.5:
        return Death(Point.ROUND, int(2 ** dice.uniform(2, 11)))
    named = [each for each in Point if each is not Point.ROUND]
    return Death(dice.choice(named), int(2 ** dice.uniform(0, 5)))


@dataclass
class Life:
    """`death` None: it ends by itself. `outside`: tasks that are not of the process."""

    number: int
    loop: ChaosLoop
    death: Death | None
    outside: set[asyncio.Task[object]]
    tell: Callable[[str], None]
    is_alive: bool = True
    was_killed: bool = False
    began: float = 0.0
    ended: float | None = None
    passed: dict[Point, int] = field(default_factory=dict)

    def begin(self) -> None:
        """From here on it can die."""
        self.began = self.loop.time()
        if self.death is not None and self.death.point is Point.ROUND:
            self.loop.before_each_round(functools.partial(self.passes, Point.ROUND))

    def passes(self, point: Point) -> None:
        """It comes by a point; perhaps it is the last one."""
        if not self.is_alive:
            return
        count = self.passed[point] = self.passed.get(point, 0) + 1
        if self.death is not None and self.death.point is point and count >= self.death.count:
            self.was_killed = True
            self.kill()

    def kill(self) -> None:
        """As kill -9 would: nothing more leaves the process. What runs on in it is only taken off the loop."""
        if not self.is_alive:
            return
        self.is_alive = False
        self.ended = self.loop.time()
        self.loop.before_each_round(None)
        self.tell(f"killed at {self.death.point if self.death else 'the end'}")
        for task in self.tasks():
            task.cancel()

    def tasks(self) -> list[asyncio.Task[object]]:
        """All that run in the process, in the order in which they were made."""
        inside = asyncio.all_tasks(self.loop) - self.outside
        return sorted(inside, key=lambda task: (len(task.get_name()), task.get_name()))

    async def reap(self) -> int:
        """Take what is left of it off the loop; returns how many tasks cannot be ended."""
        for _ in range(500):
            left = self.tasks()
            if not left:
                return 0
            for task in left:
                task.cancel()
            await asyncio.sleep(0)
        return len(self.tasks())
