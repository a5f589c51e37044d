"""A scenario file is read strictly: what is right is taken as written, what is wrong is named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import Price
from providers.demo_scenario import ERRORS, MIDWAY, Scenario, Span, Tail, Way, Window, read_scenario
from providers.errors import ErrorKind


def read(*models: dict[str, Any], **more: Any) -> Scenario:
    return read_scenario(json.dumps({"models": list(models), **more}), "s.json")


def wrong(*models: dict[str, Any], **more: Any) -> str:
    with pytest.raises(ValueError, match=r"^s\.json: ") as caught:
        read(*models, **more)
    return str(caught.value)


def test_a_model_needs_only_an_id() -> None:
    (model,) = read({"id": "m"}).models
    assert (model.id, model.ttft, model.faults, model.answer) == ("m", Span(0.05, 0.05), (), None)


def test_everything_that_can_be_said_is_taken_as_written() -> None:
    fault = {"kind": "rate_limit", "retryAfter": 7, "requests": [3, 4], "every": 2, "probability": 0.5}
    slow = {"factor": 4, "from": 10, "until": 20}
    scenario = read(
        {
            "id": "m",
            "title": "M",
            "ttft": {"median": 0.2, "p95": 0.9},
            "tokensPerSecond": {"between": [50, 90]},
            "answer": "{question}",
            "reasoning": "Well.",
            "contextWindow": 1000,
            "maxOutput": 100,
            "prefill": False,
            "cost": {"input": 1, "output": 2.5},
            "faults": [fault, {"kind": "stall", "after": 9, "from": 60, "until": 180, "delay": 1}],
            "slowdowns": [slow],
        },
        seed=3,
    )
    (model,) = scenario.models
    assert scenario.seed == 3
    assert (model.ttft, model.speed) == (Tail(0.2, 0.9), Span(50, 90))
    assert (model.context_window, model.max_output, model.prefill) == (1000, 100, False)
    assert model.price == Price(1, 2.5)
    first, second = model.faults
    assert (first.kind, first.retry_after, first.requests, first.every) == (
        ErrorKind.RATE_LIMIT,
        7,
        frozenset({3, 4}),
        2,
    )
    assert (second.kind, second.after, second.window, second.delay) == (Way.STALL, 9, Window(60, 180), 1)
    assert (model.slowdowns[0].factor, model.slowdowns[0].window) == (4, Window(10, 20))


def test_faults_beside_the_models_hold_for_all_of_them() -> None:
    scenario = read({"id": "a"}, {"id": "b", "faults": [{"kind": "cut"}]}, faults=[{"kind": "connect"}])
    kinds = [[fault.kind for fault in model.faults] for model in scenario.models]
    assert kinds == [[ErrorKind.CONNECT], [ErrorKind.CONNECT, Way.CUT]]


@pytest.mark.parametrize("kind", [*ERRORS, *Way])
def test_every_kind_has_a_place_where_it_happens(kind: str) -> None:
    (fault,) = read({"id": "m", "faults": [{"kind": kind}]}).models[0].faults
    assert fault.kind.value == kind
    assert fault.after == (MIDWAY if kind in {"stall", "cut", "filtered", "full"} else 0)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({}, "models[0].id: is missing; it takes a text that is not empty"),
        (
            {"id": "m", "ttft": -1},
            "models[0].ttft: -1 is not allowed; allowed: seconds, 0 to 86400: a number,",
        ),
        (
            {"id": "m", "ttft": {"median": 0, "p95": 1}},
            'models[0].ttft: {"median": 0, "p95": 1} is not allowed',
        ),
        ({"id": "m", "ttft": {"median": 2, "p95": 1}}, "models[0].ttft: "),
        (
            {"id": "m", "tokensPerSecond": 0},
            "models[0].tokensPerSecond: 0 is not allowed; allowed: tokens a second",
        ),
        ({"id": "m", "ttfb": 1}, "models[0].ttfb: there is no such key; nearest: ttft"),
        ({"id": "m", "prefill": "yes"}, 'models[0].prefill: "yes" is not allowed; allowed: true, false'),
        (
            {"id": "m", "cost": {"input": 1}},
            'models[0].cost: {"input": 1} is not allowed; allowed: {"input": X',
        ),
        ({"id": "m", "faults": {}}, "models[0].faults: {} is not allowed; allowed: a list"),
        ({"id": "m", "faults": [3]}, "models[0].faults[0]: 3 is not allowed; allowed: an object"),
        ({"id": "m", "answer": ""}, 'models[0].answer: "" is not allowed; allowed: a text that is not empty'),
        (
            {"id": "m", "contextWindow": True},
            "models[0].contextWindow: true is not allowed; allowed: a whole",
        ),
        (
            {"id": "m", "slowdowns": [{}]},
            "models[0].slowdowns[0].factor: is missing; it takes how many times",
        ),
    ],
)
def test_what_is_wrong_with_a_model_is_named_with_what_is_allowed(model: dict[str, Any], said: str) -> None:
    assert said in wrong(model)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"kind": "stal"}, '.kind: "stal" is not allowed; allowed: one of rate_limit, quota'),
        ({}, ".kind: is missing; it takes one of rate_limit"),
        ({"kind": "stall", "after": 0}, ".after: 0 is not allowed; allowed: a whole number from 1"),
        ({"kind": "silence", "after": 3}, ".after: means nothing for the kind silence; take it out"),
        ({"kind": "server", "retryAfter": 3}, ".retryAfter: means nothing for the kind server"),
        (
            {"kind": "server", "probability": 1.5},
            ".probability: 1.5 is not allowed; allowed: a share, 0 to 1",
        ),
        ({"kind": "server", "requests": [0]}, ".requests: [0] is not allowed; allowed: a list of numbers"),
        ({"kind": "server", "from": 9, "until": 9}, ".until: 9 is not allowed; allowed: more than from (9)"),
    ],
)
def test_what_is_wrong_with_a_fault_is_named_with_what_is_allowed(fault: dict[str, Any], said: str) -> None:
    assert f"models[0].faults[0]{said}" in wrong({"id": "m", "faults": [fault]})


def test_all_that_is_wrong_is_said_at_once() -> None:
    text = wrong({"id": "m", "ttft": "x"}, {"id": "m", "faults": [{"kind": "y"}]}, seed="z", model=[])
    for place in (
        "models[0].ttft",
        "models[1].faults[0].kind",
        "seed",
        "model: there is no",
        "id 'm' stands twice",
    ):
        assert place in text


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"models": []}', '{"models": 3}', "{}", b"\xff\xfe"])
def test_what_is_no_scenario_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"^s\.json: "):
        read_scenario(text, "s.json")


VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.lists(st.integers())
    | st.dictionaries(st.sampled_from(["between", "median", "p95", "input"]), st.integers() | st.text())
)
KEYS = st.sampled_from(["id", "ttft", "faults", "answer", "cost", "slowdowns", "contextWindow", "x"])


@given(st.dictionaries(KEYS, VALUES))
def test_no_values_break_the_reader(model: dict[str, Any]) -> None:
    said = ""
    try:
        read(model)
    except ValueError as error:
        said = str(error)
    assert not said or said.startswith("s.json: ")


@given(st.floats(0, 1), st.floats(0.001, 10), st.floats(1, 20))
def test_half_of_the_values_lie_below_the_median_and_19_of_20_below_the_p95(
    share: float, median: float, times: float
) -> None:
    tail = Tail(median, median * times)
    assert (tail.at(share) <= median * (1 + 1e-9)) == (share <= 0.5) or times == pytest.approx(1)
    assert tail.at(0.95) == pytest.approx(tail.p95)
