"""Turn ids."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from bot.ids import TURN_ID_LENGTH, new_turn_id

_TIMES = st.floats(0, 4e9)


def _chance(seed: int) -> Callable[[int], int]:
    return random.Random(seed).getrandbits


@given(_TIMES, st.integers())
def test_an_id_is_twenty_safe_characters(now: float, seed: int) -> None:
    assert re.fullmatch(f"[0-9a-v]{{{TURN_ID_LENGTH}}}", new_turn_id(now, _chance(seed)))


@given(_TIMES, _TIMES, st.integers(), st.integers())
def test_ids_sort_as_their_milliseconds_do(one: float, other: float, seed: int, seed2: int) -> None:
    first, second = new_turn_id(one, _chance(seed)), new_turn_id(other, _chance(seed2))
    if int(one * 1000) < int(other * 1000):
        assert first < second


def test_the_same_millisecond_gives_different_ids() -> None:
    chance = _chance(1)
    assert len({new_turn_id(1_795_000_000.0, chance) for _ in range(10_000)}) == 10_000


def test_the_same_time_and_chance_give_the_same_id() -> None:
    assert new_turn_id(12.5, _chance(7)) == new_turn_id(12.5, _chance(7))


def test_a_time_before_1970_counts_as_1970() -> None:
    assert new_turn_id(-5.0, _chance(7)) == new_turn_id(0.0, _chance(7))
