"""A turn in which nothing moves any more: it frees its lane and says so, and nothing that is merely slow is ended."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from bot import words
from bot.access import Policy
from bot.lanes import Turn
from bot.store.base import Outcome
from bot.tools import CALL_DEADLINE, MAX_STEPS, ToolResult
from bot.watchdog import GRACE, LIMITS, MOST_LEFT
from channels.capabilities import LatencyClass
from channels.errors import RateLimited
from providers.base import ReasoningDelta, Started, StreamEvent
from providers.fake import Delay, FakeProvider, Script, Step, answer
from routing.budgets import LOCAL_LAST_RUNG_FIRST_TOKEN
from tests.story.inside import EDITS, Inside, address, inside, message
from tests.story.test_connections import counted
from tests.story.toolbox import Box, calling
from tests.virtual_time import virtual_time

KNOWN = Policy(allow=frozenset({"ann", "bob"}))
WAIT = ("door__wait", "{}")
IDLE = LIMITS[LatencyClass.SYNC].idle


@dataclass
class DeafBox(Box):
    """`door__wait` does not even end when it is cancelled."""

    heard: int = field(default=0)

    async def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """As Box."""
        while not self.opened.is_set():
            try:
                await self.opened.wait()
            except asyncio.CancelledError:
                self.heard += 1
        return ToolResult(self.result)


@dataclass
class PoolBox(Box):
    """Keeps the context of every call, as a connection does that is made in it."""

    kept: list[Context] = field(default_factory=list)

    async def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """As Box."""
        self.kept.append(copy_context())
        return await super().call(name, arguments)


@dataclass
class SlowBox(Box):
    """Every call takes nearly as long as a call may."""

    async def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """As Box."""
        await asyncio.sleep(CALL_DEADLINE - 0.1)
        return ToolResult(self.result)


async def _quiet(world: Inside) -> None:
    await world.app.lanes.idle.wait()


async def _outcomes(world: Inside) -> list[Outcome]:
    return [row.outcome for row in reversed(await world.app.store.turns(None, 50))]


@virtual_time
async def test_a_stuck_turn_is_ended_says_so_and_its_lane_goes_on(tmp_path: Path) -> None:
    provider = FakeProvider("one", calling(WAIT), answer("and this works"))
    before = counted("firstword_turns_stuck_total", stage="model")
    async with inside(tmp_path, provider, box=Box(), policy=KNOWN, is_virtual=True) as world:
        await world.say("hi", 1)
        await asyncio.sleep(10.0)
        await world.say("still there?", 2)
        await _quiet(world)
        assert world.channel.visible() == [words.STUCK, "and this works"]
        assert IDLE <= world.channel.now() <= 1.5 * IDLE
        assert await _outcomes(world) == [Outcome.FAILED, Outcome.DONE]
        assert counted("firstword_turns_stuck_total", stage="model") == before + 1
        assert provider.open_streams == 0


@virtual_time
async def test_a_connection_that_outlives_a_turn_does_not_hold_it(tmp_path: Path) -> None:
    box = PoolBox()
    provider = FakeProvider("one", calling(("clock__now", "{}")), answer("noon"))
    async with inside(tmp_path, provider, box=box, policy=KNOWN, is_virtual=True) as world:
        asked = (
            "what time is it while the connection stays?"  # turns of other tests may live on in this process
        )
        await world.say(asked)
        await _quiet(world)
        assert world.channel.visible() == ["noon"]
        gc.collect()
        turns = [each for each in gc.get_objects() if type(each) is Turn]
        assert box.kept and not [each for each in turns if each.message.text == asked]


@virtual_time
async def test_what_was_shown_before_it_stuck_stays_with_a_note(tmp_path: Path) -> None:
    provider = FakeProvider("one", calling(WAIT, text="Let me look."))
    async with inside(tmp_path, provider, box=Box(), policy=KNOWN, is_virtual=True) as world:
        await world.say("hi")
        await _quiet(world)
        assert world.channel.visible() == [f"Let me look.\n\n{words.STUCK}"]
        assert await _outcomes(world) == [Outcome.CUT]


@virtual_time
async def test_a_turn_that_cannot_be_ended_is_left_behind_and_never_speaks_again(tmp_path: Path) -> None:
    box = DeafBox()
    provider = FakeProvider("one", calling(WAIT, text="Let me look."), answer("second"), answer("too late"))
    before = counted("firstword_tasks_abandoned_total", what="turn")
    async with inside(tmp_path, provider, box=box, policy=KNOWN, is_virtual=True) as world:
        await world.say("hi", 1)
        await asyncio.sleep(10.0)
        await world.say("still there?", 2)
        await _quiet(world)
        assert world.channel.now() < 2 * IDLE + 2 * GRACE
        shown = [f"Let me look.\n\n{words.STUCK}", "second"]
        assert world.channel.visible() == shown
        assert counted("firstword_tasks_abandoned_total", what="turn") == before + 1
        assert box.heard >= 1
        box.opened.set()
        await asyncio.sleep(1000.0)
        assert world.channel.visible() == shown
        assert await _outcomes(world) == [Outcome.FAILED, Outcome.DONE]
        assert not any(task.get_name().startswith("turn") for task in asyncio.all_tasks())


@virtual_time
async def test_a_stuck_turn_is_ended_although_its_end_cannot_be_shown(tmp_path: Path) -> None:
    box = DeafBox()
    provider = FakeProvider("one", calling(WAIT, text="Let me look."), answer("second"))
    before = counted("firstword_tasks_abandoned_total", what="turn")
    async with inside(tmp_path, provider, box=box, policy=KNOWN, is_virtual=True) as world:
        await world.say("hi", 1)
        await asyncio.sleep(10.0)
        world.channel.fail_next("edit", ZeroDivisionError())  # the adapter's fault
        await world.say("still there?", 2)
        await _quiet(world)
        assert world.channel.visible() == ["Let me look.", words.STUCK, "second"]
        assert counted("firstword_tasks_abandoned_total", what="turn") == before + 1
        box.opened.set()
        await asyncio.sleep(1000.0)
        assert not any(task.get_name().startswith("turn") for task in asyncio.all_tasks())


class DeafModel(FakeProvider):
    """Its first answer breaks off before a word, whoever wants it to end, until `opened` is set; then it speaks."""

    def __init__(self, *scripts: Script) -> None:
        super().__init__("one", *scripts)
        self.opened = asyncio.Event()

    @asynccontextmanager
    async def stream(self, *args: Any, **more: Any) -> AsyncIterator[AsyncIterator[StreamEvent]]:
        is_first = not self.asked
        async with super().stream(*args, **more) as events:
            while is_first and not self.opened.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await self.opened.wait()
            yield events


@virtual_time
async def test_a_model_that_comes_to_life_after_its_turn_is_not_heard(tmp_path: Path) -> None:
    provider = DeafModel(answer("much too late"), answer("second"))
    async with inside(tmp_path, provider, is_virtual=True) as world:
        await world.say("hi", 1)
        await asyncio.sleep(10.0)
        await world.say("still there?", 2)
        await _quiet(world)
        assert world.channel.visible() == [words.STUCK, "second"]
        provider.opened.set()
        await asyncio.sleep(1000.0)
        assert world.channel.visible() == [words.STUCK, "second"]
        assert await _outcomes(world) == [Outcome.FAILED, Outcome.DONE]


@virtual_time
async def test_turns_that_cannot_be_ended_never_become_many(tmp_path: Path) -> None:
    box = DeafBox()
    provider = FakeProvider("one", default=calling(WAIT))
    async with inside(tmp_path, provider, box=box, policy=KNOWN, is_virtual=True) as world:
        for number in range(MOST_LEFT + 5):
            where = address(f"room {number}")
            said = message(f"hi {number}", number, sender=("ann", "bob")[number % 2])
            assert await world.accept(replace(said, address=where))
        await asyncio.sleep(10 * IDLE)
        left = [task for task in asyncio.all_tasks() if task.get_name().startswith("turn")]
        running = world.app.lanes.running
        box.opened.set()
        await _quiet(world)
        assert len(left) == MOST_LEFT + 5
        assert running == 5  # these wait for one of the others to end, and hold their lanes


@virtual_time
async def test_many_calls_that_each_take_long_are_no_reason(tmp_path: Path) -> None:
    looks = [calling(("clock__now", f'{{"n": {number}}}')) for number in range(MAX_STEPS - 1)]
    provider = FakeProvider("one", *looks, answer("noon"))
    before = counted("firstword_turns_stuck_total")
    async with inside(tmp_path, provider, box=SlowBox(), policy=KNOWN, is_virtual=True) as world:
        await world.say("hi")
        await _quiet(world)
        assert world.channel.visible() == ["noon"]
        assert world.channel.now() > 6 * CALL_DEADLINE
        assert counted("firstword_turns_stuck_total") == before


@virtual_time
async def test_a_model_that_thinks_for_long_is_no_reason(tmp_path: Path) -> None:
    thinking: list[Step] = [step for _ in range(60) for step in (Delay(4.0), ReasoningDelta("hm "))]
    provider = FakeProvider("one", (Started(), *thinking, *answer("noon")[1:]))
    before = counted("firstword_turns_stuck_total")
    async with inside(tmp_path, provider, is_virtual=True) as world:
        await world.say("hi")
        await _quiet(world)
        assert world.channel.visible() == ["noon"]
        assert world.channel.now() >= 240.0 > 2 * IDLE
        assert counted("firstword_turns_stuck_total") == before


@virtual_time
async def test_a_channel_that_limits_the_last_write_is_no_reason(tmp_path: Path) -> None:
    waits = 290.0
    before = counted("firstword_turns_stuck_total")
    async with inside(tmp_path, FakeProvider("one", answer("hello")), is_virtual=True) as world:
        world.channel.fail_next("send", RateLimited(waits))
        await world.say("hi")
        await _quiet(world)
        assert world.channel.visible() == ["hello"]
        assert world.channel.now() >= waits
        assert counted("firstword_turns_stuck_total") == before


@virtual_time
async def test_a_local_model_that_loads_is_no_reason(tmp_path: Path) -> None:
    wait = LOCAL_LAST_RUNG_FIRST_TOKEN - 1.0
    local = FakeProvider(
        "one", answer("hello", ttft=wait), models=(FakeProvider.spec("m", "one", is_local=True),)
    )
    before = counted("firstword_turns_stuck_total")
    async with inside(tmp_path, local, EDITS, is_virtual=True) as world:
        await world.say("hi")
        await _quiet(world)
        assert world.channel.visible() == ["hello"]
        assert world.channel.now() >= wait
        assert counted("firstword_turns_stuck_total") == before


@virtual_time
async def test_a_model_that_is_known_to_be_slow_is_no_reason(tmp_path: Path) -> None:
    slow = LOCAL_LAST_RUNG_FIRST_TOKEN - 1.0
    usual = [answer("hello", ttft=slow) for _ in range(6)]
    local = FakeProvider.spec("m", "one", is_local=True)
    provider = FakeProvider("one", *usual, answer("late", ttft=2.5 * slow), models=(local,))
    before = counted("firstword_turns_stuck_total")
    async with inside(tmp_path, provider, EDITS, is_virtual=True) as world:
        for number in range(len(usual)):
            await world.say("hi", number)
            await _quiet(world)
        await world.say("and now?", 99)
        await _quiet(world)
        assert 2.5 * slow > IDLE
        assert world.channel.visible()[-1] == "late"
        assert counted("firstword_turns_stuck_total") == before


@pytest.mark.parametrize("latency", list(LatencyClass))
def test_no_class_gives_up_what_may_rightly_take_so_long(latency: LatencyClass) -> None:
    limit = LIMITS[latency]
    assert limit.idle > LOCAL_LAST_RUNG_FIRST_TOKEN
    assert limit.idle > MAX_STEPS
    assert limit.total > limit.idle
