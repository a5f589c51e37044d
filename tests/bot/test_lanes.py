"""Order in a conversation, and what a message does that comes while an answer runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.access import Policy
from bot.accounts import Account
from bot.interrupt import StopReason
from bot.lanes import LANE_LIMIT, MAX_MERGES, RESUMED_AT_ONCE, Lanes, Mode, Turn
from channels.capabilities import Capabilities, LatencyClass, Streaming, Surface
from channels.commands import Role
from channels.events import Address, ConversationKey, Message, Sender
from channels.fake import FakeChannel

NOW = datetime(2026, 11, 21, tzinfo=UTC)


class Rig:
    """Lanes whose turns wait until the test lets them end."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self.now = 0.0
        self.began: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.lanes = Lanes(self._run, self._spawn, lambda: self.now)
        self._tasks = tasks
        self._account = Account(
            FakeChannel(Capabilities(LatencyClass.SYNC, Streaming.EDIT)), Policy(), "", "", ""
        )
        self._moved = asyncio.Condition()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        return self._tasks.create_task(work, name=name)

    async def _run(self, turn: Turn) -> None:
        text = "+".join(said for _, said in turn.texts)
        self.began.append(text)
        async with self._moved:
            self._moved.notify_all()
        gate = self.gates.setdefault(turn.message.text, asyncio.Event())
        while True:
            async with turn.interrupt:
                await gate.wait()
            if turn.interrupt.reason is not StopReason.MERGED:
                return
            turn.interrupt.clear()
            self.began.append("+".join(said for _, said in turn.texts))
            async with self._moved:
                self._moved.notify_all()

    def turn(self, text: str, *, key: str = "c", sender: str = "ann") -> Turn:
        committed = asyncio.get_running_loop().create_future()
        committed.set_result(True)
        address = Address(ConversationKey("fake", "main", key), Surface.DIRECT)
        message = Message(text, text, address, Sender(sender, sender), text, NOW)
        return Turn(text, message, self._account, committed, self.now, 0.0, Role.GUEST)

    def say(self, text: str, mode: Mode = Mode.QUEUE, **who: str) -> Turn:
        turn = self.turn(text, **who)
        self.lanes.submit(turn, mode)
        return turn

    def end(self, text: str) -> None:
        self.gates.setdefault(text, asyncio.Event()).set()

    async def until(self, *began: str) -> None:
        async with asyncio.timeout(30), self._moved:
            await self._moved.wait_for(lambda: self.began == list(began))


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with asyncio.TaskGroup() as tasks:
        made = Rig(tasks)
        yield made
        made.lanes.drain()
        made.lanes.interrupt_all(StopReason.SHUTDOWN)
    assert made.lanes.running == 0
    assert (made.lanes.waiting, made.lanes.waiting_bytes) == (0, 0)


async def test_messages_of_one_conversation_are_answered_one_after_the_other(rig: Rig) -> None:
    rig.say("one")
    rig.now = 5.0
    rig.say("two")
    await rig.until("one")
    assert rig.lanes.waiting == 1
    rig.end("one")
    await rig.until("one", "two")


async def test_conversations_do_not_wait_for_each_other(rig: Rig) -> None:
    rig.say("one", key="a")
    rig.say("two", key="b")
    await rig.until("one", "two")


async def test_a_second_line_within_the_window_joins_and_a_late_one_waits(rig: Rig) -> None:
    rig.say("one")
    await rig.until("one")
    rig.now = 1.0
    rig.say("two")
    await rig.until("one", "one+two")
    rig.now = 9.0
    rig.say("three")
    assert rig.lanes.waiting == 1


async def test_at_most_two_lines_join(rig: Rig) -> None:
    rig.say("0")
    await rig.until("0")
    for number in range(1, MAX_MERGES + 2):
        rig.say(str(number))
    await rig.until("0", "0+1+2")
    assert rig.lanes.waiting == 1


async def test_lines_of_different_people_never_join(rig: Rig) -> None:
    for mode in (Mode.QUEUE, Mode.STEER, Mode.COLLECT):
        rig.say("one", mode, sender="ann", key=mode)
        rig.say("two", mode, sender="bob", key=mode)
        rig.say("three", mode, sender="cid", key=mode)
    await rig.until("one", "one", "one")
    assert rig.lanes.waiting == 6


async def test_what_waits_is_collected_into_one_question(rig: Rig) -> None:
    rig.say("one", Mode.COLLECT)
    await rig.until("one")
    rig.now = 9.0
    rig.say("two", Mode.COLLECT)
    rig.say("three", Mode.COLLECT)
    rig.end("one")
    await rig.until("one", "two+three")


async def test_a_message_may_end_the_running_answer(rig: Rig) -> None:
    first = rig.say("one", Mode.INTERRUPT)
    await rig.until("one")
    rig.now = 9.0
    rig.say("two", Mode.INTERRUPT)
    await rig.until("one", "two")
    assert first.interrupt.reason is StopReason.STOPPED


async def test_a_message_may_steer_the_running_answer_at_any_time(rig: Rig) -> None:
    rig.say("one", Mode.STEER)
    await rig.until("one")
    rig.now = 60.0
    rig.say("two", Mode.STEER)
    await rig.until("one", "one+two")


async def test_a_lane_has_room_for_so_many_and_says_so(rig: Rig) -> None:
    rig.say("running")
    await rig.until("running")
    for number in range(LANE_LIMIT):
        assert rig.lanes.has_room("fake:main:c")
        rig.now += 9.0
        rig.say(f"waiting {number}")
    assert not rig.lanes.has_room("fake:main:c")
    assert rig.lanes.has_room("fake:main:other")


async def test_a_waiting_message_can_be_found_and_withdrawn(rig: Rig) -> None:
    rig.say("one")
    await rig.until("one")
    rig.now = 9.0
    waiting = rig.say("two")
    assert rig.lanes.find("fake:main:c", "two") is waiting
    assert rig.lanes.withdraw(waiting)
    assert not rig.lanes.withdraw(waiting)
    assert rig.lanes.waiting == 0


async def test_a_copy_that_could_not_be_kept_does_not_stand_for_the_one_that_was(rig: Rig) -> None:
    """Else a correction would go to the copy that answers nothing."""
    rig.say("one")
    rig.now = 10.0
    refused = rig.say("two")
    refused.interrupt.fire(StopReason.UNSTORED)
    again = rig.say("two")
    assert rig.lanes.find("fake:main:c", "two") is again
    rig.end("one")
    rig.end("two")


async def test_a_draining_lane_starts_nothing_new(rig: Rig) -> None:
    rig.say("one")
    await rig.until("one")
    rig.now = 9.0
    rig.say("two")
    rig.lanes.drain()
    rig.end("one")
    async with asyncio.timeout(30):
        await rig.lanes.idle.wait()
    assert rig.began == ["one"]


async def test_turns_of_before_a_start_begin_a_few_at_a_time_and_a_stop_leaves_the_rest_kept() -> None:
    async with asyncio.TaskGroup() as tasks:
        rig = Rig(tasks)
        for number in range(20):
            turn = rig.turn(f"old {number}", key=f"k{number}")
            turn.is_resumed = True
            rig.lanes.submit(turn)
        rig.lanes.submit(rig.turn("new", key="other"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert rig.began == [*(f"old {number}" for number in range(RESUMED_AT_ONCE)), "new"]
        rig.lanes.drain()
        for name in [*rig.began]:
            rig.gates[name].set()
        await rig.lanes.idle.wait()
        assert len(rig.began) == RESUMED_AT_ONCE + 1
