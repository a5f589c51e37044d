"""A short take at once, the thorough answer in its place: both asked at the same moment, one bubble, one history."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from bot import words
from bot.drafting import DRAFT_TOKENS
from bot.store.base import Outcome
from channels.capabilities import Capabilities, Streaming
from channels.events import Pressed, Sender
from providers.base import Price, Role
from providers.errors import ErrorKind, ProviderError
from providers.fake import FakeProvider, Hang, Script, answer
from tests.story.inside import EDITS, Inside, address, inside

BUTTONS = replace(EDITS, buttons=True)
SHORT = "In short: yes."
LONG = "Yes, and here is the whole story of why that is so, from its beginning to its end."


def _settings(folder: Path, *, wants: bool = True) -> None:
    # A dollar a token: what two requests may cost at most is more than any month has.
    boundless = {"budget": {"perMonth": None}}
    config = {"agents": {"defaults": {"draftThenDeep": wants}}, "routing": boundless}
    (folder / "config.json").write_text(json.dumps(config))


@asynccontextmanager
async def two(
    folder: Path, fast: Script, deep: Script, capabilities: Capabilities = BUTTONS, *, wants: bool = True
) -> AsyncIterator[tuple[Inside, FakeProvider, FakeProvider]]:
    """An app whose `fast` and `deep` are models of two providers."""
    _settings(folder, wants=wants)
    price = Price(input=1_000_000, output=1_000_000)
    quick = FakeProvider("quick", fast, models=(FakeProvider.spec("q", "quick", price=price),))
    thorough = FakeProvider("thorough", deep, models=(FakeProvider.spec("t", "thorough", price=price),))
    async with inside(folder, quick, capabilities, thorough=thorough) as world:
        yield world, quick, thorough


async def until(world: Inside, text: str) -> None:
    """Until a person can read this."""
    async with asyncio.timeout(30):
        while text not in "\n".join(world.channel.visible()):
            await asyncio.sleep(0.01)


async def test_the_thorough_answer_takes_the_place_of_the_short_one(tmp_path: Path) -> None:
    async with two(tmp_path, answer(SHORT), answer(LONG, ttft=0.7)) as (world, quick, thorough):
        await world.say("is it so?")
        await until(world, SHORT)
        assert words.MORE_FOLLOWS.strip() in world.channel.visible()[0]
        assert [each.id for each in world.channel.messages[0].actions] == ["stop"]
        await world.quiet()
        assert world.channel.visible() == [LONG]
        assert len(world.channel.messages) == 1
        assert world.channel.violations == []
        assert len(quick.asked) == len(thorough.asked) == 1
        talk = await world.app.conversations.of(str(address().key), is_kept=True)
        assert [line.text for line in talk.lines] == ["is it so?", LONG]


async def test_the_fast_model_is_asked_for_little_and_the_deep_one_as_ever(tmp_path: Path) -> None:
    async with two(tmp_path, answer(SHORT), answer(LONG, ttft=0.2)) as (world, quick, thorough):
        await world.say("is it so?")
        await world.quiet()
        asked = quick.asked[0].request
        assert asked.options.max_output == DRAFT_TOKENS
        assert asked.messages[0].role is Role.SYSTEM and "two sentences" in asked.messages[0].text
        assert asked.messages[-1].text == "is it so?"
        assert "two sentences" not in str(thorough.asked[0].request.messages)


async def test_both_are_paid_for(tmp_path: Path) -> None:
    async with two(tmp_path, answer(SHORT), answer(LONG, ttft=0.5)) as (world, _, _):
        await world.say("is it so?")
        await world.quiet()
        (row,) = await world.app.store.turns(None, 10)
        spoken = len(SHORT.split()) + len(LONG.split())
        assert row.cost_usd == spoken + 2, "one token of each prompt, and all words"
        assert [each["model"] for each in row.detail["drafted"]] == ["quick/q"]
        assert [each["model"] for each in row.detail["attempts"]] == ["thorough/t"]
        assert row.model == "thorough/t"


async def test_a_thorough_answer_that_comes_first_needs_no_draft(tmp_path: Path) -> None:
    async with two(tmp_path, answer(SHORT, ttft=5.0), answer(LONG, ttft=0.1)) as (world, quick, _):
        await world.say("is it so?")
        await world.quiet()
        assert world.channel.visible() == [LONG]
        assert quick.asked[0].closed.is_set()
        assert not any(SHORT in call.text for call in world.channel.calls)


async def test_a_thorough_answer_in_the_middle_of_the_draft_ends_the_draft(tmp_path: Path) -> None:
    slow = answer("one two three four five six seven", gap=0.3)
    async with two(tmp_path, slow, answer(LONG, ttft=0.7)) as (world, quick, _):
        await world.say("is it so?")
        await world.quiet()
        assert world.channel.visible() == [LONG]
        assert not quick.asked[0].finished
        (row,) = await world.app.store.turns(None, 10)
        (drafted,) = row.detail["drafted"]
        assert drafted["cancelled"] and drafted["usage_estimated"]


async def test_stop_ends_both(tmp_path: Path) -> None:
    hanging = (*answer(SHORT)[:3], Hang())
    async with two(tmp_path, hanging, (Hang(),)) as (world, quick, thorough):
        await world.say("is it so?")
        await until(world, "In short:")
        pressed = world.channel.messages[0].id
        await world.accept(Pressed("press", pressed, address(), Sender("ann", "Ann"), "stop"))
        await world.quiet()
        assert quick.open_streams == thorough.open_streams == 0
        assert words.STOPPED in world.channel.visible()[0]
        rows = await world.app.store.turns(None, 10)
        assert Outcome.STOPPED in [row.outcome for row in rows]


async def test_a_draft_stays_and_says_so_where_the_thorough_answer_fails(tmp_path: Path) -> None:
    fails = (ProviderError(ErrorKind.BAD_REQUEST),)
    async with two(tmp_path, answer(SHORT), (*answer("", ttft=0.3)[:0], *fails)) as (world, _, thorough):
        thorough.default = fails
        await world.say("is it so?")
        await world.quiet()
        (row,) = await world.app.store.turns(None, 10)
        (said,) = world.channel.visible()
        assert row.outcome in (Outcome.CUT, Outcome.FAILED)
        assert "did not accept the request" in said


async def test_a_draft_that_fails_is_not_missed(tmp_path: Path) -> None:
    fails = (ProviderError(ErrorKind.OVERLOADED),)
    async with two(tmp_path, fails, answer(LONG, ttft=0.3)) as (world, _, _):
        await world.say("is it so?")
        await world.quiet()
        assert world.channel.visible() == [LONG]


async def test_where_nothing_can_be_written_over_one_model_answers(tmp_path: Path) -> None:
    whole = replace(BUTTONS, streaming=Streaming.NONE)
    async with two(tmp_path, answer(SHORT), answer(LONG), whole) as (world, quick, thorough):
        await world.say("is it so?")
        await world.quiet()
        assert len(quick.asked) + len(thorough.asked) == 1


async def test_nobody_is_asked_twice_who_did_not_want_it(tmp_path: Path) -> None:
    async with two(tmp_path, answer(SHORT), answer(LONG), wants=False) as (world, quick, thorough):
        await world.say("is it so?")
        await world.quiet()
        assert len(quick.asked) + len(thorough.asked) == 1


async def test_a_model_that_somebody_named_answers_alone(tmp_path: Path) -> None:
    async with two(tmp_path, answer(SHORT), answer(LONG)) as (world, quick, thorough):
        await world.say("/fast is it so?")
        await world.quiet()
        assert world.channel.visible() == [SHORT]
        assert (len(quick.asked), len(thorough.asked)) == (1, 0)


async def test_one_model_behind_both_names_answers_the_plain_way(tmp_path: Path) -> None:
    _settings(tmp_path)
    async with inside(tmp_path, FakeProvider("only", answer(LONG)), BUTTONS) as world:
        await world.say("is it so?")
        await world.quiet()
        assert world.channel.visible() == [LONG]
        assert len(world.provider.asked) == 1
