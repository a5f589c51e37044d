"""The table of rulings, row by row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import ErrorKind
from routing.retry import MAX_RETRIES_A_TURN, RULES, Next, backoff, retry_delay


def test_every_kind_of_error_has_a_rule() -> None:
    assert set(RULES) == set(ErrorKind)


@pytest.mark.parametrize(
    ("kind", "retries", "then", "disables"),
    [
        (ErrorKind.AUTH, 0, Next.OTHER_CREDENTIAL, True),
        (ErrorKind.PERMISSION, 0, Next.OTHER_CREDENTIAL, True),
        (ErrorKind.BAD_REQUEST, 0, Next.NOWHERE, False),
        (ErrorKind.TOO_LARGE, 0, Next.NOWHERE, False),
        (ErrorKind.CONTENT_FILTER, 0, Next.NOWHERE, False),
        (ErrorKind.CONTEXT_LENGTH, 0, Next.LARGER_WINDOW, False),
        (ErrorKind.RATE_LIMIT, 0, Next.ANY, False),
        (ErrorKind.QUOTA, 0, Next.ANY, False),
        (ErrorKind.MODEL_GONE, 0, Next.OTHER_MODEL, False),
        (ErrorKind.OVERLOADED, 0, Next.OTHER_MODEL, False),
        (ErrorKind.SERVER, 1, Next.OTHER_MODEL, False),
        (ErrorKind.CONNECT, 1, Next.OTHER_MODEL, False),
        (ErrorKind.FIRST_TOKEN, 0, Next.OTHER_MODEL, False),
    ],
)
def test_a_rule_reads_as_ruled(kind: ErrorKind, retries: int, then: Next, disables: bool) -> None:
    rule = RULES[kind]
    assert (rule.retries, rule.then, rule.disables) == (retries, then, disables)


def test_a_rate_limit_is_waited_for_only_when_it_ends_in_time() -> None:
    def delay(retry_after: float | None, time_left: float) -> float | None:
        return retry_delay(
            ErrorKind.RATE_LIMIT, retry=0, roll=0.5, retry_after=retry_after, time_left=time_left
        )

    assert delay(0.5, 1.0) == 0.5
    assert delay(2.0, 1.0) is None
    assert delay(None, 60.0) is None


def test_a_server_error_is_retried_once_on_a_rung_where_time_is_left() -> None:
    def delay(retry: int, here: int, time_left: float) -> float | None:
        return retry_delay(
            ErrorKind.SERVER, retry=retry, roll=0.5, retry_after=None, time_left=time_left, here=here
        )

    assert delay(0, 0, 15.0) == 1.0
    assert delay(1, 1, 15.0) is None
    assert delay(1, 0, 15.0) == 2.0, "another rung has its own retry"
    assert delay(0, 0, 0.5) is None


@given(st.sampled_from(list(ErrorKind)), st.integers(0, 9), st.floats(0, 1), st.floats(0, 600) | st.none())
def test_a_turn_never_retries_more_than_twice(
    kind: ErrorKind, retry: int, roll: float, retry_after: float | None
) -> None:
    delay = retry_delay(kind, retry=retry, roll=roll, retry_after=retry_after, time_left=1e9)
    assert delay is None or retry < MAX_RETRIES_A_TURN


@given(st.integers(0, 20), st.floats(0, 1))
def test_the_pause_grows_to_four_seconds_within_a_fifth(retry: int, roll: float) -> None:
    exact = min(4.0, 1.0 * 2**retry)
    assert 0.8 * exact - 1e-9 <= backoff(retry, roll) <= 1.2 * exact + 1e-9
