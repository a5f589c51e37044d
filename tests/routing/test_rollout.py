"""Who is served by which policy, what the next stage waits for, and what is taken back."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.gates import ENOUGH, Arm, fault, gates
from routing.rollout import SHARES, Policy, Rollout, Stage, bucket, policy_at

SYNC = "sync"


def arm(
    count: int,
    seed: int,
    *,
    slower: float = 1.0,
    failing: float = 0.01,
    disliked: int = 0,
    cost: float = 0.001,
) -> Arm:
    """Answers of a policy: lognormal times about 0.3 s."""
    made, chance = Arm(disliked=disliked), random.Random(seed)
    for _ in range(count):
        seconds = chance.lognormvariate(-1.2, 0.4) * slower
        made.add(seconds=seconds, failed=chance.random() < failing, cost_usd=cost)
    return made


# Who is served


@given(st.text(min_size=1, max_size=40))
def test_whoever_is_in_at_twenty_is_in_at_fifty_and_a_hundred(conversation: str) -> None:
    served = [policy_at(stage, conversation) is Policy.SMART for stage in Stage]
    assert served == sorted(served)
    assert served[0] is False
    assert served[-1] is True
    assert bucket(conversation) == bucket(conversation)


def test_a_hash_shares_conversations_out_evenly_and_for_ever() -> None:
    keys = [f"telegram:main:{number}" for number in range(20_000)]
    for stage in (Stage.FIFTH, Stage.HALF):
        share = sum(policy_at(stage, key) is Policy.SMART for key in keys) / len(keys)
        assert share == pytest.approx(SHARES[stage] / 100, abs=0.01)
    assert [bucket(key) for key in keys[:5]] == [73, 99, 41, 99, 16]


def test_off_serves_nobody_and_compares_nothing() -> None:
    off = Rollout(Stage.OFF)
    assert off.policy(SYNC, "any") is Policy.STATIC
    assert not off.compares
    assert not off.shadows


# The conditions


def test_a_policy_as_good_as_the_old_one_meets_every_condition() -> None:
    found = gates(arm(600, 1), arm(600, 1), 1.5)
    assert [(each.name, each.is_met) for each in found] == [
        ("decisions", True),
        ("first word", True),
        ("errors", True),
        ("reactions", True),
        ("cost", True),
    ]


@pytest.mark.parametrize(
    ("new", "missed"),
    [
        (arm(ENOUGH - 1, 1), "decisions"),
        (arm(600, 1, slower=1.08), "first word"),
        (arm(600, 1, failing=0.04), "errors"),
        (arm(600, 1, disliked=30), "reactions"),
        (arm(600, 1, cost=0.002), "cost"),
    ],
)
def test_each_condition_alone_holds_the_next_stage_up(new: Arm, missed: str) -> None:
    found = gates(new, arm(600, 1, disliked=10), 1.5)
    assert [each.name for each in found if not each.is_met] == [missed]


def test_few_more_dislikes_are_chance() -> None:
    found = {
        each.name: each.is_met for each in gates(arm(600, 1, disliked=14), arm(600, 1, disliked=10), 1.5)
    }
    assert found["reactions"]


def test_nothing_is_compared_where_no_price_is_known() -> None:
    new, old = Arm(), Arm()
    for each in (new, old):
        each.add(seconds=0.3, failed=False, cost_usd=None)
    assert {each.name: each.is_met for each in gates(new, old, 1.5)}["cost"]


# Taking back


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (arm(400, 2, slower=1.5), "first word"),
        (arm(400, 2, failing=0.08), "errors"),
        (arm(400, 2, disliked=40), "reactions"),
        (arm(400, 2, cost=0.01), "cost"),
    ],
)
def test_a_policy_that_is_clearly_worse_is_taken_back(new: Arm, said: str) -> None:
    why = fault(new, arm(400, 3), 1.5)
    assert why is not None
    assert why.startswith(said)


def test_a_few_bad_answers_take_nothing_back() -> None:
    assert fault(arm(59, 2, slower=5.0), arm(400, 3), 1.5) is None
    new = arm(80, 2, failing=0.0)
    new.failures = 4
    assert fault(new, arm(400, 3, failing=0.0), 1.5) is None


@pytest.mark.slow
def test_an_equal_policy_is_hardly_ever_taken_back() -> None:
    """Takes seconds: sixty stages of 1,500 answers."""
    taken = 0
    for seed in range(60):
        rollout, chance = Rollout(Stage.HALF), random.Random(seed)
        for _ in range(1_500):
            policy = chance.choice(list(Policy))
            seconds = chance.lognormvariate(-1.2, 0.4)
            rollout.answered(SYNC, policy, seconds=seconds, failed=chance.random() < 0.02, cost_usd=0.001)
        taken += SYNC in rollout.held
    assert taken <= 3


def test_a_class_that_is_slower_is_taken_back_alone_and_within_a_minutes_answers() -> None:
    rollout, chance = Rollout(Stage.HALF), random.Random(7)
    answers = 0
    while SYNC not in rollout.held:
        answers += 1
        for policy in Policy:
            for latency in (SYNC, "async"):
                bad = latency == SYNC and policy is Policy.SMART
                seconds = chance.lognormvariate(-1.2, 0.4) * (3.0 if bad else 1.0)
                rollout.answered(latency, policy, seconds=seconds, failed=False, cost_usd=None)
    assert answers <= 100
    assert rollout.held[SYNC].startswith("first word: p95 ")
    served = next(key for key in map(str, range(100)) if policy_at(Stage.HALF, key) is Policy.SMART)
    assert rollout.policy(SYNC, served) is Policy.STATIC
    assert rollout.policy("async", served) is Policy.SMART


# Stages


def test_stages_go_one_by_one_and_begin_anew() -> None:
    rollout = Rollout(Stage.OFF)
    for expected in (Stage.SHADOW, Stage.FIFTH, Stage.HALF, Stage.ALL, Stage.ALL):
        rollout.go(rollout.beside(1), 5.0)
        assert (rollout.stage, rollout.arms, rollout.decided) == (expected, {}, 0)
    assert rollout.beside(-1) is Stage.HALF


def test_shadow_waits_for_decisions_alone() -> None:
    rollout = Rollout(Stage.SHADOW)
    waiting = rollout.may_go_on
    for number in range(ENOUGH):
        rollout.compared(is_same=number % 5 > 0)
    assert (waiting, rollout.may_go_on) == (False, True)
    assert rollout.differing == 100


def test_a_stage_waits_for_the_classes_that_are_used() -> None:
    rollout = Rollout(Stage.FIFTH)
    answers = [rollout.may_go_on]
    rollout.arms[SYNC] = {Policy.SMART: arm(600, 1), Policy.STATIC: arm(900, 1)}
    rollout.arms["voice"] = {Policy.SMART: arm(3, 1, slower=9.0), Policy.STATIC: arm(9, 1)}
    answers.append(rollout.may_go_on)  # three questions by voice hold up nobody
    rollout.arms["async"] = {Policy.SMART: arm(600, 1, slower=1.2), Policy.STATIC: arm(900, 1)}
    answers.append(rollout.may_go_on)
    assert answers == [False, True, False]


def test_what_was_seen_outlives_a_process() -> None:
    rollout = Rollout(Stage.HALF, Stage.FIFTH, since=9.0)
    rollout.arms[SYNC] = {Policy.SMART: arm(50, 1), Policy.STATIC: arm(50, 2)}
    rollout.held["async"] = "cost"
    kept = json.loads(json.dumps(rollout.to_plain()))
    assert Rollout.from_plain(kept, Stage.FIFTH, 1.5) == rollout
    assert Rollout.from_plain(kept, Stage.OFF, 1.5).stage is Stage.OFF  # the settings were changed since


@pytest.mark.parametrize(
    "kept", [{}, [], {"configured": "20", "decided": 3}, {"configured": "20", "stage": "90"}]
)
def test_what_is_no_rollout_is_refused(kept: object) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        Rollout.from_plain(kept, Stage.FIFTH, 1.5)  # type: ignore[arg-type]


@given(st.lists(st.floats(0.011, 900.0), min_size=1, max_size=80), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_of_buckets_is_within_two_per_cent(times: list[float], share: float) -> None:
    made = Arm()
    for seconds in times:
        made.add(seconds=seconds, failed=False, cost_usd=None)
    ordered = sorted(times)
    place = next(at for at in range(len(times)) if at + 1 >= share * len(times))
    found = made.quantile(share)
    assert found is not None
    assert ordered[place] <= found * 1.000001
    assert found <= ordered[place] * 1.021
