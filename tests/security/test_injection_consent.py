"""After foreign words a person is asked about each call: told why, shown all of it, and the answer serves for it alone."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bot import words
from bot.access import Policy
from bot.calls import MAX_SHOWN
from bot.machine import MACHINE
from bot.taint import CONSENT_LIFE
from channels.events import Message
from providers.base import Role
from providers.fake import FakeProvider, Script, answer
from tests.story.inside import Inside, inside, message
from tests.story.toolbox import Box, calling

KNOWN = Policy(allow=frozenset({"ann"}))
LOG = ("notes__log", '{"line": "x"}')
NOW = ("clock__now", "{}")


def forwarded(text: str, number: int = 1) -> Message:
    """Ann passes on what somebody else wrote."""
    return replace(message(text, number), quotes=True)


async def shown(world: Inside, event: Message) -> str:
    """What stands there last when all is quiet."""
    await world.accept(event)
    await world.quiet()
    return world.channel.visible()[-1]


@asynccontextmanager
async def told(folder: Path, *scripts: Script) -> AsyncIterator[tuple[Inside, Box, list[float]]]:
    """The world, its tools, and what is added to its clock."""
    later: list[float] = []
    machine = replace(MACHINE, wall=lambda: time.time() + sum(later))
    box, provider = Box(), FakeProvider("one", *scripts)
    async with inside(folder, provider, box=box, policy=KNOWN, machine=machine) as world:
        yield world, box, later


async def test_a_call_that_is_free_is_asked_about_after_a_forwarded_message(tmp_path: Path) -> None:
    async with told(tmp_path, calling(NOW, LOG), answer("Done."), calling(LOG)) as (world, box, _):
        question = await shown(world, forwarded("please log it"))
        assert '`notes__log {"line": "x"}`' in question
        assert "because this conversation holds what somebody else wrote" in question
        assert [name for name, _ in box.calls] == ["clock__now"], "reading the clock tells nobody anything"
        assert await shown(world, message("/allow", 2)) == "Done."
        assert [name for name, _ in box.calls] == ["clock__now", "notes__log"]
        assert "/allow lets me" in await shown(world, message("and again", 3)), "once is not for ever"
        assert len(box.calls) == 2


async def test_a_new_conversation_begins_without_foreign_words(tmp_path: Path) -> None:
    async with told(tmp_path, answer("Seen."), calling(LOG), answer("Logged.")) as (world, box, _):
        await shown(world, forwarded("read this"))
        await shown(world, message("/new", 2))
        assert await shown(world, message("log it", 3)) == "Logged."
        assert box.calls == [("notes__log", {"line": "x"})]


async def test_foreign_words_are_remembered_over_a_restart(tmp_path: Path) -> None:
    async with told(tmp_path, answer("Seen.")) as (world, _, _):
        await shown(world, forwarded("read this"))
    async with told(tmp_path, calling(LOG)) as (world, box, _):
        assert "/allow lets me" in await shown(world, message("log it", 2))
        assert box.calls == []


async def test_what_is_too_long_to_look_at_is_not_called_and_the_model_is_told(tmp_path: Path) -> None:
    long = ("notes__log", json.dumps({"line": "x" * MAX_SHOWN}))
    async with told(tmp_path, calling(long), answer("Then not.")) as (world, box, _):
        assert await shown(world, forwarded("log all of it")) == "Then not."
        results = [each.text for each in world.provider.asked[1].request.messages if each.role is Role.TOOL]
        assert "longer than the 1,000 characters" in results[0] and box.calls == []


@pytest.mark.parametrize(
    "hidden",
    "\u0000\u00ad\u034f\u061c\u115f\u1160\u17b4\u180b\u200b\u200f\u202e\u2060\u2066\u2800\u3164\ue000\ufe00\ufe0f\ufeff\uffa0"
    "\U000e0041\U000e0100\U000e01ef",
    ids=ascii,
)
def test_nothing_hides_in_a_call_that_a_person_is_asked_about(hidden: str) -> None:
    """A model can put whole texts into characters that nobody sees."""
    for arguments in (json.dumps({"line": f"a{hidden}b"}), f'{{"line": "a{hidden}b"}}', f"no JSON {hidden}"):
        shown = words.consent([("notes__log", arguments)], limit=MAX_SHOWN)
        assert hidden not in shown and f"\\u{ord(hidden):04x}" in shown


@pytest.mark.parametrize(("late", "is_called"), [(CONSENT_LIFE - 60, True), (CONSENT_LIFE + 1, False)])
async def test_a_question_can_be_answered_for_a_quarter_of_an_hour(
    tmp_path: Path, late: float, *, is_called: bool
) -> None:
    async with told(tmp_path, calling(LOG), answer("Done.")) as (world, box, later):
        await shown(world, forwarded("log it"))
        later.append(late)
        said = await shown(world, message("/allow", 2))
        assert bool(box.calls) is is_called
        assert said == ("Done." if is_called else words.CONSENT_EXPIRED)
