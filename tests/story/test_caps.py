"""Caps through the real app: what is held before a request and charged after it, and who is stopped in which words."""

from __future__ import annotations

import asyncio
import json
import shutil
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.access import Direct, Policy
from bot.alerts import Kind
from bot.cli.main import main
from bot.home import Home
from bot.keeping import keeping_methods
from bot.prices import cost
from bot.spending import Spending
from bot.store.executors import InlineExecutor
from bot.store.money import Charge, Held
from bot.store.sqlite import open_store
from channels.capabilities import LatencyClass
from channels.events import Address, ConversationKey
from providers.base import (
    CompletionRequest,
    Credential,
    GenerationOptions,
    Price,
    PromptMessage,
    Role,
    Usage,
)
from providers.errors import ErrorKind, ProviderError
from providers.fake import Delay, FakeProvider, Hang, Script, Until, answer, cut
from routing.budgets import BUDGETS
from routing.errors import NoModel
from routing.execute import Attempt, Tools, open_stream
from routing.health import Health
from routing.hedge import Hedges
from routing.ledger import NOBODY, Cap, Caps, Payer
from routing.policy import Decision, Reason, Rung
from tests.generated import generated
from tests.story.inside import Inside, inside, message
from tests.story.test_connections import counted
from tests.virtual_time import virtual_time

OWNED = Policy(allow=frozenset({"*"}), owners=frozenset({"olga"}), direct=Direct.OPEN)
MILLION = Usage(input_tokens=1_000_000, output_tokens=0)


def paid(name: str, usd: float, *scripts: Script) -> FakeProvider:
    """A model of which a million tokens cost so many dollars, and whose answers have ten tokens at most."""
    spec = replace(FakeProvider.spec("m", name), price=Price(usd, usd), max_output=10)
    return FakeProvider(name, *scripts, models=(spec,))


def costing(text: str) -> Script:
    """An answer of a million tokens."""
    return answer(text, usage=MILLION)


def capped(folder: Path, **budget: float | None) -> Path:
    home = Home(folder)
    home.prepare()
    home.config.write_text(json.dumps({"routing": {"budget": budget}}))
    return folder


async def said(world: Inside, text: str, number: int, sender: str = "ann") -> str:
    await world.say(text, number, sender=sender)
    await world.quiet()
    return world.channel.visible()[-1]


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        ({"perDay": 1.0}, "Today's budget for models ($1) is spent"),
        ({"perMonth": 1.0}, "This month's budget for models ($1) is spent"),
        ({"perSender": 1.0}, "Your budget for models today ($1) is spent"),
        ({"perConversation": 1.0}, "Today's budget for models in this conversation ($1) is spent"),
    ],
)
async def test_each_cap_stops_with_its_own_words_now_and_after_a_restart(
    tmp_path: Path, budget: dict[str, float], words: str
) -> None:
    async with inside(
        capped(tmp_path, **budget), paid("a", 1.5, costing("for money")), policy=OWNED
    ) as world:
        assert await said(world, "one", 1) == "for money"
        shown = await said(world, "two", 2)
        assert shown.startswith(words)
        assert "I answer again" in shown
    async with inside(tmp_path, paid("a", 1.5), policy=OWNED) as world:
        assert (await said(world, "three", 3)).startswith(words)
        assert world.provider.asked == []


async def test_one_person_s_cap_is_nobody_else_s_and_no_owner_s(tmp_path: Path) -> None:
    script = [costing(f"answer {number}") for number in range(9)]
    async with inside(capped(tmp_path, perSender=1.0), paid("a", 1.5, *script), policy=OWNED) as world:
        assert await said(world, "one", 1, "ann") == "answer 0"
        assert "is spent" in await said(world, "two", 2, "ann")
        assert await said(world, "one", 3, "bob") == "answer 1"
        for number in range(4, 8):
            assert (await said(world, "more", number, "olga")).startswith("answer")


async def test_ten_dollars_a_month_are_the_default(tmp_path: Path) -> None:
    script = [costing(f"answer {number}") for number in range(9)]
    async with inside(tmp_path, paid("a", 6.0, *script)) as world:
        for number in range(2):
            await said(world, "again", number)
        assert (await said(world, "again", 3)).startswith("This month's budget for models ($10) is spent")
        assert len(world.provider.asked) == 2


def dear(name: str, *scripts: Script, default: Script | None = None) -> FakeProvider:
    """A model that answers in ten tokens at most, ten cents each: a dollar is held for each request."""
    spec = replace(FakeProvider.spec("m", name), price=Price(0.0, 100_000.0), max_output=10)
    return FakeProvider(name, *scripts, default=default, models=(spec,))


