"""Whole messages through the real app, over every way in which a channel can show an answer."""

from __future__ import annotations

import asyncio
import gc
import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot import words
from bot.access import Policy
from bot.patience import MAX_ERRORS
from bot.store.base import Outcome
from channels.capabilities import Capabilities, LatencyClass, SendKey, Streaming, Surface
from channels.errors import Gone, GoneWhat
from channels.events import MessageDeleted, MessageEdited, Pressed, Sender, TypingStarted
from providers.base import Role, Started, TextDelta
from providers.errors import ErrorKind, ProviderError
from providers.fake import FakeProvider, Hang, Until, answer, cut
from routing.tasks import tasks
from tests.story.inside import Inside, address, inside, message
from tests.story.toolbox import Box, calling
from tests.virtual_time import virtual_time

ANSWER = "First a paragraph.\n\n- a point\n- another\n\nThe **end**."


def limited(streaming: Streaming, **more: object) -> Capabilities:
    return Capabilities(LatencyClass.SYNC, streaming, deletes=True, typing_ttl=5.0, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "capabilities",
    [
        limited(Streaming.NONE),
        limited(Streaming.BLOCK),
        limited(Streaming.EDIT),
        limited(Streaming.NATIVE),
        limited(Streaming.NATIVE, preview=True),
        limited(Streaming.NATIVE, replaceable=False),
        limited(Streaming.EDIT, send_key=SendKey.KEY, durable=False),
    ],
    ids=["none", "block", "edit", "native", "preview", "append-only", "not durable"],
)
async def test_an_answer_arrives_whole_however_it_is_shown(
    tmp_path: Path, capabilities: Capabilities
) -> None:
    async with inside(tmp_path, FakeProvider("one", answer(ANSWER)), capabilities) as world:
        await world.say("a question")
        await world.quiet()
        shown = "\n\n".join(world.channel.visible())
        assert [line for line in ANSWER.split("\n") if line not in shown] == []
        assert world.channel.violations == []
        rows = await world.app.store.turns(None, 10)
        assert [row.outcome for row in rows] == [Outcome.DONE]


