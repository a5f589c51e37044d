"""What was learnt of each account's people, kept over restarts; off unless routing.learns says otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import orjson
import structlog

from bot.store.base import Store
from routing.learning import Learning
from routing.strategy import Difficulty

log = structlog.get_logger()

SCOPE = "learning"


@dataclass(slots=True)
class Learner:
    """Learns for each account apart. `wall`: seconds since the epoch. Bounded by the accounts."""

    store: Store
    wall: Callable[[], float]
    is_on: bool = False
    groups: dict[str, Learning] = field(default_factory=dict)

    async def load(self) -> None:
        """Take up what was learnt before; what cannot be read is forgotten."""
        if not self.is_on:
            return
        for group, kept in (await self.store.choices(SCOPE)).items():
            try:
                self.groups[group] = Learning.from_plain(orjson.loads(kept))
            except (ValueError, TypeError, KeyError) as error:
                log.warning(
                    "learning forgotten", reason=f"what was kept cannot be read ({type(error).__name__})"
                )

    def told(self, group: str, difficulty: Difficulty, reward: float) -> None:
        """Somebody of a group said something of an answer, -1 to 1."""
        if not self.is_on:
            return
        learning = self.groups.setdefault(group, Learning())
        if learning.told(difficulty, reward, self.wall()):
            log.info("routing learnt", reason=f"bound moved to {learning.shift:+.3f}")
        self.store.set_choice(SCOPE, group, orjson.dumps(learning.to_plain()).decode())

    def bounds(self, group: str) -> tuple[float, float]:
        """The gains below which a fast model, and above which a deep one is asked for."""
        return (self.groups.get(group) or Learning()).bounds

    def forget(self) -> int:
        """Begin anew. Gives of how many accounts something was forgotten."""
        count = len(self.groups)
        for group in list(self.groups):
            del self.groups[group]
            self.store.set_choice(SCOPE, group, None)
        return count
