"""Cascades: which models to ask one after another, and when to stop."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.cascade import Cascade, expected, following, plan

QUALITY = {"small": 0.6, "middle": 0.75, "large": 0.9}
COST = {"small": 0.001, "middle": 0.004, "large": 0.02}
THREE = Cascade(("small", "middle", "large"), QUALITY.__getitem__, COST.__getitem__, accuracy=1.0)


def test_with_a_judge_that_never_errs_all_models_are_worth_asking_cheapest_first() -> None:
    best = plan(THREE)
    assert best.order == ("small", "middle", "large")
    assert best.quality == pytest.approx(1 - 0.4 * 0.25 * 0.1)
    assert best.cost == pytest.approx(0.001 + 0.4 * 0.004 + 0.4 * 0.25 * 0.02)


def test_with_a_judge_that_guesses_the_best_model_is_asked_alone() -> None:
    assert plan(replace(THREE, accuracy=0.5)).order == ("large",)


@pytest.mark.parametrize(
    ("most", "order"),
    [
        (1.0, ("small", "middle", "large")),
        (0.003, ("small", "middle")),
        (0.001, ("small",)),
        (0.0, ("small",)),
    ],
)
def test_no_more_is_spent_on_average_than_allowed_and_somebody_is_always_asked(
    most: float, order: tuple[str, ...]
) -> None:
    assert plan(replace(THREE, max_expected_cost=most)).order == order


@pytest.mark.parametrize(("depth", "order"), [(1, ("large",)), (2, ("middle", "large"))])
def test_no_more_models_are_asked_than_allowed(depth: int, order: tuple[str, ...]) -> None:
    assert plan(replace(THREE, max_depth=depth)).order == order


def test_a_forced_order_is_kept_even_where_another_would_be_cheaper() -> None:
    backwards = replace(THREE, models=("large", "middle", "small"), force_order=True)
    assert plan(backwards).order == ("large", "middle", "small")
    assert plan(replace(backwards, force_order=False)).order == ("small", "middle", "large")


@pytest.mark.parametrize("count", [0, 7])
def test_a_cascade_of_no_models_or_of_too_many_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"a cascade has {count} models; allowed: 1 to 6"):
        plan(replace(THREE, models=tuple("abcdefg"[:count]), quality=lambda _: 0.5, cost=lambda _: 0.1))


def test_an_answer_is_kept_when_the_next_is_not_likelier_to_be_good() -> None:
    order = ("small", "large")
    assert following(order, 0, 0.5, THREE) == "large"
    assert following(order, 0, 0.95, THREE) is None
    assert following(order, 1, 0.0, THREE) is None


models = st.dictionaries(
    st.sampled_from("abcde"), st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5
)


@given(models, st.floats(0, 2), st.integers(1, 4), st.booleans(), st.floats(0.5, 1))
def test_the_plan_is_the_best_of_what_is_allowed(
    figures: dict[str, tuple[float, float]], most: float, depth: int, force: bool, accuracy: float
) -> None:
    cascade = Cascade(
        tuple(figures),
        lambda name: figures[name][0],
        lambda name: figures[name][1],
        most,
        depth,
        force,
        accuracy,
    )
    best = plan(cascade)
    assert len(set(best.order)) == len(best.order) <= depth
    assert expected(best.order, cascade) == best
    cheapest = min(cost for _, cost in figures.values())
    assert best.cost <= most or (len(best.order) == 1 and best.cost == cheapest)
    if best.cost <= most:
        alone = [quality for quality, cost in figures.values() if cost <= most]
        assert all(best.quality >= quality - 1e-8 for quality in alone)
