"""Whatever comes together: nobody is asked who may not be, and a recorded decision comes out the same again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.capabilities import LatencyClass, Streaming
from providers.base import Price
from providers.errors import ErrorKind
from providers.profile import ModelProfile
from routing.case import OUTPUT_RESERVE
from routing.catalog import Catalog
from routing.health import Health
from routing.policy import Exclusion, RouteQuery, decide
from routing.replay import record_of, replay
from routing.rollout import Policy
from routing.spend import price_of
from routing.strategy import Difficulty
from tests.generated import IS_CHAOS, UNCHECKED
from tests.routing.models import catalog, model

EVENTS = 100_000 if IS_CHAOS else 2_000
"""Decisions that are tried at random, by `make chaos` and by `make test`."""

REFS = ("one/a", "one/b", "two/c", "three/d", "four/e")
ALIASES = ("fast", "reason", "deep")


@st.composite
def catalogs(draw: st.DrawFn) -> Catalog:
    specs = []
    for ref in draw(st.lists(st.sampled_from(REFS), min_size=1, unique=True)):
        flags = draw(st.tuples(*(st.booleans() for _ in range(4))))
        price = draw(st.one_of(st.none(), st.sampled_from([0.0, 0.5, 5.0]).map(lambda usd: Price(usd, usd))))
        profile = ModelProfile(images=flags[0], tools=flags[1], schema=flags[2])
        plain = model(ref, draw(st.sampled_from([2_000, 8_192, 100_000])))
        specs.append(replace(plain, profile=profile, price=price, is_local=flags[3]))
    aliases = {
        alias: draw(st.sampled_from([each.ref for each in specs]))
        for alias in draw(st.sets(st.sampled_from(ALIASES)))
    }
    keys: dict[str, tuple[str, ...]] = {"one": ("k1", "k2")} if draw(st.booleans()) else {}
    return catalog(*specs, aliases=aliases, keys=keys)


names = st.sampled_from(
    [None, "auto", "fast", "deep", "one/a", "two/c", "gone/x", "late", "simple", "hard", "volume"]
)
queries = st.builds(
    RouteQuery,
    latency=st.sampled_from(LatencyClass),
    streaming=st.sampled_from(Streaming),
    now=st.just(1000.0),
    chosen_here=names,
    chosen_for_all=names,
    pinned=st.sampled_from([None, *REFS]),
    judged=names,
    task=st.sampled_from([None, "extraction", "reasoning", "volume", "other"]),
    difficulty=st.sampled_from(Difficulty),
    least_tokens=st.integers(0, 9_000),
    tokens=st.integers(0, 120_000),
    has_images=st.booleans(),
    needs_tools=st.booleans(),
    needs_schema=st.booleans(),
    local_only=st.booleans(),
    allowed=st.one_of(st.none(), st.frozensets(st.sampled_from(REFS))),
    full=st.frozensets(st.sampled_from([("one", ""), ("one", "k1"), ("two", ""), ("three", "")])),
    ceiling=st.sampled_from([0.0, 0.5, 5.0, float("inf")]),
    is_spent=st.booleans(),
    roll=st.floats(0, 1),
    policy=st.sampled_from(Policy),
)
faults = st.lists(
    st.tuples(st.sampled_from(REFS), st.sampled_from(ErrorKind), st.floats(900, 1000)), max_size=12
)


def broken(faults: list[tuple[str, ErrorKind, float]]) -> Health:
    health = Health()
    for ref, kind, at in faults:
        provider, _, name = ref.partition("/")
        health.failed((provider, name, ""), kind, 30.0, at)
        health.began((provider, name, "k1"), at / 500, at)
    return health


def allowed(spec: Any, query: RouteQuery) -> bool:
    rules = (
        spec.context_window >= query.least_tokens + OUTPUT_RESERVE,
        spec.profile.images or not query.has_images,
        spec.profile.tools or not query.needs_tools,
        spec.profile.schema or not query.needs_schema,
        spec.is_local or not query.local_only,
        query.allowed is None or spec.ref in query.allowed,
        price_of(spec) == 0 or not query.is_spent,
    )
    return all(rules)


@pytest.mark.generated
@pytest.mark.timeout(7200 if IS_CHAOS else 300)  # slow: as many events as the router is promised to bear
@settings(max_examples=EVENTS, deadline=None, suppress_health_check=UNCHECKED)
@given(catalogs(), queries, faults)
def test_whatever_comes_nobody_is_asked_who_may_not_be_and_a_record_gives_the_same_again(
    known: Catalog, query: RouteQuery, faults: list[tuple[str, ErrorKind, float]]
) -> None:
    decision = decide(query, known, broken(faults))
    rungs = decision.rungs
    assert all(allowed(rung.model, query) for rung in rungs)
    assert len({rung.key for rung in rungs}) == len(rungs)
    default = [known.primary.model, *(each.model for each in known.fallbacks)]
    assert rungs or not any(allowed(spec, query) for spec in default), "somebody is asked who may"

    late = [rung.account in query.full or price_of(rung.model) > query.ceiling for rung in rungs]
    assert late == sorted(late), "what is full or too dear comes last"
    if len(rungs) > 1:
        told = {each.ref for each in decision.excluded if each.why in (Exclusion.LIMIT, Exclusion.BUDGET)}
        assert {rung.model.ref for rung, is_late in zip(rungs, late, strict=True) if is_late} <= told

    record = record_of(decision)
    assert record is not None
    assert replay(record).is_same
