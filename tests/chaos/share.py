"""The share of `make test`: the same seeds every time, so that a change is what makes one fail."""

from __future__ import annotations

from tests.chaos.seeds import try_seed

SEEDS_A_FILE = 120
"""Three files: 360 seeds; 0.1 to 0.2 s each on a machine with nothing else to do (2 cores, 2026-11)."""


def the_seeds_hold(seeds: range) -> None:
    """Play them; the first that fails is told with its story."""
    done = [try_seed(each) for each in seeds]
    bad = [each for each in done if each.findings]
    print(f"{len(done)} seeds, {sum(each.kills for each in done)} crashes, {len(bad)} findings")
    assert not bad, f"{len(bad)} of {len(done)} seeds: {[each.seed for each in bad]}; the first: {bad[0]}"
