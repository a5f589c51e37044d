"""The rollout of choosing by figures, with the real app inside: who is served, what is kept, what people say of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bot.access import Policy as Access
from bot.feedback import Said, meaning
from bot.home import Home
from bot.seconds import Seconds
from channels.capabilities import Capabilities, LatencyClass, Streaming
from channels.events import Pressed, Reaction, Sender
from providers.base import Price, Usage
from providers.errors import ErrorKind, ProviderError
from providers.fake import FakeProvider, answer
from routing.catalog import Catalog, Choice
from routing.health import Health
from routing.learning import ENOUGH, Learning
from routing.policy import RouteQuery, decide
from routing.rollout import Policy, Stage
from tests.story.inside import Inside, address, inside

CALM = Capabilities(LatencyClass.ASYNC, Streaming.EDIT, deletes=True, typing_ttl=5.0, notes=True)
HARD = (
    "Prove step by step that the sum of the first n odd numbers is n squared, then derive a closed form "
    "for the sum of cubes and explain why each step holds."
)
OWNER = Access(owners=frozenset({"ann"}))
USAGE = Usage(input_tokens=100, output_tokens=20)


def two_models(**facts: object) -> tuple[FakeProvider, FakeProvider]:
    """The default, and the one that hard questions are for."""
    return (
        FakeProvider(
            "one", default=answer("from one", usage=USAGE), models=[FakeProvider.spec("m", "one", **facts)]
        ),
        FakeProvider(
            "two", default=answer("from two", usage=USAGE), models=[FakeProvider.spec("m", "two", **facts)]
        ),
    )


def configure(folder: Path, **rollout: Any) -> None:
    home = Home(folder)
    home.prepare()
    home.config.write_text(json.dumps({"routing": {"rollout": rollout}}))


async def ask(world: Inside, text: str, number: int) -> str:
    before = len(world.channel.visible())
    await world.say(text, number)
    await world.quiet()
    return "\n".join(world.channel.visible()[before:])


def reaction(
    world: Inside, emoji: str, *, sender: str = "bob", added: bool = True, key: str = "r"
) -> Reaction:
    """Somebody reacts to what was said last."""
    said = world.channel.messages[-1].id
    return Reaction(f"{key} {emoji} {sender} {added}", said, address(), Sender(sender), emoji, added)


async def feedback(world: Inside) -> list[dict[str, str]]:
    """What is kept with every answer, newest first."""
    rows = await world.app.store.turns(None, 20)
    return [dict(row.detail["feedback"]) for row in rows if row.detail.get("feedback")]


async def shadows(world: Inside) -> None:
    """Until nobody is asked unseen any more."""
    await world.quiet()
    async with asyncio.timeout(30):
        while any(task.get_name() == "shadow" for task in asyncio.all_tasks()):
            await asyncio.sleep(0)


# Who is served by what


@pytest.mark.parametrize(
    ("stage", "served"), [("100", "from two"), ("off", "from one"), ("shadow", "from one")]
)
async def test_the_stage_says_whether_a_hard_question_gets_the_deep_model(
    tmp_path: Path, stage: str, served: str
) -> None:
    configure(tmp_path, stage=stage)
    one, two = two_models()
    async with inside(tmp_path, one, CALM, second=two) as world:
        assert await ask(world, HARD, 1) == served


async def test_the_owner_switches_it_off_at_once_and_over_a_restart(tmp_path: Path) -> None:
    one, two = two_models()
    async with inside(tmp_path, one, CALM, policy=OWNER, second=two) as world:
        assert await ask(world, HARD, 1) == "from two"
        assert "off: models are asked as the settings list them" in await ask(world, "/rollout off", 2)
        assert await ask(world, HARD, 3) == "from one"
        await ask(world, "/why", 4)
        assert "models as listed" in world.channel.visible()[-1]
    async with inside(tmp_path, one, CALM, policy=OWNER, second=two) as world:
        assert world.app.desk.rolling.rollout.stage is Stage.OFF
        assert "Rollout: off" in await ask(world, "/rollout", 5)
    configure(tmp_path, stage="50")  # settings that were changed stand over what was said in chat
    async with inside(tmp_path, one, CALM, policy=OWNER, second=two) as world:
        assert world.app.desk.rolling.rollout.stage is Stage.HALF


async def test_only_the_owner_rolls_out(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one")) as world:
        assert "Only the owner" in await ask(world, "/rollout off", 1)
        assert world.app.desk.rolling.rollout.stage is Stage.ALL


async def test_the_next_stage_waits_for_its_conditions_and_a_number_does_not(tmp_path: Path) -> None:
    configure(tmp_path, stage="shadow")
    async with inside(tmp_path, FakeProvider("one"), policy=OWNER) as world:
        said = await ask(world, "/rollout next", 1)
        assert said.startswith("Not yet. /rollout 20 goes on all the same.")
        assert "NOT decisions (0 of 500)" in said
        assert "20 of 100 conversations" in await ask(world, "/rollout 20%", 2)
        assert "shadow" in await ask(world, "/rollout back", 3)
        assert "every conversation" in await ask(world, "/rollout on", 4)
        assert await ask(world, "/rollout next", 5) == "There is no further stage."
        assert "/rollout status|next" in await ask(world, "/rollout 30", 6)


async def test_what_was_kept_and_cannot_be_read_begins_anew(tmp_path: Path) -> None:
    configure(tmp_path, stage="20")
    async with inside(tmp_path, FakeProvider("one")) as world:
        await world.app.store.set_choice("routing", "rollout", '{"configured": "20", "stage": "many"}')
    async with inside(tmp_path, FakeProvider("one")) as world:
        assert world.app.desk.rolling.rollout.stage is Stage.FIFTH


async def test_a_class_that_fails_under_the_new_policy_is_taken_back_by_itself(tmp_path: Path) -> None:
    configure(tmp_path, stage="50")
    one, two = two_models()
    two.default = (ProviderError(ErrorKind.BAD_REQUEST, "made up"),)
    async with inside(tmp_path, one, CALM, policy=OWNER, second=two) as world:
        rolling = world.app.desk.rolling
        for _ in range(100):
            rolling.rollout.answered("async", Policy.STATIC, seconds=0.3, failed=False, cost_usd=None)
        for _ in range(60):
            rolling.rollout.answered("async", Policy.SMART, seconds=None, failed=True, cost_usd=None)
        assert await ask(world, HARD, 1) == "from one"
        assert "Taken back for async: errors: 100.00% failed" in await ask(world, "/rollout", 2)


# Shadow


async def test_in_shadow_both_ways_decide_and_the_difference_is_told(tmp_path: Path) -> None:
    configure(tmp_path, stage="shadow")
    one, two = two_models()
    async with inside(tmp_path, one, CALM, second=two) as world:
        await ask(world, HARD, 1)
        await ask(world, "hi", 2)
        rollout = world.app.desk.rolling.rollout
        assert (rollout.decided, rollout.differing) == (2, 1)
        (_, hard) = await world.app.store.turns(None, 2)
        assert hard.detail["shadow"] == "two/m"
        assert two.asked == []  # decided, never asked


async def test_a_second_answer_is_asked_seldom_paid_for_and_never_shown(tmp_path: Path) -> None:
    configure(tmp_path, stage="shadow", sample=0.02, sampleBudget=1.0)
    one, two = two_models(price=Price(1.0, 10.0))
    async with inside(tmp_path, one, CALM, second=two) as world:
        seconds = world.app.desk.rolling.seconds
        assert seconds is not None
        seconds.offered = 49
        assert await ask(world, HARD, 1) == "from one"
        await shadows(world)
        assert len(two.asked) == 1
        assert two.asked[0].request.messages[-1].text == HARD
        assert seconds.spent_usd == pytest.approx((100 * 1.0 + 20 * 10.0) / 1e6)
        assert await ask(world, HARD, 2) == "from one"
        await shadows(world)
        assert len(two.asked) == 1  # one of fifty is all there may be
        assert "from two" not in "".join(world.channel.visible())
        rows = await world.app.store.turns(None, 5)
        assert all(len(row.detail["attempts"]) == 1 for row in rows)


async def test_a_fault_in_a_second_answer_ends_nothing_else(tmp_path: Path) -> None:
    class Faulty(FakeProvider):
        def stream(self, *args: Any, **more: Any) -> Any:
            raise ZeroDivisionError

    configure(tmp_path, stage="shadow", sample=0.02, sampleBudget=1.0)
    one, _ = two_models(price=Price(1.0, 10.0))
    two = Faulty("two", models=[FakeProvider.spec("m", "two", price=Price(1.0, 10.0))])
    async with inside(tmp_path, one, CALM, second=two) as world:
        seconds = world.app.desk.rolling.seconds
        assert seconds is not None
        seconds.offered = 49
        assert await ask(world, HARD, 1) == "from one"
        await shadows(world)
        assert seconds.asked == 1
        assert await ask(world, HARD, 2) == "from one"


@pytest.mark.parametrize(("share", "budget", "price"), [(0.0, 9.0, 1.0), (0.02, 0.0, 1.0), (0.02, 9.0, None)])
def test_without_share_budget_or_price_nobody_is_asked_twice(
    share: float, budget: float, price: float | None
) -> None:
    spec = FakeProvider.spec("m", "one", price=None if price is None else Price(price, price))
    catalog = Catalog(models={spec.ref: spec}, primary=Choice(spec))
    decision = decide(RouteQuery(LatencyClass.SYNC, Streaming.EDIT, 1.0), catalog, Health())
    seconds = Seconds(share, budget, None, lambda: 0.0, offered=1_000)  # type: ignore[arg-type]
    assert not seconds.offer(decision, None, None)  # type: ignore[arg-type]


# What people say of answers


@pytest.mark.parametrize(
    ("emoji", "said"),
    [
        ("👍", Said.GOOD),
        ("👍🏽", Said.GOOD),
        ("❤️", Said.GOOD),
        ("+1::skin-tone-2", Said.GOOD),
        (":-1:", Said.BAD),
        ("👎", Said.BAD),
        ("🤔", None),
        ("eyes", None),
        ("", None),
    ],
)
def test_signs_mean_what_people_mean(emoji: str, said: Said | None) -> None:
    assert meaning(emoji) is said


async def test_a_reaction_is_kept_with_its_answer_once_and_may_be_taken_back(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", default=answer("hello"))) as world:
        await ask(world, "hi", 1)
        for number in range(3):
            await world.accept(reaction(world, "👎", key=str(number)))
        await world.accept(reaction(world, "👍", sender="cat"))
        (kept,) = await feedback(world)
        assert sorted(kept.values()) == ["bad", "good"]
        await world.accept(reaction(world, "👎", added=False))
        (kept,) = await feedback(world)
        assert list(kept.values()) == ["good"]
        assert "You said: good" in await ask(world, "/why", 2)


async def test_a_reaction_to_anything_else_is_passed_over(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", default=answer("hello"))) as world:
        await ask(world, "hi", 1)
        assert await world.accept(Reaction("k", "never sent", address(), Sender("bob"), "👎"))
        assert await world.accept(reaction(world, "🤔"))
        assert await feedback(world) == []


async def test_asking_again_and_choosing_another_model_are_kept_too(tmp_path: Path) -> None:
    one, two = two_models()
    async with inside(tmp_path, one, second=two) as world:
        await ask(world, "hi", 1)
        await ask(world, "/retry", 2)
        await ask(world, "/model deep", 3)
        second, first = await feedback(world)
        assert list(first.values()) == ["asked again"]
        assert list(second.values()) == ["chose another model"]


async def test_a_pressed_retry_counts_for_the_answer_that_it_stands_under(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", default=answer("hello"))) as world:
        await ask(world, "first", 1)
        under = world.channel.messages[-1].id
        await ask(world, "second", 2)
        await world.accept(Pressed("p", under, address(), Sender("ann"), "retry"))
        await world.quiet()
        rows = await world.app.store.turns(None, 5)
        said = {row.turn_id: row.detail.get("feedback") for row in rows}
        assert [bool(said[row.turn_id]) for row in rows] == [False, False, True]


async def test_a_displeased_person_counts_once_against_the_policy_that_served(tmp_path: Path) -> None:
    configure(tmp_path, stage="50")
    async with inside(tmp_path, FakeProvider("one", default=answer("hello"))) as world:
        rolling = world.app.desk.rolling
        served = rolling.policy(LatencyClass.SYNC, str(address().key))
        await ask(world, "hi", 1)
        arm = rolling.rollout.arm("sync", served)
        assert (arm.decisions, arm.failures, arm.disliked) == (1, 0, 0)
        for emoji in ("👎", "💩"):
            await world.accept(reaction(world, emoji))
        assert arm.disliked == 1
        for emoji in ("👎", "💩"):
            await world.accept(reaction(world, emoji, added=False))
        assert arm.disliked == 0


# What is learnt of it


async def test_nothing_is_learnt_unless_the_settings_say_so(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", default=answer("hello"))) as world:
        await ask(world, "hi", 1)
        await world.accept(reaction(world, "👎"))
        assert world.app.desk.feedback.learner.groups == {}


async def test_each_account_learns_for_itself_and_can_be_made_to_forget(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    home.config.write_text(json.dumps({"routing": {"learns": True}}))
    one = FakeProvider("one", default=answer("hello"))
    async with inside(tmp_path, one, policy=OWNER) as world:
        learner = world.app.desk.feedback.learner
        learner.groups["account:fake:main"] = Learning(said=ENOUGH)
        await ask(world, "hi", 1)
        await world.accept(reaction(world, "👎", sender="ann"))
        assert learner.groups["account:fake:main"].shift == pytest.approx(0.002)
        assert learner.bounds("account:fake:other") == (0.03, 0.12)
    async with inside(tmp_path, one, policy=OWNER) as world:
        assert "Learnt at account:fake:main: +0.002 from 201 reactions." in await ask(world, "/rollout", 2)
        assert "at 1 account is forgotten" in await ask(world, "/rollout forget", 3)
    async with inside(tmp_path, one, policy=OWNER) as world:
        assert world.app.desk.feedback.learner.groups == {}
