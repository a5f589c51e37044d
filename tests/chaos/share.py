"""The share of `make test`: the same seeds every time, so that a change is what makes one fail."""

from __future__ import annotations

from tests.chaos.seeds import try_seeds

SEEDS_A_FILE = 120
"""Three files: 360 seeds; about 0.1 s each on a machine with nothing else to do (2026-11)."""

SECONDS_A_FILE = 60.0
"""A machine that is slower tries as many as it can in so long."""

LEAST_A_FILE = 100


def the_seeds_hold(seeds: range) -> None:
    """Play them; the first that fails is told with its story."""
    done = try_seeds(seeds, SECONDS_A_FILE)
    bad = [each for each in done if each.findings]
    print(f"{len(done)} seeds, {sum(each.kills for each in done)} crashes, {len(bad)} findings")
    assert not bad, f"{len(bad)} of {len(done)} seeds: {[each.seed for each in bad]}; the first: {bad[0]}"
    assert len(done) >= LEAST_A_FILE, f"this machine played only {len(done)} seeds in {SECONDS_A_FILE:.0f} s"
