"""Deciding: precedence, constraints, and what happens when models rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.capabilities import LatencyClass, Streaming
from providers.base import Effort
from providers.errors import ErrorKind
from routing.budgets import BUDGETS
from routing.errors import UnknownModel
from routing.health import Health
from routing.policy import Decision, Exclusion, Reason, RouteQuery, decide
from tests.routing.models import catalog, model

A, B, C = model("one/a"), model("two/b", 200_000, images=True), model("two/c")
ALL = catalog(A, B, C, aliases={"fast": "two/c", "deep": "two/b"})


def query(**changes: object) -> RouteQuery:
    return RouteQuery(latency=LatencyClass.SYNC, streaming=Streaming.EDIT, now=100.0, **changes)  # type: ignore[arg-type]


def refs(decision: Decision) -> list[str]:
    return [rung.model.ref for rung in decision.rungs]


def test_with_nothing_chosen_the_primary_answers_and_the_fallbacks_follow() -> None:
    decision = decide(query(), ALL, Health())
    assert refs(decision) == ["one/a", "two/b", "two/c"]
    assert decision.reason is Reason.DEFAULT
    assert decision.budget is BUDGETS[LatencyClass.SYNC]


@pytest.mark.parametrize(
    ("choices", "reason", "first"),
    [
        ({"one_shot": "fast", "chosen_here": "deep"}, Reason.ONE_SHOT, "two/c"),
        ({"chosen_here": "deep", "chosen_for_account": "fast"}, Reason.CHOSEN_HERE, "two/b"),
        ({"chosen_for_account": "fast", "chosen_for_all": "deep"}, Reason.CHOSEN_FOR_ACCOUNT, "two/c"),
        ({"chosen_for_all": "deep"}, Reason.CHOSEN_FOR_ALL, "two/b"),
        ({"chosen_here": "auto", "chosen_for_all": "deep"}, Reason.DEFAULT, "one/a"),
    ],
)
def test_the_nearest_choice_wins(choices: dict[str, str], reason: Reason, first: str) -> None:
    decision = decide(query(**choices), ALL, Health())
    assert (decision.reason, refs(decision)[0]) == (reason, first)


def test_a_standing_choice_whose_model_is_gone_is_passed_over() -> None:
    assert refs(decide(query(chosen_here="one/retired"), ALL, Health()))[0] == "one/a"


def test_a_one_shot_that_names_nobody_says_who_is_near() -> None:
    with pytest.raises(UnknownModel) as error:
        decide(query(one_shot="fats"), ALL, Health())
    assert "fast" in error.value.nearest


def test_a_model_that_cannot_hold_the_question_is_not_asked() -> None:
    decision = decide(query(least_tokens=9000), ALL, Health())
    assert refs(decision) == ["two/b"]
    assert {(each.ref, each.why) for each in decision.excluded} == {
        ("one/a", Exclusion.WINDOW),
        ("two/c", Exclusion.WINDOW),
    }


def test_a_picture_goes_only_to_a_model_that_can_see() -> None:
    assert refs(decide(query(has_images=True), ALL, Health())) == ["two/b"]


def test_a_rate_limited_model_rests_and_only_that_model() -> None:
    health = Health()
    health.failed(("two", "b", ""), ErrorKind.RATE_LIMIT, 30.0, 90.0)
    decision = decide(query(chosen_here="deep"), ALL, health)
    assert refs(decision) == ["one/a", "two/c"]
    assert decision.reason is Reason.FELL_BACK
    later = decide(RouteQuery(LatencyClass.SYNC, Streaming.EDIT, now=121.0, chosen_here="deep"), ALL, health)
    assert refs(later)[0] == "two/b"


def test_a_refused_key_gives_way_to_the_next_key_of_the_provider() -> None:
    health = Health()
    two_keys = catalog(A, B, keys={"one": ("k1", "k2"), "two": ("k3",)})
    health.failed(("one", "a", "k1"), ErrorKind.AUTH, None, 90.0)
    decision = decide(query(), two_keys, health)
    assert [(rung.model.ref, rung.credential_id) for rung in decision.rungs] == [
        ("one/a", "k2"),
        ("two/b", "k3"),
    ]


def test_a_wanted_effort_stands_over_each_models_own() -> None:
    assert {rung.options.effort for rung in decide(query(effort=Effort.HIGH), ALL, Health()).rungs} == {
        Effort.HIGH
    }


def test_with_every_rung_resting_the_least_recently_failed_is_tried() -> None:
    health = Health()
    for at, spec in ((96.0, A), (94.0, B), (98.0, C)):
        health.failed((spec.provider, spec.model, ""), ErrorKind.RATE_LIMIT, 60.0, at)
    assert refs(decide(query(), ALL, health)) == ["two/b"]


names = st.sampled_from(["fast", "deep", "auto", "one/a", "two/b", "gone", None])


@given(
    names,
    names,
    names,
    st.integers(0, 20_000),
    st.booleans(),
    st.lists(st.sampled_from([A, B, C]), max_size=12),
)
def test_a_decision_is_a_ladder_without_repeats_of_models_that_fit(
    here: str | None,
    account: str | None,
    everywhere: str | None,
    tokens: int,
    images: bool,
    failing: list[object],
) -> None:
    health = Health()
    for spec in failing:
        health.failed((spec.provider, spec.model, ""), ErrorKind.OVERLOADED, None, 99.0)  # type: ignore[attr-defined]
    asked = query(
        chosen_here=here,
        chosen_for_account=account,
        chosen_for_all=everywhere,
        least_tokens=tokens,
        has_images=images,
    )
    decision = decide(asked, ALL, health)
    assert len(set(refs(decision))) == len(decision.rungs)
    for rung in decision.rungs:
        assert rung.model.context_window > tokens
        assert rung.model.profile.images or not images
    if tokens < 7000 and not images:
        assert decision.rungs, "somebody is always asked"
    assert decide(asked, ALL, health) == decision
