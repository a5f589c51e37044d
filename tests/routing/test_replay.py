"""A recorded decision, decided again."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.capabilities import LatencyClass, Streaming
from providers.errors import ErrorKind
from routing.case import Case
from routing.errors import RecordError
from routing.health import Health
from routing.policy import RouteQuery, decide, pick
from routing.replay import canonical, from_plain, record_of, replay, to_plain
from routing.rollout import Policy
from routing.strategy import Difficulty
from tests.generated import generated
from tests.routing.models import catalog, model

MODELS = tuple(model(f"{name}/m", window) for name, window in (("a", 8192), ("b", 200_000), ("c", 32_000)))
ALL = catalog(*MODELS, aliases={"fast": "c/m", "deep": "b/m"}, keys={"a": ("one", "two")})

EVENTS = st.lists(
    st.tuples(
        st.sampled_from([each.provider for each in MODELS]),
        st.one_of(st.floats(0.01, 30.0), st.sampled_from(list(ErrorKind))),
    ),
    max_size=40,
)
QUERIES = st.builds(
    RouteQuery,
    latency=st.sampled_from(list(LatencyClass)),
    streaming=st.sampled_from(list(Streaming)),
    now=st.floats(1_000.0, 2_000.0),
    chosen_here=st.sampled_from([None, "fast", "deep", "auto", "gone"]),
    pinned=st.sampled_from([None, "a/m", "b/m", "gone/m"]),
    difficulty=st.sampled_from(list(Difficulty)),
    least_tokens=st.sampled_from([0, 9_000, 100_000, 1_000_000]),
    roll=st.floats(0.0, 1.0),
    policy=st.sampled_from(list(Policy)),
)


def some_record(**changes: Any) -> dict[str, Any]:
    query = RouteQuery(LatencyClass.SYNC, Streaming.EDIT, now=100.0, **changes)
    record = record_of(decide(query, ALL, Health()), "w1")
    assert record is not None
    return dict(record)


def _health(events: list[tuple[str, float | ErrorKind]]) -> Health:
    health = Health(epoch=1e9)
    for number, (provider, what) in enumerate(events):
        key, now = (provider, "m", "one" if provider == "a" else ""), 900.0 + number * 5
        if isinstance(what, ErrorKind):
            health.failed(key, what, None, now)
        else:
            health.began(key, what, now, 100, 2.0)
            health.ran_at(key, 40.0)
    return health


@generated
@given(QUERIES, EVENTS)
def test_a_stored_decision_gives_the_same_choice_byte_for_byte(
    query: RouteQuery, events: list[tuple[str, float | ErrorKind]]
) -> None:
    decision = decide(query, ALL, _health(events))
    stored = orjson.dumps(record_of(decision, "w1"))
    again = replay(orjson.loads(stored))
    assert again.is_same
    assert again.case == decision.case
    assert [decision.case.candidates[at].ref for at in again.picked.order] == [
        rung.model.ref for rung in decision.rungs
    ]
    assert canonical(to_plain(from_plain(Case, to_plain(again.case)))) == canonical(to_plain(decision.case))


def test_a_record_holds_versions_and_no_usual_values() -> None:
    record = some_record()
    assert (record["policy"], record["weights"]) == ("1", "w1")
    assert record["case"]["latency"] == "sync"
    assert "pinned" not in record["picked"]
    assert "policy" not in record["case"]  # smart is usual
    assert len(canonical(record)) < 1500


def test_a_record_that_was_touched_is_found_out() -> None:
    record = json.loads(canonical(some_record(chosen_here="deep")))
    record["picked"]["order"].reverse()
    assert not replay(record).is_same


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"case": None}, "no record of a decision"),
        ({"picked": {"order": [float("nan")]}}, "no record of a decision"),
        ({"policy": None, "case": {"latency": "sync"}}, "Case without"),
    ],
)
def test_what_is_no_record_is_refused_in_words(change: dict[str, Any], said: str) -> None:
    with pytest.raises(RecordError, match=said):
        replay({**some_record(), **change})


def test_a_value_that_this_version_does_not_know_is_named() -> None:
    record = json.loads(canonical(some_record()))
    record["case"]["candidates"][0]["mood"] = "good"
    with pytest.raises(RecordError, match="Candidate has no mood"):
        replay(record)


def test_the_static_policy_keeps_the_order_of_the_settings() -> None:
    slow = _health([("a", 30.0)] * 12)
    query = RouteQuery(LatencyClass.SYNC, Streaming.EDIT, 1_000.0, difficulty=Difficulty.HARD, pinned="b/m")
    smart = [rung.model.ref for rung in decide(query, ALL, slow).rungs]
    assert smart[0] != "a/m"
    decision = decide(replace(query, policy=Policy.STATIC), ALL, slow)
    assert [rung.model.ref for rung in decision.rungs] == ["a/m", "a/m", "b/m", "c/m"]
    assert decision.case is not None
    assert pick(decision.case).order == (0, 1, 2, 3)
