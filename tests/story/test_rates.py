"""Too many messages through the real app: who is held back, what they read, what is kept, and who never is."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.access import Policy
from bot.home import Home
from bot.machine import MACHINE
from channels.events import MessageEdited, Pressed, Sender
from providers.fake import FakeProvider, Hang, Until, answer
from tests.story.inside import EPOCH, Inside, address, inside, message
from tests.virtual_time import virtual_time

OPEN = Policy(allow=frozenset({"*"}), owners=frozenset({"olga"}))
SAID = datetime(2026, 11, 21, tzinfo=UTC)
THREE = {"perSender": {"perMinute": 3}}


def limited(folder: Path, limits: object) -> Path:
    home = Home(folder)
    home.prepare()
    home.config.write_text(json.dumps({"limits": limits}))
    return folder


def talker(count: int = 20) -> FakeProvider:
    return FakeProvider("m", *(answer(f"answer {number}") for number in range(count)))


def everything_in(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in folder.rglob("*.db*"))


async def said(world: Inside, text: str, number: int, sender: str = "ann") -> list[str]:
    """What can be read once somebody said it and all is quiet."""
    assert await world.say(text, number, sender=sender), "it is confirmed, so that it does not come again"
    await world.quiet()
    return world.channel.visible()


async def test_what_is_too_much_is_refused_with_one_line_and_leaves_its_key_alone(tmp_path: Path) -> None:
    async with inside(limited(tmp_path, THREE), talker(), policy=OPEN) as world:
        for number in range(3):
            await said(world, f"question {number}", number)
        shown = await said(world, "the secret that was too much", 3)
        assert "too many you have sent" in shown[-1]
        assert "write again in" in shown[-1]
        assert await said(world, "and another secret", 4) == shown, "it is said once a minute"
        assert len(world.provider.asked) == 3
        assert "question 9" not in str(await said(world, "question 9", 9, sender="bob"))
        assert len(world.provider.asked) == 4, "somebody else is heard"
    kept = everything_in(tmp_path)
    assert b"question 0" in kept
    assert b"secret" not in kept


async def test_what_was_refused_is_not_answered_when_it_comes_again_after_a_restart(tmp_path: Path) -> None:
    async with inside(limited(tmp_path, {"perSender": {"perMinute": 1}}), talker(), policy=OPEN) as world:
        await said(world, "one", 1)
        await said(world, "two", 2)
    async with inside(tmp_path, talker(), policy=OPEN) as world:
        assert (
            await said(world, "two", 2) == []
        )  # a model may be asked while the store looks, and is not heard


@pytest.mark.parametrize("text", ["/stop", "/cancel", "/abort", "stop", "Cancel"])
async def test_whoever_said_too_much_may_still_stop_the_answer(tmp_path: Path, text: str) -> None:
    provider = FakeProvider("m", (Hang(),))
    async with inside(limited(tmp_path, {"perSender": {"perMinute": 1}}), provider, policy=OPEN) as world:
        await world.say("a long question", 1)
        await world.say("one more", 2)
        await world.say(text, 3)
        await world.quiet()
        assert "(stopped)" in " ".join(world.channel.visible())


async def test_the_button_that_stops_always_does(tmp_path: Path) -> None:
    provider = FakeProvider("m", (Hang(),))
    async with inside(limited(tmp_path, {"perSender": {"perMinute": 1}}), provider, policy=OPEN) as world:
        await world.say("a long question", 1)
        for number in range(3):
            await world.accept(Pressed(f"press {number}", "1", address(), Sender("ann"), "retry"))
        await world.accept(Pressed("press stop", "1", address(), Sender("ann"), "stop"))
        await world.quiet()
        assert "(stopped)" in " ".join(world.channel.visible())


async def test_an_owner_is_never_held_back_and_uses_up_nobody_s_room(tmp_path: Path) -> None:
    limits = {"perSender": {"perMinute": 2}, "perConversation": {"perMinute": 2}}
    async with inside(limited(tmp_path, limits), talker(), policy=OPEN) as world:
        for number in range(5):
            await said(world, f"question {number}", number, sender="olga")
        assert len(world.provider.asked) == 5
        await said(world, "hello", 6, sender="ann")
        assert len(world.provider.asked) == 6
        shown = await said(world, "hello", 7, sender="ann")
        shown = await said(world, "hello", 8, sender="bob")
        assert "too many were written here" in shown[-1]


async def test_corrections_count_for_they_ask_again(tmp_path: Path) -> None:
    release = asyncio.Event()
    provider = FakeProvider("m", *((Until(release), *answer("an answer")) for _ in range(9)))
    async with inside(limited(tmp_path, THREE), provider, policy=OPEN) as world:
        await world.say("first", 1)
        for number in range(5):
            text = f"corrected {number}"
            edited = MessageEdited(f"edit {number}", "1", address(), Sender("ann"), text, SAID)
            await world.accept(edited)
        release.set()
        await world.quiet()
        asked = str(world.provider.asked[-1])
        assert "corrected 1" in asked, "two corrections were in order"
        assert "corrected 4" not in str(world.provider.asked)


async def test_what_only_looks_like_a_stop_is_counted(tmp_path: Path) -> None:
    """Neither a correction nor a forwarded message stops anything, so each is one more question."""
    release = asyncio.Event()
    provider = FakeProvider("m", *((Until(release), *answer("an answer")) for _ in range(9)))
    async with inside(limited(tmp_path, THREE), provider, policy=OPEN) as world:
        await world.say("first", 1)
        for number in range(4):
            text = f"/stop {number}"
            await world.accept(MessageEdited(f"edit {number}", "1", address(), Sender("ann"), text, SAID))
        release.set()
        await world.quiet()
        assert "/stop 1" in str(provider.asked[-1].request)
        for number in range(2, 5):
            await world.accept(replace(message("/stop", number, sender="bob"), quotes=True))
            await world.quiet()
        before = len(provider.asked)
        await world.accept(replace(message("/stop", 5, sender="bob"), quotes=True))
        await world.quiet()
        assert len(provider.asked) == before
        assert "too many you have sent" in world.channel.visible()[-1]


async def test_the_day_s_messages_count_on_after_a_restart(tmp_path: Path) -> None:
    limits = {"perSender": {"perMinute": 20, "perDay": 2}}
    late_morning = replace(MACHINE, wall=lambda: EPOCH)  # as no day lasts long enough for sure
    async with inside(limited(tmp_path, limits), talker(), policy=OPEN, machine=late_morning) as world:
        await said(world, "one", 1)
        await said(world, "two", 2)
    async with inside(tmp_path, talker(), policy=OPEN, machine=late_morning) as world:
        shown = await said(world, "three", 3)
        assert world.provider.asked == []
        assert "write again in 13 hours" in shown[-1]


@virtual_time
async def test_what_the_disk_did_not_take_is_not_counted_when_it_comes_again(tmp_path: Path) -> None:
    limits = {"perSender": {"perMinute": 3, "perDay": 9}}
    async with inside(limited(tmp_path, limits), talker(), policy=OPEN, is_virtual=True) as world:
        with closing(sqlite3.connect(world.app.home.database, isolation_level=None)) as other:
            other.execute("CREATE TRIGGER full BEFORE INSERT ON inbox BEGIN SELECT RAISE(ABORT, 'full'); END")
            for _ in range(50):
                assert not await world.say("is it kept?", 1), "it is offered again"
                await asyncio.sleep(1.0)
            other.execute("DROP TRIGGER full")
        assert len(await said(world, "is it kept?", 1)) == 1
        shown = await said(world, "and this?", 2)
        assert len(shown) == 2 and all(each.startswith("answer") for each in shown)
