"""Days played on a virtual clock, and what no decision may ever do."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import orjson
import pytest

from channels.capabilities import LatencyClass, Streaming
from providers.base import ModelSpec
from providers.errors import ErrorKind
from providers.profile import ModelProfile
from routing.case import Reason
from routing.catalog import Catalog, Choice
from routing.errors import TraceError
from routing.health import Breaker, Health
from routing.policy import Decision, RouteQuery, decide
from routing.replay import record_of, replay
from routing.rollout import Policy
from routing.score import MARGIN
from routing.simulate import POLICIES, compare, play, violations
from routing.strategy import Difficulty
from routing.traffic import SCENARIOS, recorded, scenario
from tests.generated import IS_CHAOS

EVENTS = 100_000 if IS_CHAOS else 2_000


def test_the_same_day_and_seed_give_the_same_figures() -> None:
    first, again = (play(scenario("outage", 3, 300), "smart", 3).to_plain() for _ in range(2))
    assert orjson.dumps(first) == orjson.dumps(again)
    assert play(scenario("outage", 4, 300), "smart", 4).to_plain() != first


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("policy", POLICIES)
def test_every_question_of_a_day_is_accounted_for(name: str, policy: str) -> None:
    day = scenario(name, 1, 400)
    played = play(day, policy)
    answered = sum(len(each.times) for each in played.classes.values())
    assert answered + sum(each.lost for each in played.classes.values()) == len(day.questions)
    assert answered == sum(played.answers.values())
    assert (played.violations, played.uncaused) == (0, 0)
    assert played.requests >= answered
    assert played.hedges <= 3 + 0.05 * len(day.questions)


@pytest.mark.slow
def test_choosing_by_figures_shortens_the_wait_in_an_outage_and_a_peak() -> None:
    """Takes seconds: two policies play two days of 1,500 questions."""
    for name in ("outage", "peak"):
        static, smart = compare(scenario(name, 1, 1_500), ("static", "smart"))
        for latency in (LatencyClass.SYNC, LatencyClass.SEMI_SYNC):
            before, now = static.classes[latency], smart.classes[latency]
            assert now.late < before.late
            assert now.to_plain()["p95"] < before.to_plain()["p95"]
            assert now.lost == 0


def test_a_price_that_rises_is_paid_from_then_on() -> None:
    day = scenario("price", 1, 10)
    noon = 12 * 3600.0
    assert day.price("alpha/large", noon - 1) == day.catalog.models["alpha/large"].price
    raised = day.price("alpha/large", noon)
    assert raised is not None
    assert (raised.input, raised.output) == (10.0, 40.0)


# A recorded day


def _turn(at: float, model: str, ttft: float | None, **more: object) -> str:
    attempt = {"model": model, "ttft": ttft, "took": 1.0, "error": None if ttft else "server"}
    return json.dumps({"ended_at": at, "latency_class": "sync", "attempts": [attempt], **more})


def test_turns_as_they_were_recorded_are_a_day() -> None:
    lines = [_turn(float(at), "one/m" if at % 3 else "two/m", 0.2 if at % 3 else 0.9) for at in range(60)]
    day = recorded(lines)
    assert [each.at for each in day.questions] == sorted(each.at for each in day.questions)
    assert day.catalog.primary.model.ref == "one/m"
    played = play(day, "static")
    assert played.answers == {"one/m": 60}
    assert played.to_plain()["classes"]["sync"]["p50"] == 0.2


def test_what_was_not_asked_is_taken_from_the_nearest_time() -> None:
    day = recorded([_turn(0.0, "one/m", 0.2), _turn(50.0, "two/m", 0.7), _turn(90.0, "two/m", None)])
    first, _, last = day.questions
    assert day.draw(first, "two/m", 0, 0.0).ttft == 0.7
    assert day.draw(last, "one/m", 0, 90.0).ttft == 0.2
    assert day.draw(last, "two/m", 0, 90.0).kind is ErrorKind.SERVER


def test_a_trace_of_several_models_for_each_question_is_taken_as_it_is() -> None:
    row = {"at": 5, "class": "voice", "ttft": {"a/m": 2.0, "b/m": 0.1}, "conversation": "c", "tokens": 10}
    day = recorded([json.dumps({**row, "at": at}) for at in range(40)])
    assert play(day, "static").answers == {"b/m": 40}  # a/m is beyond a voice's first-token deadline


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 1: no recorded question"),
        ('{"at": 1, "class": "shouting", "ttft": {"a/m": 1}}', "shouting"),
        ('{"at": 1, "class": "sync", "ttft": {}}', "no model was asked"),
        ("[]", "line 1"),
        ("", "no model was asked"),
    ],
)
def test_what_is_no_trace_is_refused_with_its_line(line: str, said: str) -> None:
    with pytest.raises(TraceError, match=said):
        recorded([line])


# Random events


def _models(chance: random.Random) -> Catalog:
    specs = [
        ModelSpec(
            f"p{number % 4}",
            f"m{number}",
            context_window=chance.choice([4_096, 32_000, 200_000]),
            profile=ModelProfile(
                images=chance.random() < 0.4, schema=chance.random() < 0.6, tools=chance.random() < 0.7
            ),
            is_local=chance.random() < 0.3,
        )
        for number in range(chance.randint(1, 7))
    ]
    by_ref = {each.ref: each for each in specs}
    return Catalog(
        models=by_ref,
        primary=Choice(specs[0]),
        fallbacks=tuple(Choice(each) for each in specs[1:4]),
        aliases={
            "fast": (Choice(specs[-1]),),
            "deep": (Choice(specs[-2 % len(specs)]), Choice(specs[0])),
            "reason": (Choice(specs[len(specs) // 2]),),
        },
        credentials={"p0": ("k1", "k2"), "p1": ("k1",)},
    )


def _query(chance: random.Random, catalog: Catalog, now: float) -> RouteQuery:
    refs = list(catalog.models)
    return RouteQuery(
        latency=chance.choice(list(LatencyClass)),
        streaming=chance.choice(list(Streaming)),
        now=now,
        chosen_here=chance.choice([None, None, None, "fast", "deep", chance.choice(refs)]),
        least_tokens=chance.choice([50, 500, 5_000, 50_000, 300_000]),
        has_images=chance.random() < 0.2,
        needs_schema=chance.random() < 0.1,
        needs_tools=chance.random() < 0.2,
        local_only=chance.random() < 0.1,
        allowed=frozenset(chance.sample(refs, chance.randint(1, len(refs))))
        if chance.random() < 0.2
        else None,
        pinned=chance.choice([None, *refs]),
        difficulty=chance.choice(list(Difficulty)),
        roll=chance.random(),
        policy=chance.choice([Policy.SMART, Policy.SMART, Policy.STATIC]),
    )


def _happen(chance: random.Random, catalog: Catalog, health: Health, now: float) -> None:
    """Something that a model or a provider does."""
    model = chance.choice(list(catalog.models.values()))
    credential = chance.choice(list(catalog.credentials.get(model.provider, ("",))))
    key = (model.provider, model.model, credential)
    tokens = chance.choice([100, 5_000, 30_000])
    match chance.randrange(4):
        case 0:
            health.failed(key, chance.choice(list(ErrorKind)), chance.choice([None, 5.0]), now, tokens)
        case 1:
            health.asked(key, now)
            health.succeeded(key)
        case 2:
            health.credential_changed(model.provider, credential)
        case _:
            health.began(key, chance.lognormvariate(-1.0, 1.2), now, tokens, 2.0)
            health.ran_at(key, chance.uniform(5.0, 400.0))


def _unexplained(decision: Decision) -> str:
    """Why another model stands first than the one that should, if nothing in the case says so; "" otherwise."""
    case = decision.case
    assert case is not None
    if not decision.rungs or decision.rungs[0].model.ref == case.candidates[0].ref:
        return "" if decision.reason is case.reason or not decision.rungs else f"reason {decision.reason}"
    hoped = [each for each in case.candidates if each.ref == case.candidates[0].ref]
    # Of a model's several keys, those that rest decide nothing.
    usable = [each for each in hoped if each.breaker is not Breaker.OPEN and not each.behind] or hoped
    hopes = min(each.score.hoped for each in usable)
    is_whole = any(each.score.whole is not None for each in case.candidates)
    evidence = {
        Reason.UNFIT: all(each.unfit for each in hoped),
        Reason.FELL_BACK: all(each.is_disabled or each.breaker is Breaker.OPEN for each in hoped),
        Reason.FULL: any(each.behind for each in hoped),
        Reason.SPARING: any(each.behind or each.unfit for each in hoped),
        Reason.TOO_SLOW: case.policy is Policy.SMART
        and (is_whole or max(each.score.in_time for each in case.candidates) >= hopes + MARGIN),
    }
    return "" if evidence.get(decision.reason, False) else f"{decision.reason} without evidence"


@pytest.mark.generated
@pytest.mark.timeout(1800 if IS_CHAOS else 120)
def test_no_decision_in_random_events_breaks_a_constraint_or_changes_models_without_a_cause() -> None:
    chance = random.Random(20261121)
    catalog, health, now = _models(chance), Health(epoch=1.7e9), 0.0
    for number in range(EVENTS):
        if number % 500 == 0:
            catalog, health = _models(chance), Health(epoch=1.7e9)
        now += chance.expovariate(0.5)
        _happen(chance, catalog, health, now)
        query = _query(chance, catalog, now)
        decision = decide(query, catalog, health)
        assert violations(decision, query) == []
        assert _unexplained(decision) == ""
        again = decide(query, catalog, health)
        assert again.rungs == decision.rungs  # with nothing new there is nothing to change
        if number % 10 == 0:
            assert replay(orjson.loads(orjson.dumps(record_of(decision)))).is_same
            others = decide(
                replace(query, roll=chance.random()), catalog, health
            )  # chance orders, it adds nothing
            assert sorted(each.key for each in others.rungs) == sorted(each.key for each in decision.rungs)
