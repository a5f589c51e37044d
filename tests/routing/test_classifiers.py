"""Classifiers: the nearest sample, the deadline, and what a decision makes of their word."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from channels.capabilities import LatencyClass, Streaming
from routing.classifiers import LATE, Judgement, ask
from routing.health import Health
from routing.policy import Reason, RouteQuery, decide
from routing.semantic import REMEMBERED, Route, Semantic
from routing.tasks import find, tasks
from tests.routing.models import catalog, model
from tests.virtual_time import virtual_time

ROUTES = (Route("deep", ("prove it", "derive it")), Route("fast", ("hi", "good morning")))
PLACES = {"prove it": (1.0, 0.0), "derive it": (0.9, 0.1), "hi": (0.0, 1.0), "good morning": (0.0, 2.0)}
KNOWN = catalog(
    model("a/default"), model("b/fast"), model("c/deep"), aliases={"fast": "b/fast", "deep": "c/deep"}
)


class Vectors:
    """Makes vectors from a table; keeps what it was asked."""

    def __init__(self, delay: float = 0.0) -> None:
        self.asked: list[str] = []
        self.delay = delay

    async def __call__(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        if self.delay:
            await asyncio.sleep(self.delay)
        self.asked += texts
        return [PLACES.get(text, (0.6, 0.0) if "theorem" in text else (-1.0, 0.0)) for text in texts]


async def ready(vectors: Vectors, threshold: float = 0.7) -> Semantic:
    semantic = Semantic(vectors, ROUTES, threshold)
    await semantic.prepare()
    return semantic


def query(**changes: object) -> RouteQuery:
    return replace(RouteQuery(LatencyClass.SYNC, Streaming.EDIT, now=1.0), **changes)  # type: ignore[arg-type]


async def test_the_route_of_the_nearest_sample_is_named_with_its_likeness() -> None:
    said = await (await ready(Vectors())).judge("this theorem")
    assert said is not None
    assert said.label == "deep"
    assert said.confidence == pytest.approx(1.0)


async def test_what_is_near_to_nothing_is_not_judged() -> None:
    semantic = await ready(Vectors())
    assert await semantic.judge("bananas") is None
    assert await semantic.judge("  ") is None


async def test_before_its_samples_are_there_it_says_nothing_and_asks_nobody() -> None:
    vectors = Vectors()
    semantic = Semantic(vectors, ROUTES, 0.7)
    assert await semantic.judge("hi") is None
    assert not semantic.is_ready
    assert vectors.asked == []


async def test_a_text_that_comes_again_is_not_embedded_again_and_what_is_kept_is_bounded() -> None:
    vectors = Vectors()
    semantic = await ready(vectors)
    await semantic.judge("one theorem")
    await semantic.judge("one theorem")
    assert vectors.asked.count("one theorem") == 1
    for number in range(REMEMBERED):
        await semantic.judge(f"theorem {number}")
    await semantic.judge("one theorem")
    assert vectors.asked.count("one theorem") == 2


@virtual_time
async def test_a_classifier_that_is_late_is_put_down_as_late_and_not_waited_for() -> None:
    semantic = await ready(Vectors())
    assert await ask(semantic, "this theorem", 0.01) == "deep"
    semantic = await ready(Vectors(delay=1.0))
    began = asyncio.get_running_loop().time()
    assert await ask(semantic, "this theorem", 0.01) == LATE
    assert asyncio.get_running_loop().time() - began == pytest.approx(0.01)


async def test_many_samples_are_compared_off_the_loop_with_the_same_result() -> None:
    wide = [tuple(float(at == number) for at in range(500)) for number in range(90)]

    async def embed(texts: Sequence[str]) -> Sequence[Sequence[float]]:
        return [wide[int(text)] for text in texts]

    routes = [Route(f"r{number}", (str(number),)) for number in range(90)]
    semantic = Semantic(embed, routes, 0.9)
    await semantic.prepare()
    assert await semantic.judge("77") == Judgement("r77", 1.0)


@pytest.mark.parametrize(
    ("said", "first", "reason"),
    [
        ("deep", "c/deep", Reason.JUDGED),
        ("c/deep", "c/deep", Reason.JUDGED),
        ("reasoning", "c/deep", Reason.TASK),
        ("simple", "b/fast", Reason.DIFFICULTY),
        ("usual", "a/default", Reason.DEFAULT),
        (LATE, "a/default", Reason.DEFAULT),
        ("nobody knows this", "a/default", Reason.DEFAULT),
        (None, "a/default", Reason.DEFAULT),
    ],
)
def test_a_classifier_s_word_is_a_value_of_the_decision(said: str | None, first: str, reason: Reason) -> None:
    decision = decide(query(judged=said), KNOWN, Health())
    assert (decision.rungs[0].model.ref, decision.reason) == (first, reason)
    assert decision.case is not None
    assert decision.case.judged == said


def test_what_a_person_chose_stands_over_every_classifier_and_task() -> None:
    decision = decide(query(judged="deep", task="reasoning", chosen_here="fast"), KNOWN, Health())
    assert (decision.rungs[0].model.ref, decision.reason) == ("b/fast", Reason.CHOSEN_HERE)


@pytest.mark.parametrize(
    ("task", "first"),
    [
        ("extraction", "b/fast"),
        ("Reasoning", "c/deep"),
        ("volume", "b/fast"),
        ("classification", "b/fast"),
        ("x", "a/default"),
    ],
)
def test_a_task_has_its_row(task: str, first: str) -> None:
    decision = decide(query(task=task, pinned="a/default"), KNOWN, Health())
    assert decision.rungs[0].model.ref == first


def test_volume_goes_to_this_machine_first() -> None:
    here = replace(model("here/small"), is_local=True)
    known = catalog(model("a/default"), model("b/fast"), here, aliases={"fast": "b/fast"})
    decision = decide(query(task="volume"), known, Health())
    assert [rung.model.ref for rung in decision.rungs] == ["here/small", "b/fast", "a/default"]


def test_every_row_names_aliases_and_says_why() -> None:
    assert [each.name for each in tasks()] == ["extraction", "reasoning", "volume", "classification"]
    assert all(each.aliases and each.about for each in tasks())
    assert find(None) is None
