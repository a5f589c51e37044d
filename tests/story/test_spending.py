"""Money and room through the real app: the ladder as people and the owner see it, and what survives a restart."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from bot.access import Policy
from bot.home import Home
from providers.base import Price, Usage
from providers.fake import FakeProvider, answer
from tests.story.inside import Inside, inside

OWNED = Policy(allow=frozenset({"*"}), owners=frozenset({"ann"}))
MILLION = Usage(input_tokens=1_000_000, output_tokens=0)


def paid(name: str, usd: float, *texts: str) -> FakeProvider:
    """A model that costs so many dollars an answer."""
    spec = replace(FakeProvider.spec("m", name), price=Price(usd, usd))
    return FakeProvider(name, *(answer(text, usage=MILLION) for text in texts), models=(spec,))


def local(name: str, *texts: str) -> FakeProvider:
    spec = FakeProvider.spec("m", name, is_local=True)
    return FakeProvider(name, *(answer(text) for text in texts), models=(spec,))


def budgeted(folder: Path, per_day: float) -> Path:
    home = Home(folder)
    home.prepare()
    home.config.write_text(json.dumps({"routing": {"budget": {"perDay": per_day}}}))
    return folder


async def said(world: Inside, text: str, number: int, sender: str = "ann") -> str:
    await world.say(text, number, sender=sender)
    await world.quiet()
    return world.channel.visible()[-1]


async def test_with_the_day_s_money_spent_the_free_model_answers_and_why_says_so(tmp_path: Path) -> None:
    here = local("here", "from this machine")
    async with inside(budgeted(tmp_path, 1.0), paid("paid", 1.5, "for money"), free=here) as world:
        assert await said(world, "one", 1) == "for money"
        assert await said(world, "two", 2) == "from this machine"
        why = await said(world, "/why", 3)
        assert "costs more than is left for today" in why
        assert "paid/m (budget)" in why


async def test_with_nothing_free_people_read_what_is_the_matter_and_the_owner_can_mend_it(
    tmp_path: Path,
) -> None:
    async with inside(
        budgeted(tmp_path, 1.0), paid("paid", 1.5, "for money", "again"), policy=OWNED
    ) as world:
        await said(world, "one", 1)
        shown = await said(world, "two", 2)
        assert shown.startswith("Today's budget for models ($1) is spent, and none is connected that costs")
        assert shown.endswith("I answer again after midnight UTC; the owner can raise it with /budget set.")
        assert len(world.provider.asked) == 1
        assert (
            await said(world, "/budget set 10", 3, sender="bob") == "Only the owner of this bot may do that."
        )
        assert "of $10 (set with /budget)" in await said(world, "/budget set 10", 4)
        assert await said(world, "three", 5) == "again"


async def test_what_was_spent_and_what_was_set_survive_a_restart(tmp_path: Path) -> None:
    async with inside(tmp_path, paid("paid", 0.25, "for money"), policy=OWNED) as world:
        assert "There is no limit." in await said(world, "/budget", 1)
        await said(world, "/budget set 0.2", 2)
        await said(world, "a question", 3)
    async with inside(tmp_path, paid("paid", 0.25, "not to be had"), policy=OWNED) as world:
        status = await said(world, "/budget", 4)
        assert "$0.2500 of $0.2 (set with /budget). It is spent" in status
        assert "budget for models ($0.2) is spent" in await said(world, "a question", 5)
        assert "There is no limit." in await said(world, "/budget set default", 6)


async def test_a_budget_that_is_no_number_changes_nothing(tmp_path: Path) -> None:
    async with inside(budgeted(tmp_path, 1.0), paid("paid", 1.5), policy=OWNED) as world:
        for number, text in enumerate(("/budget set much", "/budget set -1", "/budget set nan", "/budget 5")):
            assert (await said(world, text, number)).startswith("Say /budget set 5")
        assert "of $1 (of the settings)" in await said(world, "/budget", 9)
