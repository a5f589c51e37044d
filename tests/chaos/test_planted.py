"""The auditor finds what it is there for: each planted fault within a few seeds."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.chaos.planted import PLANTED
from tests.chaos.seeds import seeds_until_found, try_seed

MOST = 120
"""Seeds. Most faults are found within ten."""


@pytest.mark.slow  # the rarest takes some seconds
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found(name: str) -> None:
    found = seeds_until_found(name, MOST)
    assert found is not None, f"{MOST} seeds and nobody noticed that {name}"
    print(f"{name}: found by seed number {found}")


def test_a_seed_plays_the_same_in_every_process() -> None:
    here = try_seed(7).story
    asked = "from tests.chaos.seeds import try_seed; print('\\n'.join(try_seed(7).story))"
    environ = {**os.environ, "PYTHONHASHSEED": "4711"}
    there = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True, env=environ, timeout=60
    )
    assert there.stdout.splitlines() == list(here)
