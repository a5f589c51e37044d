"""Seeds one after the other, each in a folder of its own that is gone afterwards."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.audit import audit
from tests.chaos.planted import PLANTED
from tests.chaos.world import SOUND, Planted, play

_MEMORY = Path("/dev/shm")
"""Where there is one the files live in memory: processes die here, never the machine."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one seed. `kills`: how often the process died in it."""

    seed: int
    kills: int
    findings: tuple[str, ...]
    story: tuple[str, ...]

    def __str__(self) -> str:
        found = "\n  ".join(self.findings)
        told = "\n  ".join(self.story)
        again = f"python -m tests.chaos --seed {self.seed}"
        return f"seed {self.seed} ({again} plays it again)\n  {found}\nits story:\n  {told}"


def try_seed(seed: int, planted: Planted = SOUND) -> Outcome:
    """Play a seed and look at what is left."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-", dir=_MEMORY if _MEMORY.is_dir() else None))
    try:
        world = play(seed, folder, planted)
        kills = sum(each.was_killed for each in world.lives)
        return Outcome(seed, kills, tuple(audit(world)), tuple(world.story))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def seeds_until_found(name: str, limit: int) -> int | None:
    """How many seeds it takes until a planted fault is found; None: more than `limit`."""
    for seed in range(limit):
        if try_seed(seed, PLANTED[name]).findings:
            return seed + 1
    return None
