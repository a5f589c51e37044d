"""Cascades through the real app: who is asked, what people see of it, and what it cost."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.home import Home
from channels.capabilities import Capabilities, LatencyClass, Streaming
from providers.base import Price, Usage
from providers.errors import ErrorKind, ProviderError
from providers.fake import FakeProvider, Hang, Script, answer
from tests.story.inside import Inside, inside

REFUSAL = "I'm sorry, but I can't help with that."
GOOD = "Air scatters blue light more than red."
BETTER = "Rayleigh scattering grows with the fourth power of the frequency."
RIGHT = answer("It fits. Correct", usage=Usage(100, 5))
WRONG = answer("The reason is missing. Incorrect", usage=Usage(100, 5))

EDITS = Capabilities(LatencyClass.ASYNC, Streaming.EDIT, deletes=True, typing_ttl=5.0)
APPENDS = Capabilities(LatencyClass.ASYNC, Streaming.NATIVE, replaceable=False, typing_ttl=5.0)
WHOLE = Capabilities(LatencyClass.ASYNC, Streaming.NONE, typing_ttl=5.0)


def small(*scripts: Script) -> FakeProvider:
    spec = replace(FakeProvider.spec("m", "small"), price=Price(1.0, 1.0))
    return FakeProvider("small", *scripts, models=(spec,))


def large(*scripts: Script) -> FakeProvider:
    spec = replace(FakeProvider.spec("m", "large"), price=Price(10.0, 10.0))
    return FakeProvider("large", *scripts, models=(spec,))


def configured(folder: Path, **cascade: Any) -> Path:
    home = Home(folder)
    home.prepare()
    models = [
        {"model": "small/m", "quality": 0.7, "cost": 0.0001},
        {"model": "large/m", "quality": 0.95, "cost": 0.005},
    ]
    section = {"enabled": True, "models": models, "votes": 0, "most": 1.0, **cascade}
    home.config.write_text(json.dumps({"routing": {"cascade": section}}))
    return folder


async def said(world: Inside, text: str = "Tell me about the colour of the sky", number: int = 1) -> str:
    await world.say(text, number)
    await world.quiet()
    return "\n".join(world.channel.visible())


async def judged(world: Inside) -> list[list[str]]:
    (row,) = await world.app.store.turns(None, 1)
    return list(row.detail.get("cascade", []))


@pytest.mark.parametrize("shown", [EDITS, APPENDS, WHOLE], ids=["edits", "appends", "whole"])
async def test_a_good_answer_of_the_small_model_stays(tmp_path: Path, shown: Capabilities) -> None:
    other = large(answer(BETTER))
    async with inside(configured(tmp_path), small(answer(GOOD)), shown, large=other) as world:
        assert await said(world) == GOOD
        assert other.asked == []
        assert await judged(world) == [["small/m", "kept"]]


@pytest.mark.parametrize("shown", [EDITS, APPENDS, WHOLE], ids=["edits", "appends", "whole"])
async def test_a_refusal_is_replaced_by_the_larger_model_s_answer(
    tmp_path: Path, shown: Capabilities
) -> None:
    other = large(answer(BETTER))
    async with inside(configured(tmp_path), small(answer(REFUSAL)), shown, large=other) as world:
        assert await said(world) == BETTER
        assert len(other.asked) == 1
        assert await judged(world) == [["small/m", "refusal"]]
        assert world.channel.violations == []
        why = await said(world, "/why", 2)
        assert "asked in turn until one was good enough" in why
        assert "Answers judged: small/m (refusal)" in why


@pytest.mark.parametrize("shown", [APPENDS, WHOLE], ids=["appends", "whole"])
async def test_where_nothing_can_be_taken_back_no_word_shows_before_it_was_judged(
    tmp_path: Path, shown: Capabilities
) -> None:
    async with inside(
        configured(tmp_path), small(answer(REFUSAL)), shown, large=large(answer(BETTER))
    ) as world:
        await said(world)
        written = [text for _, text in world.channel.timeline]
        assert written
        assert not any("sorry" in text for text in written)


async def test_the_model_s_own_votes_decide_and_are_paid_for_with_the_turn(tmp_path: Path) -> None:
    one = small(answer(GOOD, usage=Usage(1000, 10)), WRONG, WRONG, RIGHT)
    other = large(answer(BETTER, usage=Usage(1000, 10)))
    async with inside(configured(tmp_path, votes=3), one, EDITS, large=other) as world:
        assert await said(world) == BETTER
        assert await judged(world) == [["small/m", "self_check"]]
        (row,) = await world.app.store.turns(None, 1)
        assert row.cost_usd == pytest.approx((1010 + 3 * 105 + 10 * 1010) / 1_000_000)
        assert world.app.desk.spending.today == pytest.approx(row.cost_usd)


async def test_an_answer_that_its_model_stands_by_stays(tmp_path: Path) -> None:
    one = small(answer(GOOD), RIGHT, RIGHT, RIGHT)
    async with inside(configured(tmp_path, votes=3), one, EDITS, large=large()) as world:
        assert await said(world) == GOOD
        assert [len(each.request.messages) for each in one.asked[1:]] == [2, 2, 2]


async def test_votes_that_cannot_be_had_count_for_nothing(tmp_path: Path) -> None:
    failing = (ProviderError(ErrorKind.OVERLOADED, "made up"),)
    one = small(answer(GOOD), failing, failing, failing)
    async with inside(configured(tmp_path, votes=3), one, EDITS, large=large()) as world:
        assert await said(world) == GOOD


async def test_a_small_model_that_fails_gives_way_at_once(tmp_path: Path) -> None:
    one = small((ProviderError(ErrorKind.OVERLOADED, "made up"),))
    async with inside(configured(tmp_path), one, APPENDS, large=large(answer(BETTER))) as world:
        assert await said(world) == BETTER
        assert await judged(world) == [["small/m", "failed"]]


async def test_beyond_the_share_that_may_be_replaced_answers_stay_as_they_are(tmp_path: Path) -> None:
    one = small(*(answer(REFUSAL) for _ in range(5)))
    other = large(*(answer(BETTER) for _ in range(5)))
    async with inside(configured(tmp_path, most=0.0), one, EDITS, large=other) as world:
        for number in range(5):
            await said(world, f"Question {number} about the colour of the sky", number)
        assert len(other.asked) == 3
        assert world.channel.visible()[-1] == REFUSAL
        assert await judged(world) == [["small/m", "spared"]]


@pytest.mark.parametrize(
    ("settings", "shown", "text"),
    [
        ({"enabled": False}, EDITS, "Tell me"),
        ({}, replace(EDITS, latency=LatencyClass.SYNC), "Tell me"),
        ({}, EDITS, "/deep Tell me"),
    ],
    ids=["off", "another class", "asked for this once"],
)
async def test_nothing_is_judged_where_it_is_not_wanted(
    tmp_path: Path, settings: dict[str, Any], shown: Capabilities, text: str
) -> None:
    one, other = small(answer(REFUSAL)), large(answer(REFUSAL))
    async with inside(configured(tmp_path, **settings), one, shown, large=other) as world:
        assert await said(world, text) == REFUSAL
        assert await judged(world) == []


async def test_a_person_who_stops_a_held_answer_sees_nothing_of_it(tmp_path: Path) -> None:
    one = small((*answer(GOOD)[:3], Hang()))
    async with inside(configured(tmp_path), one, APPENDS, large=large()) as world:
        await world.say("Tell me")
        await one.until_asked()
        await world.say("/stop", 2)
        await world.quiet()
        assert not any("Air" in text for text in world.channel.visible())
