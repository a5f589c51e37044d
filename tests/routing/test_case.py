"""Layers of a decision: constraints first, then choices, pins, difficulty and times; and what a replay needs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from channels.capabilities import LatencyClass, Streaming
from providers.base import ModelSpec
from providers.profile import ModelProfile
from routing.case import Exclusion, Reason, RouteQuery, gather
from routing.health import Health
from routing.policy import decide, pick
from routing.strategy import STRATEGIES, Difficulty, row, rows
from tests.routing.models import catalog, model

MAIN, SPARE, FAST, REASON = model("m/main"), model("m/spare"), model("m/fast"), model("m/reason")
DEEP = model("d/deep", 200_000, images=True)
ALL = catalog(
    MAIN, SPARE, FAST, REASON, DEEP, aliases={"fast": "m/fast", "reason": "m/reason", "deep": "d/deep"}
)
ALL = replace(ALL, fallbacks=ALL.fallbacks[:1])


def query(latency: LatencyClass = LatencyClass.SYNC, **changes: object) -> RouteQuery:
    return RouteQuery(latency=latency, streaming=Streaming.EDIT, now=100.0, **changes)  # type: ignore[arg-type]


def first(**changes: object) -> tuple[str, Reason]:
    decision = decide(query(**changes), ALL, Health())  # type: ignore[arg-type]
    return decision.rungs[0].model.ref, decision.reason


@pytest.mark.parametrize(
    ("latency", "difficulty", "ref"),
    [
        (LatencyClass.VOICE, Difficulty.HARD, "m/fast"),
        (LatencyClass.VOICE, Difficulty.USUAL, "m/fast"),
        (LatencyClass.SYNC, Difficulty.SIMPLE, "m/fast"),
        (LatencyClass.SYNC, Difficulty.USUAL, "m/main"),
        (LatencyClass.SYNC, Difficulty.HARD, "m/reason"),
        (LatencyClass.SEMI_SYNC, Difficulty.SIMPLE, "m/fast"),
        (LatencyClass.SEMI_SYNC, Difficulty.HARD, "m/reason"),
        (LatencyClass.ASYNC, Difficulty.SIMPLE, "m/main"),
        (LatencyClass.ASYNC, Difficulty.HARD, "d/deep"),
        (LatencyClass.BATCH, Difficulty.HARD, "d/deep"),
    ],
)
def test_each_class_answers_simple_usual_and_hard_questions_by_its_strategy(
    latency: LatencyClass, difficulty: Difficulty, ref: str
) -> None:
    assert first(latency=latency, difficulty=difficulty)[0] == ref


@pytest.mark.parametrize("each", rows(), ids=lambda each: each.kind)
@pytest.mark.parametrize("difficulty", list(Difficulty))
def test_every_row_of_the_documents_has_a_strategy_and_a_ladder(each: object, difficulty: Difficulty) -> None:
    """Also those without an adapter yet."""
    streaming = Streaming.EDIT if each.streams else Streaming.NONE  # type: ignore[attr-defined]
    asked = RouteQuery(each.latency, streaming, 0.0, difficulty=difficulty)  # type: ignore[attr-defined]
    decision = decide(asked, ALL, Health())
    assert each.latency in STRATEGIES  # type: ignore[attr-defined]
    assert "m/main" in [rung.model.ref for rung in decision.rungs]


def test_the_rows_are_the_sixteen_of_the_documents() -> None:
    assert [each.id for each in rows()] == [f"C{number}" for number in range(1, 17)]
    assert row("Slack-Thread") is row("c7") is rows()[6]
    assert row("pigeon") is None


def test_who_answered_here_lately_goes_on() -> None:
    assert first(pinned="m/spare") == ("m/spare", Reason.PINNED)
    assert first(pinned="m/main") == ("m/main", Reason.DEFAULT)
    assert first(pinned="gone/model") == ("m/main", Reason.DEFAULT)


def test_a_simple_question_does_not_move_a_conversation_and_a_hard_one_does_for_once() -> None:
    assert first(pinned="m/spare", difficulty=Difficulty.SIMPLE) == ("m/spare", Reason.PINNED)
    assert first(pinned="m/spare", difficulty=Difficulty.HARD) == ("m/reason", Reason.DIFFICULTY)


def test_what_a_person_chose_stands_over_pins_difficulty_and_times() -> None:
    health = Health()
    for at in range(30):
        health.began(("m", "spare", ""), 9.0, float(at))
    asked = query(chosen_here="m/spare", pinned="m/fast", difficulty=Difficulty.HARD)
    decision = decide(asked, ALL, health)
    assert (decision.rungs[0].model.ref, decision.reason) == ("m/spare", Reason.CHOSEN_HERE)


def test_a_pin_outlives_some_slowness_that_moves_others_but_not_much() -> None:
    health = Health()
    for at in range(30):
        health.began(("m", "spare", ""), 0.1 if at % 4 else 3.0, 70.0 + at)
        health.began(("m", "main", ""), 0.1, 70.0 + at)
    assert decide(query(pinned="m/spare"), ALL, health).reason is Reason.PINNED
    for at in range(8):
        health.began(("m", "spare", ""), 3.0, 99.0 + at / 10)
    late = decide(query(pinned="m/spare"), ALL, health)
    assert (late.rungs[0].model.ref, late.reason) == ("m/main", Reason.TOO_SLOW)


def test_where_people_wait_for_capability_a_slow_deep_model_keeps_its_place() -> None:
    health = Health()
    for at in range(30):
        health.began(("d", "deep", ""), 6.0, 70.0 + at)
    hard = {"difficulty": Difficulty.HARD}
    assert decide(query(LatencyClass.ASYNC, **hard), ALL, health).rungs[0].model.ref == "d/deep"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"least_tokens": 50_000}, Exclusion.WINDOW),
        ({"has_images": True}, Exclusion.NO_IMAGES),
        ({"allowed": frozenset({"d/deep"})}, Exclusion.NOT_ALLOWED),
    ],
)
def test_what_no_usual_model_can_take_goes_to_one_with_a_name_that_can(
    changes: dict[str, object], why: Exclusion
) -> None:
    decision = decide(query(**changes), ALL, Health())  # type: ignore[arg-type]
    assert [rung.model.ref for rung in decision.rungs] == ["d/deep"]
    assert decision.reason is Reason.UNFIT
    assert {each.why for each in decision.excluded} == {why}


def test_where_nothing_fits_nobody_is_asked() -> None:
    decision = decide(query(local_only=True), ALL, Health())
    assert decision.rungs == ()
    assert {each.why for each in decision.excluded} == {Exclusion.NOT_LOCAL}


@pytest.mark.parametrize(
    ("need", "why"), [("needs_tools", Exclusion.NO_TOOLS), ("needs_schema", Exclusion.NO_SCHEMA)]
)
def test_tools_and_schemas_that_a_caller_needs_are_hard_constraints(need: str, why: Exclusion) -> None:
    able = ModelSpec("x", "able", profile=ModelProfile(tools=True, schema=True))
    unable = ModelSpec("x", "unable", profile=ModelProfile(tools=False, schema=False))
    decision = decide(query(**{need: True}), catalog(unable, able), Health())  # type: ignore[arg-type]
    assert [rung.model.ref for rung in decision.rungs] == ["x/able"]
    assert [each.why for each in decision.excluded] == [why]


def test_the_same_case_is_picked_the_same_whatever_became_of_the_models() -> None:
    health = Health()
    for at in range(10):
        health.began(("m", "main", ""), 5.0, 90.0 + at)
    case, _ = gather(query(roll=0.3), ALL, health)
    before = pick(case)
    for at in range(10):
        health.began(("m", "main", ""), 0.1, 100.0 + at)
    assert pick(case) == before
