"""Money for a day: the ladder from every model to the free ones, and what is decided on each step."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.capabilities import LatencyClass, Streaming
from providers.base import ModelSpec, Price
from routing.health import Health
from routing.policy import Exclusion, Reason, RouteQuery, decide
from routing.spend import DAY, Budget, Level, Purse, ceiling, price_of
from routing.strategy import Difficulty
from tests.routing.models import catalog, model


def priced(ref: str, usd: float | None, *, local: bool = False) -> ModelSpec:
    price = Price(usd, usd) if usd is not None else None
    return replace(model(ref), price=price, is_local=local)


DEEP, DEFAULT, FAST = priced("a/deep", 10.0), priced("b/default", 2.0), priced("c/fast", 0.5)
HERE = priced("here/small", None, local=True)
ALL = catalog(DEFAULT, DEEP, FAST, HERE, aliases={"deep": "a/deep", "fast": "c/fast"})
NO_FREE = catalog(DEFAULT, DEEP, FAST, aliases={"deep": "a/deep", "fast": "c/fast"})


def query(level: Level, **changes: object) -> RouteQuery:
    plain = RouteQuery(
        LatencyClass.ASYNC,
        Streaming.EDIT,
        now=100.0,
        ceiling=ceiling(level, ALL),
        is_spent=level is Level.FREE,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spent", "level"),
    [
        (0.0, Level.ALL),
        (7.99, Level.ALL),
        (8.0, Level.DEFAULT),
        (9.0, Level.FAST),
        (10.0, Level.FREE),
        (99.0, Level.FREE),
    ],
)
def test_each_share_of_the_budget_has_its_step(spent: float, level: Level) -> None:
    assert Budget(10.0).level(spent) is level


@pytest.mark.parametrize("spent", [0.0, 1e9])
def test_without_a_limit_nothing_is_held_down(spent: float) -> None:
    assert Budget(math.inf, soft=0.0).level(spent) is Level.ALL


def test_a_budget_of_nothing_leaves_what_costs_nothing() -> None:
    assert Budget(0.0).level(0.0) is Level.FREE


@pytest.mark.parametrize(
    ("level", "first", "reason"),
    [
        (Level.ALL, "a/deep", Reason.DIFFICULTY),
        (Level.DEFAULT, "b/default", Reason.SPARING),
        (Level.FAST, "c/fast", Reason.SPARING),
        (Level.FREE, "here/small", Reason.SPARING),
    ],
)
def test_a_hard_question_goes_down_the_ladder_as_money_goes(level: Level, first: str, reason: Reason) -> None:
    decision = decide(query(level, difficulty=Difficulty.HARD), ALL, Health())
    assert (decision.rungs[0].model.ref, decision.reason) == (first, reason)


@pytest.mark.parametrize("level", [Level.DEFAULT, Level.FAST])
def test_while_money_is_left_dear_models_still_stand_behind_the_others(level: Level) -> None:
    decision = decide(query(level), ALL, Health())
    assert {rung.model.ref for rung in decision.rungs} == set(ALL.models)
    assert decision.rungs[-1].model.ref == "a/deep"


def test_with_the_money_spent_nothing_is_asked_that_costs_something() -> None:
    decision = decide(query(Level.FREE, chosen_here="deep"), ALL, Health())
    assert [rung.model.ref for rung in decision.rungs] == ["here/small"]
    assert {each.why for each in decision.excluded} == {Exclusion.BUDGET}


def test_with_the_money_spent_and_nothing_free_nobody_is_asked() -> None:
    assert decide(query(Level.FREE), NO_FREE, Health()).rungs == ()


def test_a_free_model_that_is_no_fallback_is_found_when_the_money_is_spent() -> None:
    spare = replace(NO_FREE, models={**NO_FREE.models, HERE.ref: HERE})
    assert [rung.model.ref for rung in decide(query(Level.FREE), spare, Health()).rungs] == ["here/small"]


@pytest.mark.parametrize(
    ("spec", "price"),
    [(FAST, 0.5), (HERE, 0.0), (priced("x/y", None), math.inf), (replace(FAST, price=Price(1.0, 5.0)), 2.0)],
)
def test_a_price_is_three_parts_prompt_and_one_part_answer(spec: ModelSpec, price: float) -> None:
    assert price_of(spec) == price


def test_a_new_day_begins_with_nothing_spent() -> None:
    purse = Purse()
    purse.add(3.0, DAY - 1.0)
    purse.add(1.0, DAY - 0.5)
    assert (purse.today(DAY - 0.1), purse.today(DAY + 0.1)) == (4.0, 0.0)


def test_a_clock_that_jumps_ahead_and_back_forgets_no_later_spending() -> None:
    purse = Purse()
    purse.add(3.0, 100 * DAY)
    purse.add(1.0, 9000 * DAY)
    assert purse.today(100 * DAY) == 1.0
    purse.add(2.0, 100 * DAY + 60)
    assert purse.today(100 * DAY + 61) == 3.0
    assert purse.today(101 * DAY) == 0.0


usd = st.floats(0, 1000, allow_nan=False)


@given(usd, st.floats(0, 1), st.floats(0, 1), usd, usd)
def test_the_ladder_never_rises_again_while_more_is_spent(
    per_day: float, soft: float, more: float, one: float, other: float
) -> None:
    budget = Budget(per_day, soft, soft + more)
    less, later = sorted((one, other))
    assert budget.level(less) <= budget.level(later)
    assert ceiling(budget.level(less), ALL) >= ceiling(budget.level(later), ALL)


@given(
    st.lists(st.one_of(st.none(), st.floats(0, 50)), min_size=1, max_size=6),
    st.sampled_from(Level),
    st.sampled_from(Difficulty),
    st.sampled_from([None, "fast", "deep", "a/0"]),
    st.sets(st.integers(0, 5)),
)
def test_in_every_case_what_is_asked_is_allowed_and_the_dear_and_the_full_come_last(
    prices: list[float | None], level: Level, difficulty: Difficulty, chosen: str | None, full: set[int]
) -> None:
    specs = [priced(f"{'abcdef'[at]}/{at}", usd) for at, usd in enumerate(prices)]
    known = catalog(*specs, aliases={"fast": specs[-1].ref, "deep": specs[len(specs) // 2].ref})
    most = ceiling(level, known)
    keys = frozenset(("abcdef"[at], "") for at in full)
    asked = RouteQuery(
        LatencyClass.SYNC,
        Streaming.EDIT,
        now=100.0,
        difficulty=difficulty,
        chosen_here=chosen,
        full=keys,
        ceiling=most,
        is_spent=level is Level.FREE,
    )
    decision = decide(asked, known, Health())
    last = [price_of(rung.model) > most or rung.account in keys for rung in decision.rungs]
    assert last == sorted(last)
    if level is Level.FREE:
        assert all(price_of(rung.model) == 0 for rung in decision.rungs)
    else:
        assert {rung.model.ref for rung in decision.rungs} == set(known.models)
    assert decide(asked, known, Health()) == decision
