"""What each slash command says and does, through the real app."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.access import Policy
from bot.commands.table import all_commands
from providers.base import (
    Effort,
    Finished,
    FinishReason,
    ModelSpec,
    ReasoningDelta,
    Started,
    TextDelta,
    Usage,
)
from providers.errors import ErrorKind, ProviderError
from providers.fake import FakeProvider, answer
from providers.profile import ModelProfile, ReasoningStyle
from routing.catalog import Choice
from routing.replay import replay
from tests.story.inside import Inside, address, inside

OWED = "help commands start status whoami model models fast reason deep new reset stop retry why ping usage queue think reasoning tools mcp rollout".split()


async def ask(world: Inside, text: str, number: int) -> str:
    """The answer to one message."""
    before = len(world.channel.visible())
    await world.say(text, number)
    await world.quiet()
    return "\n".join(world.channel.visible()[before:])


def test_every_command_that_is_owed_is_there_with_a_summary() -> None:
    table = all_commands()
    assert set(OWED) <= set(table.by_name)
    assert all(spec.summary for spec in table.specs)
    assert all(len(name) <= 32 and name == name.lower() for name in table.index)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/help", "/model"),
        ("/help model", "Show or switch the model"),
        ("/help nonsense", "There is no command"),
        ("/commands 2", "/queue"),
        ("/commands 99", "Page 2 of 2."),
        ("/start", "one/m"),
        ("/whoami", "You are `ann` (guest) on fake, account main in `room`; class sync."),
        ("/id", "You are `ann`"),
        ("/model", "Model: **one/m**"),
        ("/model list", "- `two/m`"),
        ("/models", "- `one/m`"),
        ("/models two", "- `two/m`"),
        ("/models nobody", "No provider is called"),
        ("/model tow/m", "Did you mean two/m"),
        ("/model fast now", "One name at a time"),
        ("/model deep -g", "Only the owner"),
        ("/model: deep", "deep (two/m) answers here"),
        ("!model auto", "The router chooses here"),
        ("/fast", "asks the fast model this once"),
        ("/fast status", "Model:"),
        ("/stop", "Nothing is running"),
        ("/retry", "There is no question"),
        ("/why", "Nothing has been answered here yet"),
        ("/ping", "pong"),
        ("/queue", "**queue**"),
        ("/queue sideways", "There is no mode"),
        ("/usage", "**off**"),
        ("/usage loud", "There is no line"),
        ("/usage cost", "**cost**"),
        ("/think", "**default**"),
        ("/think harder", "There is no"),
        ("/reasoning", "**off**"),
        ("/reasoning loud", "There is no"),
        ("/models", "price unknown"),
        ("/reset everything", "/reset soft"),
        ("/status", "Class: sync, first word aimed at 0.5 s"),
    ],
)
async def test_a_command_says_what_it_should(tmp_path: Path, text: str, said: str) -> None:
    async with inside(tmp_path, FakeProvider("one"), second=FakeProvider("two")) as world:
        shown = await ask(world, text, 1)
        assert said in shown
        assert world.provider.asked == []


async def test_an_owner_chooses_for_all_and_a_conversation_over_it(tmp_path: Path) -> None:
    one, two = (
        FakeProvider("one", default=answer("from one")),
        FakeProvider("two", default=answer("from two")),
    )
    async with inside(tmp_path, one, second=two) as world:
        world.account.policy = Policy(owners=frozenset({"ann"}))
        assert "for all" in await ask(world, "/model deep -g", 1)
        assert await ask(world, "hi", 2) == "from two"
        assert "here" in await ask(world, "/model fast", 3)
        assert await ask(world, "hi", 4) == "from one"
        assert "deep, chosen for all, answers" in await ask(world, "/model default", 5)
        assert await ask(world, "hi", 6) == "from two"
        assert "for all any more; the default answers" in await ask(world, "/model default -g", 7)
        assert await ask(world, "hi", 8) == "from one"


async def test_what_is_unknown_goes_to_the_model(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", answer("I saw it"))) as world:
        assert await ask(world, "/nonsense please", 1) == "I saw it"
        assert world.provider.asked[0].request.messages[-1].text == "/nonsense please"


async def test_one_question_may_go_to_another_model(tmp_path: Path) -> None:
    one, two = (
        FakeProvider("one", default=answer("from one")),
        FakeProvider("two", default=answer("from two")),
    )
    async with inside(tmp_path, one, second=two) as world:
        assert await ask(world, "/deep why?", 1) == "from two"
        assert await ask(world, "and now?", 2) == "from one"
        assert two.asked[0].request.messages[-1].text == "why?"
        assert await ask(world, "/retry deep", 3) == "from two"
        assert two.asked[1].request.messages[-1].text == "and now?"


async def test_why_tells_who_failed_and_who_answered(tmp_path: Path) -> None:
    broken = (ProviderError(ErrorKind.OVERLOADED, "made up"),)
    one = FakeProvider("one", default=broken)
    two = FakeProvider("two", answer("hello", usage=Usage(input_tokens=10, output_tokens=2)))
    async with inside(tmp_path, one, second=two) as world:
        assert await ask(world, "hi", 1) == "hello"
        why = await ask(world, "/why", 2)
        assert "**two/m**: default" in why
        assert "Ladder: one/m, then two/m" in why
        assert "one/m: it is overloaded" in why
        assert "two/m: whole answer" in why
        status = await ask(world, "/status", 3)
        assert "one/m: in use" in status


async def test_reset_forgets_choices_and_a_soft_one_keeps_them(tmp_path: Path) -> None:
    async with inside(
        tmp_path, FakeProvider("one", default=answer("ok")), second=FakeProvider("two")
    ) as world:
        await ask(world, "/model deep", 1)
        await ask(world, "/reset soft", 2)
        assert (await world.app.conversations.get(str(address().key))).state.choices == {"model": "deep"}
        await ask(world, "/reset", 3)
        state = (await world.app.conversations.get(str(address().key))).state
        assert (dict(state.choices), state.session) == ({}, 3)


async def test_new_may_name_a_model(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one"), second=FakeProvider("two")) as world:
        shown = await ask(world, "/new deep", 1)
        assert "A new conversation begins" in shown
        assert "two/m" in shown


THINKING = (
    Started(),
    ReasoningDelta("Two and two\nis four."),
    TextDelta("4"),
    TextDelta("!"),
    Finished(FinishReason.STOP),
)


async def test_how_hard_to_think_holds_for_this_conversation_from_the_next_question_on(
    tmp_path: Path,
) -> None:
    async with inside(tmp_path, FakeProvider("one", default=answer("hm"))) as world:
        efforts = []
        for number, text in enumerate(("/think high", "/t off", "/think default")):
            await ask(world, text, 2 * number)
            await ask(world, "hi", 2 * number + 1)
            efforts.append(world.provider.asked[-1].request.options.effort)
        assert efforts == [Effort.HIGH, Effort.OFF, None]


@pytest.mark.parametrize(
    ("profile", "chosen", "remark"),
    [
        (ModelProfile(), "high", "one/m has no such switch"),
        (ModelProfile(reasoning=ReasoningStyle.EFFORT, effort_off="low"), "off", "always thinks; it takes its least, low"),
        (ModelProfile(reasoning=ReasoningStyle.ADAPTIVE, effort_off="none"), "off", None),
        (ModelProfile(reasoning=ReasoningStyle.DISABLE), "medium", "knows only on and off"),
    ],
)  # fmt: skip
async def test_what_the_model_makes_of_it_is_said(
    tmp_path: Path, profile: ModelProfile, chosen: str, remark: str | None
) -> None:
    one = FakeProvider("one", models=(ModelSpec("one", "m", profile=profile),))
    async with inside(tmp_path, one) as world:
        said = await ask(world, f"/think {chosen}", 1)
        assert said == f"Thinking here: **{chosen}**." if remark is None else remark in said


@pytest.mark.parametrize(
    ("mode", "shown"),
    [("off", "4!"), ("on", "> Two and two\n> is four.\n\n4!"), ("stream", "> Two and two\n> is four.\n\n4!")],
)
async def test_thoughts_are_shown_where_wanted_and_are_no_part_of_the_conversation(
    tmp_path: Path, mode: str, shown: str
) -> None:
    async with inside(tmp_path, FakeProvider("one", THINKING, answer("ok"))) as world:
        await ask(world, f"/reasoning {mode}", 1)
        assert await ask(world, "2+2?", 2) == shown
        await ask(world, "sure?", 3)
        assert [line.text for line in world.provider.asked[1].request.messages] == ["2+2?", "4!", "sure?"]


async def test_a_name_of_a_retired_model_says_who_answers_in_its_place(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one"), second=FakeProvider("two")) as world:
        catalog = world.app.models.default
        retired = {"two/old": Choice(catalog.models["two/m"])}
        world.app.models.default = replace(catalog, retired=retired)
        assert "two/m answers in its place" in await ask(world, "/model two/old", 1)
        await ask(world, "hi", 2)
        assert world.provider.asked == []


async def test_thoughts_of_a_model_that_failed_leave_the_screen(tmp_path: Path) -> None:
    broken = (Started(), ReasoningDelta("nonsense"), ProviderError(ErrorKind.OVERLOADED, "made up"))
    one, two = FakeProvider("one", broken), FakeProvider("two", THINKING)
    async with inside(tmp_path, one, second=two) as world:
        await ask(world, "/reasoning stream", 1)
        assert await ask(world, "2+2?", 2) == "> Two and two\n> is four.\n\n4!"


async def test_why_is_one_card_with_candidates_stages_and_price(tmp_path: Path) -> None:
    one = FakeProvider(
        "one", default=answer("hello", usage=Usage(input_tokens=10, output_tokens=2, cached_tokens=8))
    )
    async with inside(tmp_path, one, second=FakeProvider("two")) as world:
        await ask(world, "hi", 1)
        card = await ask(world, "/why", 2)
    lines = card.split("\n")
    assert len(lines) <= 15
    assert lines[0].startswith("**one/m**: ")
    assert "Class sync, target 0.5 s" in lines[1]
    assert "a prompt of about" in lines[1]
    assert "Of that: before asking " in card
    assert "Looked at: one/m 90% in time; two/m 90% in time" in card
    assert "Cost: unknown; 10 (8 from the cache) + 2 tokens" in card


async def test_a_turn_keeps_the_record_of_its_decision(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", default=answer("hello"))) as world:
        await ask(world, "a secret word", 1)
        (row,) = await world.app.store.turns(None, 5)
    assert replay(row.detail["decision"]).is_same
    assert "secret" not in str(row.detail)
