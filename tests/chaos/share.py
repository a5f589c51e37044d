"""The share of `make test`: the same seeds every time, so that a change is what makes one fail."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.chaos.counted import CRASHES, SEEDS
from tests.chaos.seeds import Outcome, try_seed

SEEDS_A_FILE = 200
"""Three files: 600 seeds of 0.05 to 0.1 s of CPU each (2 cores, 2026-11)."""

LEAST, CPU = 100, 20.0
"""So many seeds a file are played in any case; further ones while it has used less than so many seconds of CPU."""


def the_seeds_hold(seeds: range, tell: Callable[[str, object], None]) -> None:
    """Play them; the first that fails is told with its story. `tell` is pytest's record_property."""
    done: list[Outcome] = []
    began = time.process_time()
    for seed in seeds:
        if len(done) >= LEAST and time.process_time() - began > CPU:
            break
        done.append(try_seed(seed))
    bad = [each for each in done if each.findings]
    tell(SEEDS, len(done))
    tell(CRASHES, sum(each.kills for each in done))
    assert not bad, f"{len(bad)} of {len(done)} seeds: {[each.seed for each in bad]}; the first: {bad[0]}"
