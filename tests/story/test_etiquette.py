"""Nobody is left in silence: a word with a stop button where a late answer will stand."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bot import words
from bot.etiquette import LATE, SOONEST, word, word_after
from bot.store.base import Outcome
from channels.capabilities import LatencyClass, Streaming
from channels.events import MessageDeleted, Pressed, Sender
from providers.errors import ErrorKind, ProviderError
from providers.fake import Delay, FakeProvider, Hang, answer
from routing.budgets import BUDGETS
from routing.health import Expectation, Health
from routing.policy import Decision, Reason, Rung
from tests.routing.models import model
from tests.story.inside import EDITS, Inside, address, inside

BUTTONS = replace(EDITS, buttons=True)
SLOW = 1.6


async def _told(world: Inside) -> None:
    """Until the word stands there."""
    async with asyncio.timeout(30):
        while world.channel.visible() != [words.THINKING]:
            await asyncio.sleep(0.01)


def decided(latency: LatencyClass = LatencyClass.SEMI_SYNC, *, is_local: bool = False) -> Decision:
    spec = replace(model("one/a"), is_local=is_local)
    return Decision((Rung(spec),), BUDGETS[latency], latency, Reason.DEFAULT)


@pytest.mark.parametrize("latency", [each for each in LatencyClass if each is not LatencyClass.BATCH])
def test_nobody_waits_in_silence_longer_than_twice_the_target(latency: LatencyClass) -> None:
    assert word_after(decided(latency), Health()) == max(LATE * BUDGETS[latency].target, SOONEST)


def test_a_wait_that_is_foreseen_is_said_when_the_target_has_passed() -> None:
    expected = {("one", "a"): Expectation(ttft_p50=3.0, ttft_p95=5.0)}
    assert word_after(decided(), Health(expected=expected)) == 1.0


def test_nobody_watches_for_the_answer_to_a_letter() -> None:
    assert word_after(decided(LatencyClass.BATCH), Health()) is None


def test_a_model_of_this_machine_that_has_not_answered_yet_is_loading() -> None:
    assert word(decided(is_local=True), Health()) == words.LOADING
    assert word(decided(), Health()) == words.THINKING


async def test_a_late_answer_takes_the_place_of_a_word_that_could_be_stopped(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", answer("Here.", ttft=SLOW)), BUTTONS) as world:
        await world.say("a hard question")
        await _told(world)
        assert [each.id for each in world.channel.messages[0].actions] == ["stop"]
        await world.quiet()
        assert world.channel.visible() == ["Here."]
        assert len(world.channel.messages) == 1
        (row,) = await world.app.store.turns(None, 10)
        assert row.outcome is Outcome.DONE
        assert row.detail["first_visible"] >= SLOW, "the word is no first word"
        talk = await world.app.conversations.of(str(address().key), is_kept=True)
        assert [line.text for line in talk.lines] == ["a hard question", "Here."]


async def test_an_answer_in_time_stands_alone(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", answer("Here.", ttft=0.1)), BUTTONS) as world:
        await world.say("a question")
        await world.quiet()
        assert not any(call.text == words.THINKING for call in world.channel.calls)


async def test_where_nothing_can_be_taken_back_there_is_typing_alone(tmp_path: Path) -> None:
    whole = replace(EDITS, streaming=Streaming.NONE)
    async with inside(tmp_path, FakeProvider("one", answer("Here.", ttft=SLOW)), whole) as world:
        await world.say("a question")
        await world.quiet()
        assert world.channel.visible() == ["Here."]
        assert [call.text for call in world.channel.named("typing")][:1] == ["on"]
        assert not any(call.text == words.THINKING for call in world.channel.calls)


async def test_the_button_under_the_word_stops_it(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", (Hang(),)), BUTTONS) as world:
        await world.say("a question")
        await _told(world)
        pressed = world.channel.messages[0].id
        await world.accept(Pressed("press", pressed, address(), Sender("ann", "Ann"), "stop"))
        await world.quiet()
        assert world.channel.visible()[0] == words.STOPPED
        assert world.provider.open_streams == 0


async def test_a_question_that_is_taken_back_takes_the_word_with_it(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", (Hang(),)), BUTTONS) as world:
        await world.say("a question")
        await _told(world)
        await world.accept(MessageDeleted("gone", "1", address(), Sender("ann", "Ann")))
        await world.quiet()
        assert world.channel.visible() == []


async def test_when_nobody_answers_the_word_gives_way_to_the_reason(tmp_path: Path) -> None:
    fails = (Delay(SLOW), ProviderError(ErrorKind.OVERLOADED))
    async with inside(tmp_path, FakeProvider("one", fails), BUTTONS) as world:
        await world.say("a question")
        await world.quiet()
        (said,) = world.channel.visible()
        assert "overloaded" in said and words.THINKING not in said
        (row,) = await world.app.store.turns(None, 10)
        assert row.outcome is Outcome.FAILED


async def test_a_second_line_joins_a_question_that_only_has_a_word(tmp_path: Path) -> None:
    provider = FakeProvider("one", (Hang(),), answer("Both."))
    async with inside(tmp_path, provider, BUTTONS) as world:
        await world.say("first", 1)
        await _told(world)
        await world.say("and second", 2)
        await asyncio.wait_for(world.app.lanes.idle.wait(), 30)
        assert world.channel.visible() == ["Both."]
