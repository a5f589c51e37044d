"""What people's words about answers move, and how slowly."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.learning import DAY, DEEP_ABOVE, ENOUGH, FAST_BELOW, MOST, MOST_A_DAY, Learning
from routing.strategy import Difficulty

NOON = 20_000.5 * DAY


def taught() -> Learning:
    """Enough was said for the next word to count."""
    return Learning(said=ENOUGH)


def test_nothing_moves_before_enough_was_said() -> None:
    learning = Learning()
    for _ in range(ENOUGH - 1):
        assert not learning.told(Difficulty.SIMPLE, -1.0, NOON)
    assert learning.bounds == (FAST_BELOW, DEEP_ABOVE)
    assert learning.told(Difficulty.SIMPLE, -1.0, NOON)


def test_a_disliked_answer_of_a_weaker_model_asks_for_a_stronger_one_sooner() -> None:
    learning = taught()
    learning.told(Difficulty.SIMPLE, -1.0, NOON)
    assert learning.shift == pytest.approx(0.002)
    fast, deep = learning.bounds
    assert fast < FAST_BELOW
    assert deep < DEEP_ABOVE


def test_a_good_word_counts_a_quarter_of_a_bad_one() -> None:
    learning = taught()
    learning.told(Difficulty.USUAL, 1.0, NOON)
    assert learning.shift == pytest.approx(-0.0005)


def test_what_the_strongest_model_answered_teaches_nothing() -> None:
    assert not taught().told(Difficulty.HARD, -1.0, NOON)


def test_a_shift_of_a_tenth_halves_the_bounds() -> None:
    assert Learning(shift=0.1).bounds == pytest.approx((FAST_BELOW / 2, DEEP_ABOVE / 2))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(Difficulty)), st.sampled_from([-1.0, -0.5, 1.0]), st.floats(0, 40_000.0)
        ),
        max_size=120,
    )
)
def test_no_day_moves_it_by_more_than_two_hundredths(words: list[tuple[Difficulty, float, float]]) -> None:
    learning, at = taught(), NOON
    begun: dict[int, float] = {}
    for difficulty, reward, pause in words:
        at += pause
        begun.setdefault(int(at // DAY), learning.shift)
        learning.told(difficulty, reward, at)
        assert abs(learning.shift - begun[int(at // DAY)]) <= MOST_A_DAY + 1e-9
        assert abs(learning.shift) <= MOST


def test_a_clock_that_is_set_back_gives_no_second_day() -> None:
    learning = taught()
    for number in range(40):
        learning.told(Difficulty.SIMPLE, -1.0, NOON - number * DAY)
    assert learning.shift == pytest.approx(MOST_A_DAY)


def test_what_was_learnt_outlives_a_process() -> None:
    learning = taught()
    learning.told(Difficulty.SIMPLE, -1.0, NOON)
    assert Learning.from_plain(json.loads(json.dumps(learning.to_plain()))) == learning


@pytest.mark.parametrize(
    "kept",
    [{}, {"shift": 9.0, "said": 1, "day": 1, "moved": 0}, {"shift": "NaN", "said": 1, "day": 1, "moved": 0}],
)
def test_what_is_nothing_learnt_is_refused(kept: dict[str, object]) -> None:
    with pytest.raises((ValueError, KeyError)):
        Learning.from_plain(kept)