def elsewhere(text: str, number: int, sender: str = "ann") -> Any:
    """The same in a direct chat of its own."""
    key = ConversationKey("fake", "main", f"room of {sender}")
    return replace(message(text, number, sender=sender), address=Address(key, message("").address.surface))


async def test_while_all_that_is_left_is_held_others_wait_and_then_are_answered(tmp_path: Path) -> None:
    release = asyncio.Event()
    first = (Until(release), *answer("the first", usage=Usage(0, 1)))
    provider = dear("a", first, answer("the second", usage=Usage(0, 1)))
    async with inside(capped(tmp_path, perDay=1.0), provider, policy=OWNED) as world:
        await world.say("one", 1)
        await provider.until_asked()
        await world.accept(elsewhere("two", 2, "bob"))
        await world.say("/budget", 3, sender="olga")
        async with asyncio.timeout(30):
            while len(world.channel.visible()) < 1:
                await asyncio.sleep(0)
        assert "Held for answers that are being written: $1.0000." in world.channel.visible()[0]
        assert len(provider.asked) == 1
        release.set()
        await world.quiet()
        assert {"the first", "the second"} <= set(world.channel.visible())
        assert world.app.desk.spending.held() == 0.0


@virtual_time
async def test_whoever_waits_too_long_for_held_money_is_told_so(tmp_path: Path) -> None:
    provider = dear("a", (Delay(60.0), *answer("at last", usage=Usage(0, 1))))
    async with inside(capped(tmp_path, perDay=1.0), provider, policy=OWNED, is_virtual=True) as world:
        await world.say("one", 1)
        await provider.until_asked()
        await world.accept(elsewhere("two", 2, "bob"))
        async with asyncio.timeout(30):
            while not any(
                "is held for answers that are being written" in each for each in world.channel.visible()
            ):
                await asyncio.sleep(0.1)
        assert len(provider.asked) == 1


@virtual_time
async def test_while_all_that_is_left_is_held_a_free_model_answers(tmp_path: Path) -> None:
    release = asyncio.Event()
    here = FakeProvider("here", answer("free"), models=(FakeProvider.spec("m", "here", is_local=True),))
    provider = dear("a", (Until(release), *answer("paid", usage=Usage(0, 1))))
    async with inside(
        capped(tmp_path, perDay=1.0), provider, policy=OWNED, is_virtual=True, here=here
    ) as world:
        await world.say("one", 1)
        await provider.until_asked()
        await world.accept(elsewhere("two", 2, "bob"))
        await here.until_asked()
        assert len(provider.asked) == 1
        release.set()
        await world.quiet()


def test_a_thousand_at_once_at_the_cap_overspend_by_at_most_one_request(tmp_path: Path) -> None:
    tokens = 3  # of the ten that are held for
    provider = dear("a", default=(Delay(0.1), *answer("it is so", usage=Usage(0, tokens))))

    @virtual_time
    async def story() -> None:
        async with inside(capped(tmp_path, perDay=5.0), provider, policy=OWNED, is_virtual=True) as world:
            async with asyncio.TaskGroup() as people:
                for number in range(1_000):
                    people.create_task(world.accept(elsewhere("me too", number, f"person {number}")))
            async with asyncio.timeout(600):
                await world.app.lanes.idle.wait()
            spending = world.app.desk.spending
            assert 5.0 <= spending.today <= 6.0
            assert spending.today == pytest.approx(len(provider.asked) * tokens / 10)
            assert spending.held() == 0.0
            assert sum(each.usd for each in await spending.costs(1)) == pytest.approx(spending.today)
            shown = world.channel.visible()
            assert len(shown) == 1_000, "nobody is left without a word"
            assert sum("it is so" in each for each in shown) == len(provider.asked)

    story()


def as_killed(world: Inside, folder: Path) -> Path:
    """The store's files as a kill would leave them now."""
    shutil.copytree(world.app.home.database.parent, folder)
    return folder / world.app.home.database.name


async def test_what_an_answer_cost_is_in_the_sums_though_a_crash_came_before_its_record(
    tmp_path: Path,
) -> None:
    """The final text is safe, the turn's record is not: what rode along with the text is."""
    async with inside(tmp_path, dear("a", answer("paid for", usage=Usage(0, 5)))) as world:
        await said(world, "one", 1)
        left = as_killed(world, tmp_path / "left")
    async with open_store(left) as after:
        assert [each.usd for each in await after.costs(0)] == [0.5]


@virtual_time
async def test_what_a_running_answer_cost_until_a_crash_is_charged_at_the_next_start(tmp_path: Path) -> None:
    provider = dear("a", (*answer("four and forty")[:-1], Hang()))
    async with inside(tmp_path, provider, is_virtual=True) as world:
        await world.say("one", 1)
        await asyncio.sleep(3.0)  # its text so far is kept every second
        left = as_killed(world, tmp_path / "left")
    async with open_store(left, executor=InlineExecutor) as after:
        await after.take_up_spending(0, 0)
        (found,) = await after.costs(0)
        assert found.usd == pytest.approx(0.4), "fourteen characters, four to a token, ten cents each"


