"""Whole lives of the bot with crashes and faults of all kinds, 2 of 3: a file is what a worker takes at a time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.chaos.share import SEEDS_A_FILE, the_seeds_hold

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # some twenty seconds of seeds


def test_whatever_fails_nothing_is_lost_doubled_reordered_or_too_late(
    record_property: Callable[[str, object], None],
) -> None:
    the_seeds_hold(range(1 * SEEDS_A_FILE, 2 * SEEDS_A_FILE), record_property)
