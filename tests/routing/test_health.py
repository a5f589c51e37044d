"""Breakers, cooldowns and measured times, on a clock that the test holds."""

from __future__ import annotations

from channels.capabilities import LatencyClass
from providers.errors import ErrorKind
from routing.budgets import BUDGETS, first_token_deadline
from routing.health import PROBE_TIME, Breaker, Health

KEY = ("one", "a", "k1")


def test_five_failures_in_five_minutes_open_the_breaker_for_a_minute() -> None:
    health = Health()
    for at in range(4):
        health.failed(KEY, ErrorKind.SERVER, None, float(at))
    assert health.breaker(KEY, 4.0) is Breaker.CLOSED
    health.failed(KEY, ErrorKind.SERVER, None, 4.0)
    assert health.breaker(KEY, 63.9) is Breaker.OPEN
    assert health.breaker(KEY, 64.0) is Breaker.HALF_OPEN


def test_failures_that_are_far_apart_open_nothing() -> None:
    health = Health()
    for at in range(20):
        health.failed(KEY, ErrorKind.SERVER, None, at * 100.0)
    assert health.breaker(KEY, 2000.0) is Breaker.CLOSED


def test_a_failed_probe_opens_again_at_once_and_two_good_ones_close() -> None:
    health = Health()
    for at in range(5):
        health.failed(KEY, ErrorKind.STALL, None, float(at))
    health.failed(KEY, ErrorKind.STALL, None, 70.0)
    assert health.breaker(KEY, 129.0) is Breaker.OPEN
    assert health.breaker(KEY, 130.0) is Breaker.HALF_OPEN
    health.succeeded(KEY)
    assert health.breaker(KEY, 130.0) is Breaker.HALF_OPEN
    health.succeeded(KEY)
    assert health.breaker(KEY, 130.0) is Breaker.CLOSED


def test_one_probe_at_a_time() -> None:
    health = Health()
    health.failed(KEY, ErrorKind.RATE_LIMIT, 30.0, 0.0)
    assert health.breaker(KEY, 31.0) is Breaker.HALF_OPEN
    health.asked(KEY, 31.0)
    assert health.breaker(KEY, 32.0) is Breaker.OPEN
    health.let_go(KEY)
    assert health.breaker(KEY, 33.0) is Breaker.HALF_OPEN
    health.asked(KEY, 33.0)
    assert health.breaker(KEY, 33.0 + PROBE_TIME) is Breaker.HALF_OPEN  # a probe that was lost


def test_a_rate_limit_without_a_time_rests_for_a_minute() -> None:
    health = Health()
    health.failed(KEY, ErrorKind.RATE_LIMIT, None, 0.0)
    assert health.breaker(KEY, 59.0) is Breaker.OPEN
    assert health.breaker(KEY, 61.0) is Breaker.HALF_OPEN


def test_a_rate_limit_of_one_key_leaves_other_models_and_keys_alone() -> None:
    health = Health()
    health.failed(KEY, ErrorKind.RATE_LIMIT, 30.0, 0.0)
    assert health.breaker(("one", "b", "k1"), 1.0) is Breaker.CLOSED
    assert health.breaker(("one", "a", "k2"), 1.0) is Breaker.CLOSED


def test_a_refused_key_stays_out_until_it_is_changed() -> None:
    health = Health()
    health.failed(KEY, ErrorKind.AUTH, None, 0.0)
    assert health.breaker(("one", "b", "k1"), 1e9) is Breaker.OPEN
    health.credential_changed("one", "k1")
    assert health.breaker(KEY, 1e9) is Breaker.CLOSED


def test_an_empty_account_rests_for_all_its_models_and_other_keys_go_on() -> None:
    health = Health()
    health.failed(KEY, ErrorKind.QUOTA, None, 0.0)
    assert health.breaker(("one", "b", "k1"), 3599.0) is Breaker.OPEN
    assert health.reason(("one", "b", "k1")) == "quota"
    assert health.breaker(("one", "b", "k1"), 3601.0) is Breaker.CLOSED
    assert health.breaker(("one", "a", "k2"), 1.0) is Breaker.CLOSED


def test_what_was_held_against_a_key_is_forgotten_with_it() -> None:
    health = Health()
    for kind in (ErrorKind.AUTH, ErrorKind.QUOTA, ErrorKind.RATE_LIMIT):
        health.failed(KEY, kind, None, 0.0)
    health.failed(("one", "a", "k2"), ErrorKind.RATE_LIMIT, None, 0.0)
    health.credential_changed("one", "k1")
    assert health.breaker(KEY, 1.0) is Breaker.CLOSED
    assert health.breaker(("one", "a", "k2"), 1.0) is Breaker.OPEN


def test_a_slow_model_is_given_three_times_its_own_p95() -> None:
    health = Health()
    for _ in range(20):
        health.began(KEY, 1.5, 100.0)
    p95 = health.ttft(KEY, 0.95)
    budget = BUDGETS[LatencyClass.SYNC]
    assert first_token_deadline(budget, is_last=False, is_local=False, p95=p95) == 4.5
    assert first_token_deadline(budget, is_last=False, is_local=False, p95=None) == 2.0
    assert first_token_deadline(budget, is_last=True, is_local=False, p95=None) == 15.0
    assert first_token_deadline(budget, is_last=True, is_local=True, p95=None) == 60.0
