"""The measures of a ranking, on rows whose figures can be told by hand."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.evaluate import apgr, auc, calibration, quality


def test_a_perfect_order_a_reversed_one_and_none() -> None:
    gains = [1.0, 0.0, 0.0, 0.0]
    assert apgr([3, 2, 1, 0], gains) == pytest.approx(0.875)
    assert apgr([0, 1, 2, 3], gains) == pytest.approx(0.125)
    assert apgr([1, 1, 1, 1], gains) == pytest.approx(0.5)


def test_calls_for_half_and_for_most_of_the_gap() -> None:
    found = quality([4, 3, 2, 1], [1.0, 1.0, 0.0, 0.0])
    assert (found.cpt50, found.cpt80, found.auc) == (0.25, 0.4, 1.0)
    assert (found.rows, found.gap, found.low) == (4, 0.5, None)


def test_rows_without_a_gap_have_no_figure() -> None:
    found = quality([1, 2], [0.0, 0.0], Random(1))
    assert (found.apgr, found.cpt50, found.low, found.auc) == (None, None, None, None)
    assert quality([], []).apgr is None


def test_a_strong_model_that_is_worse_at_some_counts_against_them() -> None:
    assert apgr([2, 1, 0], [1.0, 1.0, -1.0]) == pytest.approx((0.5 + 1.5 + 1.5) / 3)


def test_equal_scores_count_half_in_the_auc() -> None:
    assert auc([1, 1, 1], [True, False, True]) == 0.5
    assert auc([1, 2], [True, True]) is None


def test_the_interval_holds_the_figure_and_is_the_same_for_the_same_seed() -> None:
    scores = [float(number % 17) for number in range(400)]
    gains = [float(number % 17 > 8) for number in range(400)]
    found = quality(scores, gains, Random(3))
    assert found == quality(scores, gains, Random(3))
    assert found.low is not None and found.high is not None and found.apgr is not None
    assert found.low < found.apgr < found.high


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([-1.0, 0.0, 1.0])), min_size=1, max_size=30))
def test_no_order_of_the_rows_helps(rows: list[tuple[int, float]]) -> None:
    one = apgr([float(score) for score, _ in rows], [gain for _, gain in rows])
    two = apgr([float(score) for score, _ in rows[::-1]], [gain for _, gain in rows[::-1]])
    assert one == pytest.approx(two)


def test_calibration_compares_what_was_expected_with_what_came() -> None:
    bins, distance = calibration([0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 1.0, 0.0], bins=2)
    assert [(each.rows, each.expected, each.real) for each in bins] == [(2, 0.0, 0.0), (2, 0.5, 0.5)]
    assert distance == 0
    assert calibration([0.2], [1.0])[1] == pytest.approx(0.8)
