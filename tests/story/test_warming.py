"""What is done while somebody types: connections are opened, prompt caches filled where the owner wants it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bot.settings import Warming
from bot.warming import PROMPT_EVERY, is_wanted, warm_local
from channels.capabilities import Surface
from channels.events import TypingStarted
from providers.base import CompletionRequest, Credential, ModelSpec, Role, Usage
from providers.fake import FakeProvider, answer
from tests.story.inside import Inside, address, inside, message


class WarmProvider(FakeProvider):
    """A local model that can fill its prompt cache."""

    def __init__(self, *scripts: object, is_local: bool = True) -> None:
        super().__init__("one", *scripts, models=(replace(FakeProvider.spec("m", "one"), is_local=is_local),))  # type: ignore[arg-type]
        self.prompts: list[CompletionRequest] = []

    async def warm_prompt(
        self, model: ModelSpec, request: CompletionRequest, credential: Credential
    ) -> Usage:
        """Note the request."""
        self.prompts.append(request)
        return Usage(input_tokens=10)


@dataclass
class Typing:
    """Somebody begins to type, as often as wanted."""

    world: Inside
    number: int = field(default=0)

    async def __call__(self, surface: Surface = Surface.DIRECT) -> None:
        self.number += 1
        where = replace(address(), surface=surface)
        event = TypingStarted(f"t{self.number}", "", where, message("x").sender)
        await self.world.accept(event)
        await self.world.settled()


async def test_a_local_model_reads_the_conversation_while_somebody_types(tmp_path: Path) -> None:
    provider = WarmProvider(answer("hello"))
    async with inside(tmp_path, provider) as world:
        typing = Typing(world)
        await typing()
        await typing()
        assert len(provider.prompts) == 1  # it is warm already
        assert provider.warmed == 1
        await world.say("hi")
        await world.quiet()
        first = provider.prompts[0].messages
        assert provider.asked[0].request.messages[: len(first)] == first
        await typing()
        assert len(provider.prompts) == 1  # it was asked just now


async def test_what_is_warmed_is_the_beginning_of_the_next_request(tmp_path: Path) -> None:
    async with inside(tmp_path, WarmProvider(answer("hello"))) as world:
        await world.say("hi")
        await world.quiet()
    provider = WarmProvider(answer("again"))
    async with inside(tmp_path, provider) as world:
        talk = await world.app.conversations.get(str(address().key))
        talk.lines[:] = [replace(row, at=row.at - PROMPT_EVERY) for row in talk.lines]
        await Typing(world)()
        await world.say("and?", 2)
        await world.quiet()
        (warmed,) = provider.prompts
        assert [each.role for each in warmed.messages] == [Role.USER, Role.ASSISTANT]
        assert warmed.stable == 2
        assert provider.asked[0].request.messages[:2] == warmed.messages


async def test_nobody_is_billed_for_prompts_that_the_owner_did_not_ask_for(tmp_path: Path) -> None:
    provider = WarmProvider(is_local=False)
    async with inside(tmp_path, provider) as world:
        await Typing(world)()
        assert (provider.prompts, provider.warmed) == ([], 1)


async def test_in_a_group_only_the_connection_is_opened(tmp_path: Path) -> None:
    provider = WarmProvider()
    policy = replace(Inside.everybody(), groups=frozenset({"*"}))
    async with inside(tmp_path, provider, policy=policy) as world:
        await Typing(world)(Surface.GROUP)
        assert (provider.prompts, provider.warmed) == ([], 1)


@pytest.mark.parametrize(
    ("wish", "is_local", "is_direct", "since", "expected"),
    [
        (Warming.OFF, True, True, None, False),
        (Warming.LOCAL, True, True, None, True),
        (Warming.LOCAL, False, True, None, False),
        (Warming.ALL, False, True, None, True),
        (Warming.ALL, False, False, None, False),
        (Warming.ALL, False, True, PROMPT_EVERY - 1, False),
        (Warming.ALL, False, True, PROMPT_EVERY, True),
    ],
)
def test_whose_cache_is_filled(
    wish: Warming, is_local: bool, is_direct: bool, since: float | None, expected: bool
) -> None:
    assert is_wanted(wish, is_local=is_local, is_direct=is_direct, since=since) is expected


@pytest.mark.parametrize(("is_local", "warmed"), [(True, 1), (False, 0)])
async def test_a_model_on_this_machine_is_loaded_at_the_start(
    tmp_path: Path, is_local: bool, warmed: int
) -> None:
    provider = WarmProvider(is_local=is_local)
    async with inside(tmp_path, provider) as world:
        await warm_local(world.app.models)
        assert provider.warmed == warmed


class Faulty(WarmProvider):
    """A stranger's adapter, which raises where it promised not to."""

    async def warm(self) -> None:
        """It fails."""
        raise ZeroDivisionError

    async def warm_prompt(
        self, model: ModelSpec, request: CompletionRequest, credential: Credential
    ) -> Usage:
        """So does this."""
        self.prompts.append(request)
        raise ZeroDivisionError


async def test_a_fault_while_something_is_made_ready_ends_nothing_else(tmp_path: Path) -> None:
    provider = Faulty(answer("hello"))
    async with inside(tmp_path, provider) as world:
        await Typing(world)()
        assert len(provider.prompts) == 1
        await warm_local(world.app.models)
        await world.say("hi")
        await world.quiet()
        assert world.channel.visible() == ["hello"]
