"""A program's request inside the daemon: its words are no commands, and whose tools are called."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from bot.access import Policy
from channels.events import Message
from channels.programs import Asked, Said, ToolOffer
from providers.fake import FakeProvider, answer
from tests.story.inside import Inside, inside, message
from tests.story.toolbox import Box, calling

NOW = ("clock__now", "{}")
KNOWN = Policy(allow=frozenset({"ann"}))


def asked(text: str, number: int = 1, **more: object) -> Message:
    """What a program asks."""
    return replace(message(text, number), asked=replace(Asked((Said("user", text),)), **more))  # type: ignore[arg-type]


async def told(world: Inside, event: Message) -> str:
    """What stands there when all is quiet."""
    assert await world.accept(event)
    await world.quiet()
    return world.channel.visible()[-1]


async def test_a_programs_text_is_never_a_command(tmp_path: Path) -> None:
    provider = FakeProvider("one", *(answer(f"answer {number}") for number in range(4)))
    async with inside(tmp_path, provider) as world:
        for number, text in enumerate(("/help", "stop", "/model deep", "/retry")):
            assert await told(world, asked(text, number)) == f"answer {number}"
        assert [each.request.messages[-1].text for each in provider.asked] == [
            "/help",
            "stop",
            "/model deep",
            "/retry",
        ]
        assert all(len(each.request.messages) == 1 for each in provider.asked)  # nor remembered


async def test_a_name_that_nobody_has_fails_the_request(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", answer("no"))) as world:
        assert "No model is called" in await told(world, asked("hello", model="nobody"))


async def test_our_tools_are_called_only_for_accounts_that_say_so(tmp_path: Path) -> None:
    box = Box()
    provider = FakeProvider("one", answer("plain"), calling(NOW, text="Let me look."), answer("It is noon."))
    async with inside(tmp_path, provider, box=box, policy=KNOWN) as world:
        assert await told(world, asked("time?")) == "plain"
        assert provider.asked[0].request.tools == ()
        assert await told(world, asked("time?", 2, uses_our_tools=True)) == "Let me look.\n\nIt is noon."
        assert [name for name, _ in box.calls] == ["clock__now"]
        offered = {tool.name for tool in provider.asked[1].request.tools}
        assert "clock__now" in offered and "notes__write" not in offered  # nobody is there to allow it


async def test_a_programs_own_tools_are_never_called_here(tmp_path: Path) -> None:
    box = Box()
    tools = (ToolOffer("clock__now", "", {"type": "object"}),)
    provider = FakeProvider("one", calling(NOW, text="Let me look."))
    async with inside(tmp_path, provider, box=box, policy=KNOWN) as world:
        text = await told(world, asked("time?", tools=tools, uses_our_tools=True))
        assert (text, box.calls, len(provider.asked)) == ("Let me look.", [], 1)


async def test_requests_that_come_together_are_answered_apart(tmp_path: Path) -> None:
    provider = FakeProvider("one", answer("first"), answer("second"))
    async with inside(tmp_path, provider) as world:
        await asyncio.gather(*(world.accept(asked(text, number)) for number, text in enumerate("ab")))
        await world.quiet()
        assert [each.request.messages[-1].text for each in provider.asked] == ["a", "b"]


async def test_a_kind_of_work_decides_who_answers_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    one, two = FakeProvider("one", default=answer("one")), FakeProvider("two", default=answer("two"))
    async with inside(tmp_path, one, two=two) as world:
        assert await told(world, asked("sort these", 1, task="classification")) == "one"
        assert await told(world, asked("think", 2, task="reasoning")) == "two"
        assert await told(world, asked("think", 3, task="reasoning", model="fast")) == "one"
        assert "Allowed: extraction, reasoning, volume, classification." in await told(
            world, asked("think", 4, task="magic")
        )
