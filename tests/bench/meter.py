"""What a stretch of time cost: CPU of the bot's process tree, waiting for the core, the peers' core."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from tests.bench.processes import core_seconds, cores, cpu_seconds, rss_bytes, waited_seconds


@dataclass(slots=True)
class Meter:
    """Started when it is made; `stop` freezes it."""

    pid: int
    wall: float = 0.0
    cpu: float = 0.0
    waited: float = 0.0
    peers_busy: float = 0.0
    rss: int = 0
    _from: tuple[float, float, float, tuple[float, float]] = field(init=False)

    def __post_init__(self) -> None:
        self._from = self._now()

    def _now(self) -> tuple[float, float, float, tuple[float, float]]:
        peers = core_seconds(cores()[1])
        return time.monotonic(), cpu_seconds(self.pid), waited_seconds(self.pid), peers

    def stop(self) -> Meter:
        """Take the figures up to now."""
        (wall0, cpu0, waited0, core0), (wall, cpu, waited, core) = self._from, self._now()
        self.wall, self.cpu, self.waited = wall - wall0, cpu - cpu0, waited - waited0
        self.peers_busy = (core[0] - core0[0]) / max(core[1] - core0[1], 1e-9)
        self.rss = rss_bytes(self.pid)
        return self

    @property
    def share(self) -> float:
        """Of one core."""
        return self.cpu / max(self.wall, 1e-9)
