"""/model for a conversation, an account or all: whose choice holds where, and that it survives a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.access import Policy
from providers.fake import FakeProvider, answer
from tests.story.inside import Inside, inside

OWNED = Policy(allow=frozenset({"*"}), owners=frozenset({"ann"}))


def model(name: str) -> FakeProvider:
    return FakeProvider(name, default=answer(name))


async def said(world: Inside, text: str, number: int, sender: str = "ann") -> str:
    await world.say(text, number, sender=sender)
    await world.quiet()
    return world.channel.visible()[-1]


@pytest.mark.parametrize("scope", ["", " -s", " -a", " -g"], ids=["plain", "here", "account", "all"])
async def test_a_choice_holds_at_once_and_after_a_restart(tmp_path: Path, scope: str) -> None:
    async with inside(tmp_path, model("one"), policy=OWNED, two=model("two")) as world:
        assert await said(world, "hello", 1) == "one"
        assert "answers" in await said(world, f"/model deep{scope}", 2)
        assert await said(world, "hello", 3) == "two"
    async with inside(tmp_path, model("one"), policy=OWNED, two=model("two")) as world:
        assert await said(world, "hello", 4) == "two"
        await said(world, f"/model default{scope}", 5)
        assert await said(world, "/model", 6) != ""
        assert await said(world, "hello", 7) == "one"


async def test_the_nearer_choice_stands_over_the_wider_and_people_are_told(tmp_path: Path) -> None:
    async with inside(tmp_path, model("one"), policy=OWNED, two=model("two"), three=model("three")) as world:
        await said(world, "/model three/m -g", 1)
        assert await said(world, "hello", 2) == "three"
        await said(world, "/model two/m -a", 3)
        assert await said(world, "hello", 4) == "two"
        await said(world, "/model one/m", 5)
        assert await said(world, "hello", 6) == "one"
        wide = await said(world, "/model three/m -g", 7)
        assert "for all" in wide and "here one/m was chosen, which stands over it" in wide
        assert await said(world, "hello", 8) == "one"
        assert "one/m** (one/m, chosen here)" in await said(world, "/model", 9)
        await said(world, "/model default", 10)
        assert await said(world, "hello", 11) == "two"
        await said(world, "/model default -a", 12)
        assert await said(world, "hello", 13) == "three"


async def test_auto_in_a_conversation_sets_wider_choices_aside(tmp_path: Path) -> None:
    async with inside(tmp_path, model("one"), policy=OWNED, two=model("two")) as world:
        await said(world, "/model deep -g", 1)
        await said(world, "/model auto", 2)
        assert await said(world, "hello", 3) == "one"


@pytest.mark.parametrize("scope", ["-a", "-g"])
async def test_only_the_owner_chooses_for_others(tmp_path: Path, scope: str) -> None:
    async with inside(tmp_path, model("one"), policy=OWNED, two=model("two")) as world:
        assert (
            await said(world, f"/model deep {scope}", 1, "bob") == "Only the owner of this bot may do that."
        )
        assert await said(world, "hello", 2, "bob") == "one"
        assert "answers here" in await said(world, "/model deep", 3, "bob")


async def test_a_name_that_nobody_has_changes_no_choice(tmp_path: Path) -> None:
    async with inside(tmp_path, model("one"), policy=OWNED, two=model("two")) as world:
        assert "Did you mean deep" in await said(world, "/model dep -g", 1)
        assert await said(world, "hello", 2) == "one"
