"""The soak finds what grows and what is lost, and a short one of a real daemon finds neither."""

from __future__ import annotations

import random
from pathlib import Path
from typing import cast

import pytest

from tests.channels.telegram.peer.client import Peer
from tests.soak.crowd import Crowd, Question
from tests.soak.life import Plan, Soak, soak
from tests.soak.report import is_bad, lines
from tests.soak.slopes import Sample, quantile, slope

HOUR = 3600.0


def growing(life: int, begin: float, level: float) -> list[Sample]:
    """Ten minutes of a process that grows by 6 an hour, after a warm-up in which it grew by much."""
    return [
        Sample(begin + age, life, age, {"rss": level + (6.0 * age / HOUR if age > 90 else -100.0)})
        for age in range(0, 600, 10)
    ]


def test_a_slope_is_found_through_restarts_and_without_the_warm_up() -> None:
    samples = growing(0, 0.0, 100.0) + growing(1, 700.0, 50.0)
    assert slope(samples, "rss", 91.0) == pytest.approx(6.0)
    assert slope(samples, "tasks") is None
    assert slope(samples[:12], "rss", 91.0) is None


def test_a_quantile_is_the_bound_of_its_bucket() -> None:
    assert quantile({0.001: 90.0, 0.01: 99.0, 0.1: 100.0}, 0.99) == 0.01
    assert quantile({}, 0.99) is None


def crowd(*questions: Question) -> Soak:
    """What a soak saw of these questions."""
    nobody = cast("Peer", None)
    return Soak(Crowd(nobody, range(1), random.Random(1), questions=list(questions)))


WHOLE, LOST = Question(1, "qid1q", 0.0, whole=1), Question(2, "qid2q", 0.0)
TWICE = Question(3, "qid3q", 0.0, whole=2, copies=2)
AT_A_KILL = Question(4, "qid4q", 0.0, whole=2, copies=2, in_doubt=True)
IN_PART = Question(4, "qid5q", 0.0, whole=1, copies=2, in_doubt=True)
COUNTED = '{"conversation": "telegram:main:%d", "turn_id": "t%d"}'


def test_what_is_lost_or_doubled_for_no_reason_is_bad() -> None:
    assert [is_bad(crowd(each)) for each in (WHOLE, LOST, TWICE)] == [False, True, True]
    assert "lost: qid2q in chat 2" in lines(crowd(WHOLE, LOST))


@pytest.mark.parametrize(
    ("chats", "unexplained"),
    [((), [AT_A_KILL, IN_PART]), ((4,), [IN_PART]), ((3, 5), [AT_A_KILL, IN_PART]), ((4, 4), [])],
)
def test_what_a_kill_doubled_is_excused_as_often_as_the_daemon_counted_it(
    chats: tuple[int, ...], unexplained: list[Question]
) -> None:
    seen = crowd(AT_A_KILL, IN_PART)
    seen.crowd.doubts = {COUNTED % (chat, turn) for turn, chat in enumerate(chats)}
    assert seen.crowd.unexplained == unexplained
    assert is_bad(seen) == bool(unexplained)


@pytest.mark.slow  # a real life of some seconds, a kill in it
async def test_a_short_soak_with_a_kill_loses_nothing(tmp_path: Path) -> None:
    faults = ("platform cut off", "kill -9", "half-open model")
    plan = Plan(8.0, rate=8.0, people=20, every=2.0, lasts=1.0, sample=0.5, patience=40.0, faults=faults)
    seen = await soak(tmp_path / "home", plan, lambda _: None)
    assert len(seen.crowd.questions) > 10 and "kill -9" in seen.faults
    assert not is_bad(seen), lines(seen)
    assert {"rss", "tasks", "descriptors", "store"} <= seen.samples[-1].values.keys()
