"""What happens when two things happen at once: nothing lost, nothing doubled, no lane that stays taken."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bot import words
from bot.interrupt import Interrupt, StopReason
from bot.patience import MAX_ERRORS
from bot.recovery import resume
from bot.store import kinds
from bot.store.base import Outcome
from bot.store.sqlite import SqliteStore
from channels.capabilities import Capabilities, LatencyClass, Streaming
from channels.events import MessageDeleted, MessageEdited, Sender
from providers.base import CompletionRequest, Credential, ModelSpec, Started, StreamEvent, TextDelta
from providers.errors import ErrorKind, ProviderError
from providers.fake import FakeProvider, Hang, Until, answer
from tests.story.inside import EDITS, Inside, address, inside, message
from tests.virtual_time import virtual_time

APPEND_ONLY = Capabilities(LatencyClass.SYNC, Streaming.NATIVE, replaceable=False)
WHOLE = Capabilities(LatencyClass.SYNC, Streaming.NONE)
HALF = (*answer("half an answer")[:2], Hang())


class SlowToClose(FakeProvider):
    """A stream of it is closed only once the test sets `closing`; then it raises `fault`, if there is one."""

    fault: Exception | None = None

    def __init__(self, *scripts: object) -> None:
        super().__init__("one", *scripts)  # type: ignore[arg-type]
        self.closing = asyncio.Event()

    @asynccontextmanager
    async def stream(
        self, model: ModelSpec, request: CompletionRequest, credential: Credential
    ) -> AsyncIterator[AsyncIterator[StreamEvent]]:
        async with super().stream(model, request, credential) as events:
            yield events
        await self.closing.wait()
        if self.fault is not None:
            raise self.fault


@contextlib.contextmanager
def slow_disk(world: Inside) -> Iterator[None]:
    """Nothing is written inside the block."""
    released = threading.Event()
    assert isinstance(world.app.store, SqliteStore)
    world.app.store.writer.add(kinds.CALL, lambda _: released.wait(10))
    try:
        yield
    finally:
        released.set()


async def refuse(world: Inside, table: str, condition: str) -> None:
    """From now on the disk takes no such rows."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute(
            f"CREATE TRIGGER no_{table} BEFORE INSERT ON {table} WHEN {condition} "
            "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )

    assert isinstance(world.app.store, SqliteStore)
    await world.app.store.writer.add(kinds.CALL, work)


async def until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.002)


def asked(provider: FakeProvider) -> list[str]:
    """The last line of every question."""
    return [each.request.messages[-1].text for each in provider.asked]


async def outcomes(world: Inside) -> list[Outcome]:
    return [row.outcome for row in await world.app.store.turns(None, 50)]


async def test_a_message_that_comes_while_the_end_is_being_shown_gets_its_own_answer(tmp_path: Path) -> None:
    provider = FakeProvider("one", answer("first"), answer("second"))
    async with inside(tmp_path, provider, WHOLE) as world:
        await world.say("/queue steer", 1)
        await world.quiet()
        world.channel.latency = 0.2
        await world.say("one", 2)
        await until(lambda: "send" in world.channel.in_flight)
        await world.say("two", 3)
        await world.quiet()
        assert world.channel.visible()[1:] == ["first", "second"]


async def test_a_new_message_that_joined_a_known_one_is_answered(tmp_path: Path) -> None:
    async with inside(
        tmp_path, FakeProvider("one", answer("first"), HALF, default=answer("second"))
    ) as world:
        await world.say("one", 1)
        await world.quiet()
        world.app.inbox.recent.forget(f"{world.account.scope} event 1")
        with slow_disk(world):
            copy = asyncio.create_task(world.say("one", 1))
            await world.provider.until_asked(2)
            new = asyncio.create_task(world.say("two", 2))
            await world.provider.asked[1].closed.wait()
        assert await copy
        assert await new
        await world.quiet()
        assert asked(world.provider)[-1] == "two"
        assert world.channel.visible() == ["first", "second"]
        assert await world.app.store.pending() == []


