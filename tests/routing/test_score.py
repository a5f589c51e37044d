"""How likely in time: evidence that fades, hours that repeat, whole answers, and models that are found again."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import ErrorKind
from routing.baseline import ENOUGH, HOUR, Baseline
from routing.health import Expectation, Health, size_of
from routing.score import MARGIN, PRIOR, Score, Wait, in_order, score
from routing.tempo import NEVER, Tempo
from tests.routing.slowdown_trace import slowdown

A, B = ("a", "m", ""), ("b", "m", "")


def scored(health: Health, wait: Wait) -> list[Score]:
    return [score("a/m", A, wait, health), score("b/m", B, wait, health)]


def test_of_an_unknown_model_the_best_is_hoped() -> None:
    first = score("a/m", A, Wait(0.5, 0.0), Health())
    assert (first.in_time, first.ttft, first.speed) == (PRIOR, None, None)


def test_figures_of_this_machine_stand_in_until_answers_come() -> None:
    health = Health(expected={("a", "m"): Expectation(0.3, 0.9, 120.0), ("b", "m"): Expectation(3.0, 9.0)})
    fast, slow = scored(health, Wait(1.0, 0.0))
    assert fast.in_time > 0.95
    assert slow.in_time < 0.1
    assert (fast.ttft, fast.speed) == (0.3, 120.0)
    assert in_order([slow, fast]) == [1, 0]


def test_late_answers_move_the_traffic_and_failures_count_as_late() -> None:
    health = Health()
    for at in range(10):
        health.began(A, 0.2, float(at))
        health.began(B, 0.3, float(at))
    assert in_order(scored(health, Wait(0.5, 10.0))) == [0, 1]
    for at in range(10, 14):
        health.failed(A, ErrorKind.FIRST_TOKEN, None, float(at))
    first, second = scored(health, Wait(0.5, 14.0))
    assert first.in_time < second.in_time - MARGIN
    assert in_order([first, second]) == [1, 0]


def test_long_prompts_are_judged_by_long_prompts() -> None:
    health = Health()
    for at in range(20):
        health.began(A, 0.2, float(at), tokens=100)
        health.began(A, 4.0, float(at), tokens=50_000)
    assert score("a/m", A, Wait(1.0, 20.0, tokens=500), health).in_time > 0.9
    assert score("a/m", A, Wait(1.0, 20.0, tokens=40_000), health).in_time < 0.3
    assert [size_of(tokens) for tokens in (0, 1_999, 2_000, 15_999, 16_000, 10**9)] == [0, 0, 1, 1, 2, 2]


def test_an_hour_that_is_busy_every_day_is_left_before_its_queue_builds() -> None:
    """Three days: at 18:00 UTC most answers are late. On the fourth, a minute past, the last ones were still good."""
    health = Health(epoch=0.0)
    for day in range(3):
        for hour, ttft in ((17, 0.2), (18, 3.0)):
            for number in range(30):
                health.began(A, ttft, (day * 24 + hour) * HOUR + number)
    evening = (3 * 24 + 17) * HOUR + 3500
    for number in range(12):
        health.began(A, 0.2, evening + number)
    assert in_order(scored(health, Wait(0.5, evening + 20))) == [0, 1]
    assert in_order(scored(health, Wait(0.5, evening + 160))) == [1, 0]


def test_usual_times_survive_as_plain_values() -> None:
    health = Health()
    for number in range(90):
        health.began(("a", "org/m", "k"), 0.3, 1000.0 + number * 20)
    other = Health()
    other.take_plain(health.to_plain())
    assert other.to_plain() == health.to_plain()
    assert other.usually(("a", "org/m", "k"), 0.5, 1000.0, 0) == 1.0


@pytest.mark.parametrize(
    "plain", [{"0 a/m": {"25": [0] * 45}}, {"0 a/m": {"1": [0, 1]}}, {"0 a/m": 3}, {"0 a/m": {"x": "y"}}]
)
def test_usual_times_that_make_no_sense_are_refused(plain: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError)):
        Health().take_plain(plain)


def test_yesterday_counts_half() -> None:
    baseline = Baseline()
    for _ in range(int(ENOUGH) * 2):
        baseline.add(0.1, 10.0)
    for _ in range(int(ENOUGH)):
        baseline.add(5.0, 10.0 + 24 * HOUR)
    share = baseline.share(1.0, 10.0 + 24 * HOUR)
    assert share is not None and math.isclose(share, 0.5)


def test_where_answers_are_sent_whole_the_whole_time_counts() -> None:
    """One begins at once and writes slowly; the other begins later and is done long before."""
    health = Health()
    for at in range(10):
        health.began(A, 0.1, float(at))
        health.began(B, 0.4, float(at))
        health.ran_at(A, 30.0)
        health.ran_at(B, 900.0)
    assert in_order(scored(health, Wait(0.5, 10.0))) == [0, 1]
    assert in_order(scored(health, Wait(0.5, 10.0, whole=400))) == [1, 0]


def test_where_answers_grow_a_crawling_model_is_late_however_soon_it_begins() -> None:
    health = Health()
    for at in range(10):
        health.began(A, 0.1, float(at))
        health.ran_at(A, 8.0)
    assert in_order(scored(health, Wait(0.5, 10.0))) == [1, 0]


def test_slowness_against_its_own_usual_times_opens_the_breaker() -> None:
    """Slower than the class's target alone is a score, not a fault."""
    health = Health()
    for number in range(60):
        health.began(A, 1.5, number * 30.0, deadline=2.0)
    assert health.reason(A) == ""
    for number in range(10):
        health.began(A, 6.0, 1800.0 + number, deadline=2.0)
    assert health.reason(A) == "slow"


