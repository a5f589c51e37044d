"""How much one person and one conversation may say: a minute's bucket, a day's count, and how little is remembered."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.limits import DAY, Buckets, Limits, Over, Rate, Scope
from tests.generated import generated

NOON = DAY / 2


def said(buckets: Buckets, *times: float, key: str = "ann") -> list[bool]:
    """For a message at each of the times: was it in order? The wall shows noon and so many seconds."""
    found = []
    for now in times:
        free = buckets.wait(key, now, NOON + now)[0] == 0
        if free:
            buckets.take(key, now, NOON + now)
        found.append(free)
    return found


@pytest.mark.parametrize(
    ("rate", "times", "expected"),
    [
        (Rate(2), (0, 0, 0), (True, True, False)),
        (Rate(2), (0, 0, 29.9, 30, 30), (True, True, False, True, False)),
        (Rate(2), (0, 0, 3600, 3600, 3600), (True, True, True, True, False)),
        (Rate(per_day=2), (0, 1, 2, NOON + 1, NOON + 2, NOON + 3), (True, True, False, True, True, False)),
        (Rate(1, 2), (0, 60, 120), (True, True, False)),
        (Rate(), (0.0,) * 100, (True,) * 100),
    ],
)
def test_what_is_too_much_and_when_it_is_no_more(
    rate: Rate, times: tuple[float, ...], expected: tuple[bool, ...]
) -> None:
    assert said(Buckets(rate), *times) == list(expected)


def test_whoever_reached_a_limit_is_told_when_they_may_write_again() -> None:
    limits = Limits(Rate(2, 3), Rate(10))
    for now in (0.0, 0.0):
        assert limits.admit("ann", "room", now, NOON + now) is None
    assert limits.admit("ann", "room", 10.0, NOON + 10) == Over(Scope.SENDER, pytest.approx(20.0))  # type: ignore[arg-type]
    assert limits.admit("ann", "room", 30.0, NOON + 30) is None
    assert limits.admit("ann", "room", 60.0, NOON + 60) == Over(Scope.SENDER, NOON - 60, of_day=True)


def test_many_people_share_the_limit_of_their_conversation() -> None:
    limits = Limits(Rate(10), Rate(3))
    found = [limits.admit(f"person {number}", "room", 0.0, NOON) for number in range(4)]
    assert found == [None, None, None, Over(Scope.CONVERSATION, 20.0)]
    assert limits.admit("person 3", "elsewhere", 0.0, NOON) is None, "what was refused is not counted"


def test_of_many_thousand_people_those_who_were_quiet_longest_are_forgotten() -> None:
    limits = Limits(Rate(1), Rate(math.inf), most=1000)
    for number in range(5000):
        assert limits.admit(f"person {number}", "room", 0.0, NOON) is None
    assert len(limits.senders) == 1000
    assert limits.admit("person 4999", "room", 0.0, NOON) is not None
    assert limits.admit("person 0", "room", 0.0, NOON) is None


def test_whoever_goes_on_speaking_is_not_forgotten_and_what_is_recalled_is_bounded() -> None:
    buckets = Buckets(Rate(1), most=2)
    for who in ("ann", "bob", "ann", "cem"):
        buckets.take(who, 0.0, NOON)
    assert [buckets.wait(who, 0.0, NOON)[0] > 0 for who in ("ann", "bob", "cem")] == [True, False, True]
    buckets.recall({f"person {number}": 1 for number in range(9)}, 0.0, NOON)
    assert len(buckets) == 2


def test_what_was_said_before_a_restart_counts_for_the_day_and_not_for_the_minute() -> None:
    buckets = Buckets(Rate(2, 5))
    buckets.recall({"ann": 4}, 0.0, NOON)
    assert said(buckets, 0, 0) == [True, False]


def test_a_clock_that_is_set_back_gives_nothing_away_and_takes_nothing() -> None:
    buckets = Buckets(Rate(2, 3))
    buckets.take("ann", 100.0, 5 * DAY)
    buckets.take("ann", 100.0, 4 * DAY)
    assert buckets.wait("ann", 130.0, 4 * DAY) == (0.0, False)
    buckets.take("ann", 130.0, 4 * DAY)
    assert buckets.wait("ann", 500.0, 4 * DAY)[1], "the later day's count holds until that day is over"


steps = st.lists(st.tuples(st.floats(0, 90), st.sampled_from(["ann", "bob"])), max_size=120)


@generated
@given(rate=st.builds(Rate, st.integers(1, 20), st.integers(1, 40)), steps=steps)
def test_nobody_ever_says_more_than_a_burst_and_what_came_back(
    rate: Rate, steps: list[tuple[float, str]]
) -> None:
    buckets, now = Buckets(rate), 0.0
    taken: dict[str, list[float]] = {"ann": [], "bob": []}
    for pause, who in steps:
        now += pause
        wait, of_day = buckets.wait(who, now, NOON + now)
        if wait == 0:
            buckets.take(who, now, NOON + now)
            taken[who].append(now)
        elif not of_day:
            later = buckets.wait(who, now + wait, NOON + now + wait)
            assert later[0] == 0 or later[1], "one may write again when it was said"
    for times in taken.values():
        for at, first in enumerate(times):
            for count, last in enumerate(times[at:], start=1):
                assert count <= rate.per_minute + (last - first) * rate.per_minute / 60 + 1e-6
        days = [int((NOON + at) // DAY) for at in times]
        assert all(days.count(day) <= rate.per_day for day in set(days))