async def test_usage_cost_tells_today_and_the_month_by_model_here_and_to_owners_in_all(
    tmp_path: Path,
) -> None:
    script = [costing("one"), costing("two")]
    async with inside(tmp_path, paid("a", 1.5, *script), policy=OWNED) as world:
        await said(world, "one", 1)
        await world.accept(elsewhere("two", 2, "bob"))
        await world.quiet()
        told = await said(world, "/usage cost", 3)
        assert "Here: $1.5000 today, $1.5000 this month (a/m $1.5000)." in told
        assert "In all" not in told
        told = await said(world, "/usage cost", 4, "olga")
        assert "In all: $3.0000 today, $3.0000 this month (a/m $3.0000)." in told


async def test_budget_shows_the_month_and_one_s_own_caps(tmp_path: Path) -> None:
    folder = capped(tmp_path, perDay=9.0, perSender=4.0)
    async with inside(folder, paid("a", 1.5, costing("one")), policy=OWNED) as world:
        await said(world, "one", 1)
        told = await said(world, "/budget", 2)
        assert "$1.5000 of $9 (of the settings). Every model may be asked." in told
        assert "This month: $1.5000 of $10." in told
        assert "You today: $1.5000 of $4." in told
        assert "You today: $0.0000 of $4. You are excepted." in await said(world, "/budget", 3, "olga")


