"""A key's limits through the real app: mails leave people their share, and everybody goes where there is room."""

from __future__ import annotations

import json
from pathlib import Path

from bot.home import Home
from channels.capabilities import Capabilities, LatencyClass, Streaming
from providers.fake import FakeProvider, answer
from tests.story.inside import Inside, inside

MAIL = Capabilities(LatencyClass.BATCH, Streaming.NONE)
CHAT = Capabilities(LatencyClass.SYNC, Streaming.EDIT, typing_ttl=5.0)


def limited(folder: Path, **limits: int) -> Path:
    home = Home(folder)
    home.prepare()
    provider = {"baseUrl": "http://127.0.0.1:1/v1", "api": "openai-completions", "limits": limits}
    home.config.write_text(json.dumps({"models": {"providers": {"one": provider}, "detectLocal": False}}))
    return folder


async def said(world: Inside, number: int) -> str:
    await world.say(f"message {number}", number)
    await world.quiet()
    return world.channel.visible()[-1]


def model(name: str) -> FakeProvider:
    return FakeProvider(name, default=answer(name))


async def test_mails_beyond_their_share_go_to_the_next_model_and_why_says_so(tmp_path: Path) -> None:
    async with inside(limited(tmp_path, requestsPerMinute=4), model("one"), MAIL, two=model("two")) as world:
        assert [await said(world, number) for number in range(4)] == ["one", "one", "two", "two"]
        await world.say("/why", 9)
        await world.quiet()
        why = world.channel.visible()[-1]
        assert "the first choice has no room left now" in why
        assert "Passed over: one/m (limit)" in why


async def test_people_have_the_whole_of_a_limit_and_then_the_next_model(tmp_path: Path) -> None:
    async with inside(limited(tmp_path, requestsPerMinute=4), model("one"), CHAT, two=model("two")) as world:
        assert [await said(world, number) for number in range(5)] == ["one", "one", "one", "one", "two"]


async def test_with_one_model_a_person_is_never_turned_away_here(tmp_path: Path) -> None:
    async with inside(limited(tmp_path, requestsPerMinute=1), model("one"), CHAT) as world:
        assert [await said(world, number) for number in range(3)] == ["one", "one", "one"]