def test_one_slow_answer_in_ten_opens_nothing() -> None:
    health = Health()
    for number in range(300):
        health.began(A, 9.0 if number % 10 == 0 else 0.2, number * 20.0, deadline=2.0)
        assert health.reason(A) == ""


def test_a_clock_that_was_set_back_makes_nothing_younger() -> None:
    tempo = Tempo()
    tempo.add(0.2, 1000.0, 1)
    assert tempo.within(0.5, 10.0, 1) == tempo.within(0.5, 1000.0, 1)


@given(
    st.lists(st.one_of(st.floats(0.001, 100), st.just(NEVER)), max_size=200),
    st.floats(0.05, 20),
    st.floats(0, 1),
)
def test_a_share_is_a_share_and_hope_is_never_below_it(times: list[float], limit: float, roll: float) -> None:
    health = Health()
    for at, seconds in enumerate(times):
        health.began(A, seconds, float(at))
    one = score("a/m", A, Wait(limit, float(len(times)), roll=roll), health)
    assert 0.0 <= one.in_time <= one.hoped <= 1.0


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=12), st.integers(0, 12))
def test_an_order_holds_everybody_once_and_whoever_is_late_stands_behind(
    figures: list[tuple[float, float]], pin: int
) -> None:
    scores = [Score(f"r{at}", share, min(1.0, share + hope), 5.0) for at, (share, hope) in enumerate(figures)]
    order = in_order(scores, pinned=f"r{pin}")
    assert sorted(order) == list(range(len(scores)))
    if scores:
        best = max(each.in_time for each in scores)
        assert scores[order[0]].hoped >= best - 0.3


@pytest.mark.parametrize("seed", range(10))
def test_after_a_tenfold_slowdown_traffic_moves_and_comes_back(seed: int) -> None:
    """Must: at most 15 slow answers before 90 % have moved, back within 150 requests (the figures of 2026-11)."""
    found = slowdown(seed)
    assert found.moved <= 15
    assert found.back <= 150
    assert found.tried <= 50
    assert found.calm >= 960