async def test_a_joined_message_that_cannot_be_kept_does_not_take_the_first_with_it(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", HALF, default=answer("first"))) as world:
        await refuse(world, "inbox", "NEW.event_key = 'event 2'")
        with slow_disk(world):
            first = asyncio.create_task(world.say("one", 1))
            await world.provider.until_asked(1)
            second = asyncio.create_task(world.say("two", 2))
            await world.provider.asked[0].closed.wait()
        assert await first
        assert not await second
        await world.quiet()
        assert world.channel.visible() == ["first"]
        assert asked(world.provider)[-1] == "one"


@pytest.mark.parametrize(("deleted", "left"), [("1", "two"), ("2", "one")])
async def test_deleting_one_of_two_joined_messages_leaves_the_other_answered(
    tmp_path: Path, deleted: str, left: str
) -> None:
    gate = asyncio.Event()
    wait = (Started(), Until(gate))
    async with inside(tmp_path, FakeProvider("one", wait, wait, default=answer("the rest"))) as world:
        await world.say("one", 1)
        await world.provider.until_asked(1)
        await world.say("two", 2)
        await world.provider.until_asked(2)
        await world.accept(MessageDeleted("deletion", deleted, address()))
        await world.quiet()
        assert world.channel.visible() == ["the rest"]
        assert asked(world.provider)[-1] == left
        assert sorted(await outcomes(world)) == [Outcome.DONE, Outcome.WITHDRAWN]
        history = await world.app.store.history(str(address().key), 1, 10)
        assert [row.text for row in history] == [left, "the rest"]
        assert await world.app.store.pending() == []


async def test_a_stop_is_not_forgotten_because_a_message_joined_before_it() -> None:
    interrupt = Interrupt()
    async with interrupt:
        interrupt.fire(StopReason.MERGED)
        interrupt.fire(StopReason.STOPPED)
        interrupt.fire(StopReason.EDITED)
        await asyncio.sleep(1)
    assert interrupt.reason is StopReason.STOPPED


async def test_an_interrupt_whose_scope_never_waited_harms_nothing_after_it() -> None:
    interrupt = Interrupt()
    interrupt.fire(StopReason.STOPPED)
    async with interrupt:
        pass
    await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_what_was_shown_meanwhile_and_cannot_be_taken_back_is_marked(tmp_path: Path) -> None:
    provider = SlowToClose((Started(), TextDelta("half an "), Hang()), answer("a whole answer"))
    async with inside(tmp_path, provider, APPEND_ONLY) as world:
        with slow_disk(world):
            first = asyncio.create_task(world.say("one", 1))
            await until(lambda: provider.asked and provider.asked[0].said == 2)
            second = asyncio.create_task(world.say("two", 2))
            await provider.asked[0].closed.wait()
        await until(world.channel.visible)
        provider.closing.set()
        assert await first
        assert await second
        await world.quiet()
        assert world.channel.violations == []
        assert world.channel.visible() == [f"half an \n\n{words.STOPPED}\n\na whole answer"]
        assert await world.app.store.pending() == []


async def test_a_correction_that_meets_the_beginning_of_a_second_life_marks_nothing_as_stopped(
    tmp_path: Path,
) -> None:
    """Nothing was said in this life that could have been stopped; what stands of the last one is gone on with."""
    async with inside(
        tmp_path, FakeProvider("one", (Started(), TextDelta("one "), Hang())), APPEND_ONLY
    ) as world:
        await world.say("one", 1)
        await until(lambda: any("one" in each for each in world.channel.visible()))
    async with inside(tmp_path, FakeProvider("one", default=answer("one whole")), APPEND_ONLY) as world:
        app = world.app
        assert await resume(app.store, app.accounts, app.inbox, app.clock, time.time) == 1
        said = message("one", 1)
        assert await world.accept(
            MessageEdited("edit", said.message_id, said.address, said.sender, "uno", said.sent_at)
        )
        await world.quiet()
        assert words.STOPPED not in "".join(world.channel.visible())


@virtual_time
async def test_a_fault_of_the_adapter_ends_one_turn_and_nothing_else(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", default=answer("hello")), is_virtual=True) as world:
        world.channel.fail_next("send", *[ZeroDivisionError()] * (MAX_ERRORS + 1))
        await world.say("one", 1)
        await world.app.lanes.idle.wait()
        await world.say("two", 2)
        await world.app.lanes.idle.wait()
        assert world.channel.visible() == ["hello"]
        assert await outcomes(world) == [Outcome.DONE]


async def test_the_end_does_not_wait_for_an_answer_that_the_channel_does_not_take(tmp_path: Path) -> None:
    async with asyncio.timeout(30):
        async with inside(tmp_path, FakeProvider("one", answer("hello")), WHOLE) as world:
            world.channel.latency = 1000
            await world.say("one", 1)
            await until(lambda: "send" in world.channel.in_flight)
    async with inside(tmp_path, FakeProvider("one")) as world:
        assert [each.message.text for each in await world.app.store.pending()] == ["one"]


async def test_a_copy_that_is_answered_before_the_disk_knows_it_is_no_part_of_the_history(
    tmp_path: Path,
) -> None:
    async with inside(tmp_path, FakeProvider("one", default=answer("hello"))) as world:
        await world.say("one", 1)
        await world.quiet()
        world.app.inbox.recent.forget(f"{world.account.scope} event 1")
        with slow_disk(world):
            copy = asyncio.create_task(world.say("one", 1))
            await world.provider.until_asked(2)
            await world.provider.asked[1].closed.wait()
        assert await copy
        await world.quiet()
        history = await world.app.store.history(str(address().key), 1, 10)
        assert [row.text for row in history] == ["one", "hello"]
        await world.say("two", 2)
        await world.quiet()
        assert [line.text for line in world.provider.asked[2].request.messages] == ["one", "hello", "two"]


async def test_a_copy_of_a_command_does_nothing(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", default=answer("hello"))) as world:
        await world.say("/new", 1)
        await world.quiet()
        await world.say("one", 2)
        await world.quiet()
        world.app.inbox.recent.forget(f"{world.account.scope} event 1")
        assert await world.say("/new", 1)
        await world.quiet()
        talk = await world.app.conversations.get(str(address().key))
        assert talk.state.session == 2
        assert len(world.channel.visible()) == 2


async def test_an_event_that_the_disk_refuses_is_offered_again(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", HALF)) as world:
        await world.say("one", 1)
        await refuse(world, "inbox", "1")
        edit = MessageEdited("edit", "1", address(), Sender("ann"), "other", message("x").sent_at)
        assert not await world.accept(edit)
        assert not await world.accept(MessageDeleted("deletion", "1", address()))
        world.app.lanes.stop(str(address().key), StopReason.STOPPED)
        await world.quiet()


async def test_a_copy_is_confirmed_only_when_the_first_is_kept(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", default=answer("hello"))) as world:
        await refuse(world, "inbox", "1")
        with slow_disk(world):
            both = asyncio.gather(world.say("one", 1), world.say("one", 1))
            await world.provider.until_asked(1)
        assert not any(await both)
        await world.quiet()
        assert world.channel.visible() == []


async def test_everything_that_was_taken_is_answered_after_a_restart(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", default=(Started(), Hang()))) as world:
        for number in range(1, 21):
            assert await world.say(f"question {number}", number)
        assert world.channel.visible() == []
    async with inside(tmp_path, FakeProvider("one")) as world:
        app = world.app
        assert await resume(app.store, app.accounts, app.inbox, app.clock, time.time) == 20
        await world.quiet()
        # The first three were being answered together, and still are.
        assert world.channel.visible() == [
            "question 1\nquestion 2\nquestion 3",
            *(f"question {number}" for number in range(4, 21)),
        ]


async def test_an_answer_that_was_shown_is_over_although_its_handle_is_not_kept(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", default=answer("hello"))) as world:
        await refuse(world, "conversation", "1")
        said = message("one", 1)
        await world.accept(replace(said, address=replace(said.address, handle="thread 7")))
        await world.quiet()
        assert world.channel.visible() == ["hello"]
        assert await outcomes(world) == [Outcome.DONE]


async def test_a_stop_asks_no_other_model_although_closing_the_first_fails(tmp_path: Path) -> None:
    first, second = SlowToClose(HALF), FakeProvider("two", answer("never"))
    first.closing.set()
    first.fault = ProviderError(ErrorKind.CONNECT)
    async with inside(tmp_path, first, EDITS, second=second) as world:
        await world.say("one", 1)
        await until(world.channel.visible)
        world.app.lanes.stop(str(address().key), StopReason.STOPPED)
        await world.quiet()
        assert second.asked == []
        assert await outcomes(world) == [Outcome.STOPPED]


async def test_while_nothing_can_be_kept_no_model_is_asked_in_vain(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", (Started(), Hang()), default=answer("here"))) as world:
        await refuse(world, "inbox", "NEW.event_key = 'event 1'")
        with slow_disk(world):
            first = asyncio.create_task(world.say("hi"))
            await world.provider.until_asked(1)
        assert not await first
        for _ in range(3):  # as its platform offers it again
            with slow_disk(world):
                again = asyncio.create_task(world.say("hi"))
                await asyncio.sleep(0.05)  # in which a model would be asked
            assert not await again
        await world.quiet()
        assert len(world.provider.asked) == 1
        assert world.channel.visible() == []
        assert isinstance(world.app.store, SqliteStore)
        await world.app.store.call(lambda connection: connection.execute("DROP TRIGGER no_inbox"))
        for _ in range(2):  # the second is a copy
            assert await world.say("hi")
            await world.quiet()
        assert world.channel.visible() == ["here"]
