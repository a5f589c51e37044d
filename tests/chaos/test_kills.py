"""A real daemon is killed fifteen times amid conversations on three channels, and nobody gets less or more for it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos import counted
from tests.chaos.kills.chain import ANY, plan, run
from tests.chaos.kills.points import POINTS
from tests.chaos.kills.stage import FEW

KILLS = 15


@pytest.mark.slow  # a daemon is started sixteen times: about two seconds a life
@pytest.mark.timeout(400)
async def test_fifteen_kills_lose_double_and_reorder_nothing(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    chain = await run(4711, plan(4711, KILLS), tmp_path, FEW)
    record_property(counted.KILLS, chain.kills)
    record_property(counted.ORPHANS, chain.verdict.orphans)
    assert chain.kills == KILLS
    assert chain.verdict.questions > KILLS
    assert not chain.verdict.findings, str(chain)


def test_every_named_moment_has_its_turn() -> None:
    chains = [plan(seed, 20) for seed in range(20)]
    assert set(itertools.chain(*chains)) == {*POINTS, ANY}
    assert plan(7, 20) == plan(7, 20)
