"""What one turn has called for a question no other turn calls for it again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from channels.commands import Role
from channels.events import MessageDeleted, Sender
from providers.base import Started
from providers.fake import FakeProvider, Until, answer
from tests.story.inside import address, inside, message
from tests.story.test_tools import KNOWN, LOG, told
from tests.story.toolbox import Box, calling


async def test_a_call_that_a_turn_had_made_is_not_made_again_because_it_is_now_asked_about(
    tmp_path: Path,
) -> None:
    """Words stood already when the process died; what they rested on nobody knows, so the person is asked this time."""
    box = Box()
    async with inside(
        tmp_path, FakeProvider("one", calling(LOG, LOG), answer("x")), box=box, policy=KNOWN
    ) as world:
        turn = world.app.inbox._turn(world.account, message("log"), Role.GUEST)  # noqa: SLF001 - a turn, twice
        turn.committed.set_result(True)
        await world.app.inbox.dispatch(turn)
        await world.quiet()
    assert len(box.calls) == 2
    again, provider = Box(), FakeProvider("one", calling(LOG), answer("It is there."))
    async with inside(tmp_path, provider, box=again, policy=KNOWN) as world:
        resumed = world.app.inbox._turn(world.account, message("log", 2), Role.GUEST)  # noqa: SLF001 - as above
        resumed.turn_id, resumed.resumed_text = turn.turn_id, "Well"
        resumed.committed.set_result(True)
        await world.app.inbox.dispatch(resumed)
        await world.quiet()
        assert "notes__log" in world.channel.visible()[-1]
        await told(world, "/allow", 3)
        assert again.calls == []
        assert "made before" in provider.asked[1].request.messages[-1].text


@pytest.mark.parametrize("also", [False, True], ids=["the first", "both"])
async def test_what_was_called_for_joined_messages_is_not_called_again_when_the_first_is_deleted(
    tmp_path: Path, *, also: bool
) -> None:
    gate, box = asyncio.Event(), Box()
    wait = (Started(), Until(gate))
    steps = (wait, calling(LOG), wait, calling(LOG), answer("It is logged."))
    async with inside(tmp_path, FakeProvider("one", *steps), box=box, policy=KNOWN) as world:
        await world.say("one", 1)
        await world.provider.until_asked(1)
        await world.say("two", 2)
        await world.provider.until_asked(3)
        for number in ("2", "1") if also else ("1",):
            await world.accept(MessageDeleted(f"deletion {number}", number, address(), Sender("ann", "Ann")))
        await world.quiet()
        assert len(box.calls) == 1
        assert world.channel.visible() == ([] if also else ["It is logged."])
        assert await world.app.store.pending() == []