def test_usage_cost_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def spend() -> int:
        async with inside(tmp_path, paid("a", 1.5, costing("one"))) as world:
            await said(world, "one", 1)
            return world.app.desk.spending.days[0]

    asyncio.run(spend())
    capsys.readouterr()
    assert main(["usage", "cost", "--home", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["total_usd"] == 1.5
    assert [(each["model"], each["requests"]) for each in found["costs"]] == [("a/m", 1)]
    assert main(["usage", "cost", "--home", str(tmp_path), "--days", "0"]) == 2


async def test_whoever_is_forgotten_leaves_the_sums_and_nothing_of_themselves(tmp_path: Path) -> None:
    folder = capped(tmp_path, perSender=2.0)
    async with inside(folder, paid("a", 1.5, costing("one")), policy=OWNED) as world:
        await said(world, "one", 1)
        spending, ann = world.app.desk.spending, Payer("fake:main:ann", "fake:main:room")
        assert spending.spent(Cap.SENDER, ann) == 1.5
        verbs = keeping_methods(world.app, world.app.store)  # type: ignore[arg-type]
        await verbs["data.forget"]({"person": ann.sender})
        assert spending.spent(Cap.SENDER, ann) == 0.0
        assert spending.today == 1.5
        (left,) = (await verbs["usage.cost"]({"days": 1}))["costs"]
        assert (left["model"], left["usd"], left["requests"]) == ("a/m", 1.5, 1)
    async with open_store(world.app.home.database) as store:
        spent = await store.take_up_spending(spending.days[0], spending.days[0])
        assert (spent.day, spent.senders, spent.conversations) == (1.5, {}, {})


async def test_the_owner_is_told_at_four_fifths_and_when_it_is_spent(tmp_path: Path) -> None:
    told: list[tuple[Kind, str]] = []
    async with open_store(tmp_path / "store.db") as store:
        spending = Spending(Caps(per_day=10.0), store, lambda: 1e9, lambda *alert: told.append(alert))
        await spending.load()
        model = replace(FakeProvider.spec("m", "a"), price=Price(1.0, 1.0))
        for millions in (7, 1, 1, 1):
            async with spending.open_hold(model, 1) as hold:
                hold.settle(Usage(millions * 1_000_000))
        with pytest.raises(ProviderError) as refused:
            await spending.enter(Rung(model), NOBODY, 1, 0.0)
    assert refused.value.kind is ErrorKind.BUDGET
    assert [kind for kind, _ in told] == [Kind.BUDGET] * 3
    assert told[0][1].endswith("Models dearer than the default come last now.")
    assert told[2][1] == (
        "Models have cost $10.00 today and $10.00 this month. It is spent: only models that cost nothing are asked."
    )


async def test_what_is_spent_held_and_refused_is_counted_by_model_and_cap(tmp_path: Path) -> None:
    refused = counted("firstword_refused_by_cap_total", cap="day")
    spent = counted("firstword_cost_usd_total")
    async with open_store(tmp_path / "store.db") as store:
        spending = Spending(Caps(per_day=1.0), store, lambda: 1e9, lambda *_: None)
        await spending.load()
        model = replace(FakeProvider.spec("m", "a"), price=Price(1.0, 1.0))
        async with spending.open_hold(model, 500_000) as hold:
            assert counted("firstword_held_usd") == 0.5
            hold.settle(Usage(1_000_000))
            hold.settle(Usage(1_000_000))
        with pytest.raises(ProviderError):
            async with spending.open_hold(model, 1):
                pass
    assert counted("firstword_held_usd") == 0.0
    assert counted("firstword_cost_usd_total") - spent == 1.0
    assert counted("firstword_refused_by_cap_total", cap="day") - refused == 1.0


# Whatever becomes of requests


@dataclass
class Book:
    """What the store is told of money."""

    charges: list[Charge] = field(default_factory=list)
    held: dict[int, Held] = field(default_factory=dict)

    def hold(self, held: Held) -> None:
        self.held[held.hold] = held

    def charge(self, charge: Charge) -> None:
        if charge.hold is not None:
            del self.held[charge.hold]  # exactly once
        self.charges.append(charge)


SLOW = Delay(30.0)
words = st.text("abcd ", min_size=1, max_size=60).filter(str.strip)
usages = st.builds(Usage, st.integers(0, 50), st.integers(0, 50))
errors = st.builds(
    ProviderError, st.sampled_from([kind for kind in ErrorKind if kind is not ErrorKind.BUDGET])
)
scripts = st.one_of(
    st.builds(
        lambda text, usage, gap: answer(text, usage=usage, gap=gap),
        words,
        usages,
        st.sampled_from([0.0, 0.3]),
    ),
    st.builds(cut, words, errors),
    st.builds(lambda error: (error,), errors),
    st.just((Hang(),)),
    st.builds(lambda text: (SLOW, *answer(text)), words),
)


@generated
@given(
    answers=st.lists(
        st.tuples(st.lists(scripts, max_size=3), st.lists(scripts, max_size=3)), min_size=1, max_size=4
    ),
    caps=st.builds(Caps, st.sampled_from([0.0, 1e-4, 1e-3, 1.0]), st.sampled_from([1e-3, 9.0])),
    ends=st.lists(st.floats(0.0, 20.0), max_size=4),
)
def test_however_requests_end_what_they_cost_is_charged_once_and_nothing_stays_held(
    answers: list[tuple[list[Script], list[Script]]], caps: Caps, ends: list[float]
) -> None:
    @virtual_time
    async def story() -> None:
        book, told = Book(), list[Attempt]()
        spending = Spending(caps, book, lambda: 1e9, lambda *_: None)  # type: ignore[arg-type]
        loop = asyncio.get_running_loop()
        providers = {name: paid(name, 2.0) for name in ("a", "b")}
        for one, other in answers:
            providers["a"].then(*one)
            providers["b"].then(*other)
        tools = Tools(
            providers=dict(providers),
            credential=lambda _, each: Credential(each),
            health=Health(),
            clock=loop.time,
            roll=lambda: 0.5,
            sleep=asyncio.sleep,
            money=spending,
            report=told.append,
            hedges=Hedges(1.0),
        )
        payer = Payer("fake:main:ann", "fake:main:room", "t1")
        rungs = tuple(Rung(each.models[0]) for each in providers.values())
        latency = LatencyClass.SYNC
        decision = Decision(rungs, BUDGETS[latency], latency, Reason.DEFAULT, tokens=30, payer=payer)
        request = CompletionRequest((PromptMessage(Role.USER, "a question"),))

        async def ask(patience: float) -> None:
            try:
                async with (
                    asyncio.timeout(patience),
                    open_stream(decision, lambda *_: request, tools, lambda: True) as running,
                    aclosing(running.events) as events,  # type: ignore[type-var]
                ):
                    async for _ in events:
                        pass
            except (NoModel, TimeoutError):
                pass

        async with asyncio.TaskGroup() as people:
            for at in range(len(answers)):
                people.create_task(ask(ends[at] if at < len(ends) else 900.0))
        assert spending.held() == 0.0
        assert book.held == {}
        known = [cost(each.rung.model, each.usage, GenerationOptions()) or 0.0 for each in told]
        charged = sum(each.usd for each in book.charges)
        begun = sum(each.kind is not None and each.ttft is not None and each.usage is None for each in told)
        assert charged == pytest.approx(spending.today)
        assert charged == pytest.approx(spending.spent(Cap.MONTH, NOBODY))
        assert charged == pytest.approx(spending.spent(Cap.DAY, payer))
        assert sum(known) - 1e-12 <= charged <= sum(known) + begun * 1e-3
        assert begun > 0 or charged == pytest.approx(sum(known))

    story()