async def test_the_model_is_asked_once_for_a_message_that_comes_twice(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", answer("hello"))) as world:
        assert await world.say("hi", key="same")
        assert await world.say("hi", key="same")
        await world.quiet()
        assert world.channel.visible() == ["hello"]
        assert len(world.provider.asked) == 1


async def test_a_copy_that_only_the_store_remembers_shows_nothing(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", answer("hello"))) as world:
        await world.say("hi", key="same")
        await world.quiet()
        world.app.inbox.recent.forget(f"{world.account.scope} same")
        assert await world.say("hi", key="same")
        await world.quiet()
        assert world.channel.visible() == ["hello"]


async def test_a_deleted_question_takes_its_answer_away(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", (*answer("half an answer")[:2], Hang()))) as world:
        await world.say("hi")
        await until_visible(world, "half")
        await world.accept(MessageDeleted("deletion", "1", address()))
        await world.quiet()
        assert world.channel.visible() == []
        assert world.provider.asked[0].closed.is_set()
        rows = await world.app.store.turns(None, 10)
        assert [row.outcome for row in rows] == [Outcome.WITHDRAWN]


async def test_an_edited_question_is_answered_anew_in_the_same_message(tmp_path: Path) -> None:
    provider = FakeProvider("one", (*answer("about dogs")[:2], Hang()), answer("about cats"))
    async with inside(tmp_path, provider) as world:
        await world.say("dogs")
        await until_visible(world, "about")
        edit = MessageEdited("edit", "1", address(), Sender("ann"), "cats", message("x").sent_at)
        await world.accept(edit)
        await world.quiet()
        assert world.channel.visible() == ["about cats"]
        assert len(world.channel.messages) == 1
        assert provider.asked[1].request.messages[-1].text == "cats"


async def test_an_edited_question_to_another_model_stays_without_its_command(tmp_path: Path) -> None:
    provider = FakeProvider("one", (*answer("about dogs")[:2], Hang()), answer("about cats"))
    async with inside(tmp_path, provider) as world:
        await world.say("/fast dogs")
        await until_visible(world, "about")
        for number, text in enumerate(("/fast dogs", "/fast cats")):
            edit = MessageEdited(f"edit {number}", "1", address(), Sender("ann"), text, message("x").sent_at)
            await world.accept(edit)
        await world.quiet()
        assert [each.request.messages[-1].text for each in provider.asked] == ["dogs", "cats"]


async def test_an_edit_of_an_answered_question_is_left_alone(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", answer("hello"))) as world:
        await world.say("hi")
        await world.quiet()
        edit = MessageEdited("edit", "1", address(), Sender("ann"), "other", message("x").sent_at)
        assert await world.accept(edit)
        await world.quiet()
        assert len(world.provider.asked) == 1


async def test_a_button_does_what_its_command_does(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", (*answer("half an answer")[:2], Hang()))) as world:
        await world.say("hi")
        await until_visible(world, "half")
        await world.accept(Pressed("press", "9", address(), Sender("ann"), "stop"))
        await world.quiet()
        assert any("(stopped)" in text for text in world.channel.visible())


async def test_the_bubble_is_filled_anew_when_a_model_breaks_off(tmp_path: Path) -> None:
    broken = cut("half an", ProviderError(ErrorKind.STALL))
    first, second = FakeProvider("one", broken), FakeProvider("two", answer("a whole answer"))
    first.models = (FakeProvider.spec("m", "one", profile=type(first.models[0].profile)()),)
    second.models = (FakeProvider.spec("m", "two", profile=type(first.models[0].profile)()),)
    async with inside(tmp_path, first, second=second) as world:
        await world.say("hi")
        await world.quiet()
        assert world.channel.visible() == ["a whole answer"]
        assert len(world.channel.messages) == 1


async def test_a_cut_answer_is_marked_where_it_cannot_be_taken_back(tmp_path: Path) -> None:
    gate = asyncio.Event()
    broken = (Started(), TextDelta("half an"), Until(gate), ProviderError(ErrorKind.STALL))
    first, second = FakeProvider("one", broken), FakeProvider("two", answer("never"))
    plain = type(first.models[0].profile)()
    first.models = (FakeProvider.spec("m", "one", profile=plain),)
    second.models = (FakeProvider.spec("m", "two", profile=plain),)
    async with inside(tmp_path, first, limited(Streaming.NATIVE, replaceable=False), second=second) as world:
        await world.say("hi")
        await until_visible(world, "half an")
        gate.set()
        await world.quiet()
        assert "broke off" in world.channel.visible()[0]
        rows = await world.app.store.turns(None, 10)
        assert [row.outcome for row in rows] == [Outcome.CUT]
        assert second.asked == []


async def test_a_conversation_that_is_gone_ends_the_turn(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", answer("hello"))) as world:
        world.channel.fail_next("send", Gone(GoneWhat.CONVERSATION, "blocked"))
        await world.say("hi")
        await world.quiet()
        rows = await world.app.store.turns(None, 10)
        assert [row.outcome for row in rows] == [Outcome.UNDELIVERABLE]


@virtual_time
async def test_a_turn_that_fails_on_our_side_is_tried_again_then_set_aside_with_one_note(
    tmp_path: Path,
) -> None:
    class Broken(FakeProvider):
        tries = 0

        def stream(self, *_: object, **__: object) -> object:  # type: ignore[override]
            self.tries += 1
            raise ZeroDivisionError

    provider = Broken("one")
    async with inside(tmp_path, provider, is_virtual=True) as world:
        await world.say("hi")
        await world.app.lanes.idle.wait()
        assert provider.tries == MAX_ERRORS
        assert world.channel.now() < 10.0  # a person waits for so long without a word
        assert world.channel.visible() == [words.POISONED]
        await world.say("/ping", 2)
        await world.app.lanes.idle.wait()
        assert "pong" in world.channel.visible()[1]


@virtual_time
async def test_a_fault_of_ours_that_passes_is_not_noticed(tmp_path: Path) -> None:
    class Twice(FakeProvider):
        tries = 0

        def stream(self, *args: Any, **more: Any) -> Any:
            self.tries += 1
            if self.tries <= 2:
                raise ZeroDivisionError
            return super().stream(*args, **more)

    async with inside(tmp_path, Twice("one", answer("hello")), is_virtual=True) as world:
        await world.say("hi")
        await world.app.lanes.idle.wait()
        assert world.channel.visible() == ["hello"]
        assert [row.outcome for row in await world.app.store.turns(None, 5)] == [Outcome.DONE]


@virtual_time
async def test_what_changed_the_world_is_not_done_again_after_a_fault_of_ours(tmp_path: Path) -> None:
    class Once(FakeProvider):
        def stream(self, *args: Any, **more: Any) -> Any:
            if not self.scripts:
                raise ZeroDivisionError
            return super().stream(*args, **more)

    box = Box()
    provider = Once("one", calling(("notes__log", "{}")))
    policy = Policy(allow=frozenset({"ann"}))
    async with inside(tmp_path, provider, box=box, policy=policy, is_virtual=True) as world:
        await world.say("hi")
        await world.app.lanes.idle.wait()
        assert len(box.calls) == 1
        assert world.channel.visible() == [words.BROKEN]


async def test_the_small_line_tells_model_reason_and_first_word(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", answer("hello"))) as world:
        await world.say("hi")
        await world.quiet()
        note = world.channel.messages[0].note
        assert note is not None
        assert note.model == "one/m"
        assert note.reason == "default"
        assert note.first_visible is not None


async def test_the_status_tells_of_a_model_s_last_answer_and_not_of_a_command_s(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", answer(ANSWER))) as world:
        for number, text in enumerate(("a question", "/help", "/status"), 1):
            await world.say(text, number)
            await world.quiet()
        (line,) = [row for row in world.channel.visible()[-1].splitlines() if row.startswith("Last answer")]
        assert "first token" in line


async def test_usage_puts_its_line_under_each_answer(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", answer("hello"))) as world:
        await world.say("/usage full", 1)
        await world.quiet()
        await world.say("hi", 2)
        await world.quiet()
        assert "one/m" in world.channel.visible()[1]
        history = await world.app.store.history(str(address().key), 1, 10)
        assert history[0].text == "hi"


async def test_typing_begins_warms_the_first_model(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one")) as world:
        await world.accept(TypingStarted("typing", "", address(), Sender("ann")))
        await world.accept(TypingStarted("typing 2", "", address(), Sender("ann")))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert world.provider.warmed == 1


async def test_a_message_of_a_megabyte_is_refused_in_words(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one")) as world:
        await world.say("x" * 1_000_000)
        await world.quiet()
        assert "1,000,000 characters" in world.channel.visible()[0]
        assert world.provider.asked == []


@pytest.mark.parametrize("text", ["", "   ", "\x00", "\u200b\u202e"])
async def test_a_message_of_nothing_gets_a_word(tmp_path: Path, text: str) -> None:
    async with inside(tmp_path, FakeProvider("one", default=answer("hello"))) as world:
        await world.say(text)
        await world.quiet()
        assert len(world.channel.visible()) == 1


async def test_broken_characters_do_no_harm(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", answer("ok \ud800 \x00 end"))) as world:
        await world.say("lone \ud83d surrogate")
        await world.quiet()
        assert world.channel.visible()[0].startswith("ok")
        world.provider.asked[0].request.messages[-1].text.encode()


async def test_an_answer_that_ends_after_a_new_beginning_is_not_part_of_it(tmp_path: Path) -> None:
    gate = asyncio.Event()
    late = (*answer("an old answer")[:2], Until(gate), *answer("an old answer")[2:])
    async with inside(tmp_path, FakeProvider("one", late, answer("afresh"))) as world:
        await world.say("an old question", 1)
        await until_visible(world, "an")
        await world.say("/new", 2)
        await until_visible(world, "A new conversation begins")
        gate.set()
        await world.quiet()
        await world.say("a new question", 3)
        await world.quiet()
        said = [each.text for each in world.provider.asked[1].request.messages]
        assert said == ["a new question"]


async def test_a_message_leaves_no_rings_of_objects_for_the_collector(tmp_path: Path) -> None:
    policy = replace(Inside.everybody(), stops_loops=False)
    provider = FakeProvider("one", default=answer("some words and an end"))
    async with inside(tmp_path, provider, policy=policy) as world:
        for number in range(10):
            await world.say("hi", number, sender=f"person {number}")
            await world.quiet()
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            for number in range(10, 30):
                await world.say("hi", number, sender=f"person {number}")
                await world.quiet()
            gc.collect()
            ours = ("bot.", "channels.", "routing.", "providers.")
            left = [type(each).__qualname__ for each in gc.garbage if type(each).__module__.startswith(ours)]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
        assert len(provider.asked) == 30  # else nothing was answered, and nothing could be left
        assert left == []


async def test_the_first_question_needs_no_descriptor_of_its_own(tmp_path: Path) -> None:
    tasks.cache_clear()
    async with inside(tmp_path, FakeProvider("one", default=answer("some words"))) as world:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
        try:
            await world.say("hi", 1)
            await world.quiet()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert world.channel.visible() == ["some words"]


async def until_visible(world: Inside, text: str) -> None:
    async with asyncio.timeout(30):
        while not any(text in shown for shown in world.channel.visible()):
            await asyncio.sleep(0.005)


async def test_a_question_by_command_tells_the_model_who_said_what_in_the_group(tmp_path: Path) -> None:
    policy = Policy(allow=frozenset({"*"}), groups=frozenset({"room"}))
    async with inside(tmp_path, FakeProvider("one", default=answer("hello")), policy=policy) as world:
        group = replace(address(), surface=Surface.GROUP)
        await world.accept(replace(message("who is on duty?", 1, sender="ann"), address=group))
        await world.quiet()
        command = replace(address(), surface=Surface.COMMAND, is_shared=True)
        await world.accept(replace(message("/fast and tomorrow?", 2, sender="bob"), address=command))
        await world.quiet()
        said = [each.text for each in world.provider.asked[-1].request.messages if each.role is Role.USER]
        assert said == ["Ann: who is on duty?", "Bob: and tomorrow?"]
