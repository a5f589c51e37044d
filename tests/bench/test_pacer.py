"""The bound and the measure of staleness are what they say, and the real pacer stays near the bound."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.pacer import least, paced, staleness


def test_equal_gaps_reach_the_bound() -> None:
    times = [0.0, 1.0, 2.0, 3.0, 4.0]
    assert staleness(times, times, 0.0, 4.0) == pytest.approx(least(1.0, 1, 4.0))


def test_text_that_is_shown_at_the_end_has_waited_for_half_of_it_on_average() -> None:
    assert staleness([4.0], [4.0], 0.0, 4.0) == pytest.approx(2.0)
    assert staleness([5.0], [4.0], 0.0, 4.0) == pytest.approx(3.0)


def test_an_update_shows_what_had_come_when_it_was_sent_and_no_more() -> None:
    # What had come by 1 is seen at 2, the rest at 4.
    assert staleness([2.0, 4.0], [1.0, 4.0], 0.0, 4.0) == pytest.approx((1.5 * 1 + 1.5 * 3) / 4)


@given(st.sampled_from([(1.0, 1), (1.0, 3), (0.5, 4)]), st.floats(0.05, 60.0))
def test_no_pacing_undercuts_the_bound(pair: tuple[float, int], seconds: float) -> None:
    run = paced(*pair, seconds)
    assert run.staleness >= least(*pair, seconds) * 0.999
    assert run.tail >= 0


@given(st.integers(2, 8), st.floats(0.05, 60.0))
def test_the_final_text_goes_out_at_once_while_a_token_can_be_kept(burst: int, seconds: float) -> None:
    assert paced(1.0, burst, seconds).tail <= 1e-6
