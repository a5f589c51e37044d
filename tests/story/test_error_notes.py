"""What people see when there is no answer: words, a sign, nothing; and words at most once a minute in a chat."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from bot import words
from bot.access import Policy
from bot.accounts import Errors, Manner
from bot.store.base import Outcome
from channels.capabilities import Capabilities, Surface
from channels.events import Address
from providers.errors import ErrorKind, ProviderError
from providers.fake import FakeProvider, answer, cut
from tests.story.inside import EDITS, Inside, address, inside, message
from tests.story.test_connections import counted
from tests.virtual_time import virtual_time

DOWN = (ProviderError(ErrorKind.CONNECT),)
SIGNS = replace(EDITS, signs=True)
OPEN = Policy(allow=frozenset({"*"}), groups=frozenset({"*"}))
GROUP = replace(address("group"), surface=Surface.GROUP)


async def ask(world: Inside, number: int, *, in_group: bool = False) -> None:
    """Somebody asks, and it is over."""
    said = message("hi", number)
    await world.accept(replace(said, address=GROUP) if in_group else said)
    await world.app.lanes.idle.wait()


async def _ended(world: Inside) -> list[Outcome]:
    return [row.outcome for row in await world.app.store.turns(None, 20)]


@virtual_time
async def test_a_group_that_wants_silence_sees_nothing_and_direct_chats_are_told(tmp_path: Path) -> None:
    before = counted("firstword_failures_told_total", manner="silent")
    async with inside(
        tmp_path, FakeProvider("one", default=DOWN), SIGNS, policy=OPEN, is_virtual=True
    ) as world:
        world.account.errors = Errors(groups=Manner.SILENT)
        await ask(world, 1, in_group=True)
        assert world.channel.visible(GROUP) == []
        assert world.channel.signs == {}
        await ask(world, 2)
        (told,) = world.channel.visible(address())
        assert "it cannot be reached" in told
        assert await _ended(world) == [Outcome.FAILED, Outcome.FAILED]
        assert counted("firstword_failures_told_total", manner="silent") == before + 1
        # It is known all the same: /why tells of it, and the conversation remembers it.
        lines = await world.app.store.history(str(GROUP.key), 1, 5)
        assert [line.outcome for line in lines][-1] is Outcome.FAILED
        assert "it cannot be reached" in lines[-1].text


@virtual_time
async def test_a_sign_stands_on_the_message_where_the_channel_has_signs(tmp_path: Path) -> None:
    async def told(folder: Path, capabilities: Capabilities) -> tuple[list[str], dict[str, list[str]]]:
        async with inside(
            folder, FakeProvider("one", default=DOWN), capabilities, policy=OPEN, is_virtual=True
        ) as world:
            world.account.errors = Errors(groups=Manner.REACTION)
            await ask(world, 7, in_group=True)
            return world.channel.visible(GROUP), world.channel.signs

    assert await told(tmp_path / "signs", SIGNS) == ([], {"7": [words.SIGN]})
    assert await told(tmp_path / "none", EDITS) == ([], {})


@virtual_time
async def test_a_chat_is_told_in_words_once_a_minute_and_by_a_sign_between(tmp_path: Path) -> None:
    async with inside(
        tmp_path, FakeProvider("one", default=DOWN), SIGNS, policy=OPEN, is_virtual=True
    ) as world:
        for number in range(1, 4):
            await ask(world, number)
            await asyncio.sleep(5.0)
        assert len(world.channel.visible(address())) == 1
        assert world.channel.signs == {"2": [words.SIGN], "3": [words.SIGN]}
        await ask(world, 4, in_group=True)
        assert len(world.channel.visible(GROUP)) == 1  # another chat
        await asyncio.sleep(60.0)
        await ask(world, 5)
        assert len(world.channel.visible(address())) == 2


@virtual_time
async def test_the_threads_of_a_chat_are_one_chat(tmp_path: Path) -> None:
    """Where each question opens a thread, one failure after the other would fill the channel all the same."""
    async with inside(
        tmp_path, FakeProvider("one", default=DOWN), SIGNS, policy=OPEN, is_virtual=True
    ) as world:
        for number in range(1, 4):
            key = replace(GROUP.key, thread=str(number))
            said = replace(message("hi", number), address=Address(key, Surface.THREAD))
            await world.accept(said)
            await world.app.lanes.idle.wait()
        assert len(world.channel.visible()) == 1
        assert world.channel.signs == {"2": [words.SIGN], "3": [words.SIGN]}


@virtual_time
async def test_the_end_of_an_answer_that_broke_off_always_stands(tmp_path: Path) -> None:
    half = cut("This is half of", ProviderError(ErrorKind.INCOMPLETE))
    async with inside(
        tmp_path, FakeProvider("one", half, default=DOWN), SIGNS, policy=OPEN, is_virtual=True
    ) as world:
        world.account.errors = Errors(Manner.SILENT, Manner.SILENT)
        await ask(world, 1)
        assert world.channel.visible(address()) == [f"This is half of\n\n{words.CUT}"]


@virtual_time
async def test_what_only_tells_of_the_question_is_an_answer(tmp_path: Path) -> None:
    async with inside(
        tmp_path, FakeProvider("one", answer("")), SIGNS, policy=OPEN, is_virtual=True
    ) as world:
        world.account.errors = Errors(Manner.SILENT, Manner.SILENT)
        await ask(world, 1)
        assert world.channel.visible(address()) == [words.EMPTY]


@virtual_time
async def test_a_sign_that_cannot_be_put_does_no_harm(tmp_path: Path) -> None:
    async with inside(
        tmp_path, FakeProvider("one", DOWN, DOWN, answer("hello")), SIGNS, policy=OPEN, is_virtual=True
    ) as world:
        world.account.errors = Errors(Manner.REACTION, Manner.REACTION)
        world.channel.fail_next("sign", ZeroDivisionError())
        await ask(world, 1)
        await asyncio.sleep(120.0)
        await ask(world, 2)
        assert world.channel.visible(address()) == ["hello"]
