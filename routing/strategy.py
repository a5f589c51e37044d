"""What each latency class asks of a model: which alias answers simple, usual and hard questions. Data with its source.

The rows of the source documents (S1 "channel strategies", S2 "channel defaults"), by class instead of by name: an
adapter says its class, so that channels without an adapter yet are covered the day they come.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType

from channels.capabilities import LatencyClass, Surface


class Difficulty(StrEnum):
    """What a question needs, as far as its own words tell."""

    SIMPLE = "simple"
    USUAL = "usual"  # or nothing is known: no evidence leads to the default
    HARD = "hard"


@dataclass(frozen=True, slots=True)
class Strategy:
    """Aliases in order of preference for each difficulty, () for the default model.

    `capability_first`: a fit model is waited for, even where another would begin sooner.
    """

    simple: tuple[str, ...] = ()
    usual: tuple[str, ...] = ()
    hard: tuple[str, ...] = ()
    capability_first: bool = False

    def aliases(self, difficulty: Difficulty) -> tuple[str, ...]:
        """The aliases for a question."""
        match difficulty:
            case Difficulty.SIMPLE:
                return self.simple
            case Difficulty.USUAL:
                return self.usual
            case Difficulty.HARD:
                return self.hard


STRATEGIES: Mapping[LatencyClass, Strategy] = MappingProxyType(
    {
        # Choose right the first time and speak at once: always the fastest (S2: voice 8B only; by measured TTFT).
        LatencyClass.VOICE: Strategy(simple=("fast",), usual=("fast",), hard=("fast",)),
        # TTFT before throughput before capability (C19: complex -> the 32B reasoner).
        LatencyClass.SYNC: Strategy(simple=("fast",), hard=("reason",)),
        # A balance (C20: complex -> the large one).
        LatencyClass.SEMI_SYNC: Strategy(simple=("fast",), hard=("reason", "deep")),
        # Capability before TTFT (C21: complex -> the large one).
        LatencyClass.ASYNC: Strategy(hard=("deep", "reason"), capability_first=True),
        LatencyClass.BATCH: Strategy(hard=("deep", "reason"), capability_first=True),
    }
)


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of channel of the source documents. `streams`: an answer is shown while it grows."""

    id: str
    kind: str
    latency: LatencyClass
    surface: Surface
    streams: bool


@cache
def rows() -> tuple[Row, ...]:
    """All rows, of rows.json: what an adapter of each kind will say of itself. Nothing is decided by their names."""
    plain = json.loads((Path(__file__).parent / "rows.json").read_text(encoding="utf-8"))["rows"]
    return tuple(
        Row(one["id"], one["kind"], LatencyClass(one["latency"]), Surface(one["surface"]), one["streams"])
        for one in plain
    )


def row(kind: str) -> Row | None:
    """A row by its kind or id, letter case aside; None for an unknown one."""
    wanted = kind.strip().lower()
    return next((each for each in rows() if wanted in (each.kind, each.id.lower())), None)
