"""On each of the four channels a stranger is told a code, has no other effect, and is let in by the code."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.pairing import LENGTH
from tests.mock_model.client import MockModel
from tests.story.places import PLACES, Place
from tests.story.running import config, daemon

# Each starts a daemon and a server of the channel, one to three seconds.
pytestmark = [pytest.mark.slow, pytest.mark.parametrize("channel", PLACES)]

CODE = re.compile(rf"\b[A-Z2-9]{{{LENGTH}}}\b")


async def seen(place: Place, is_right: Callable[[str], bool]) -> str:
    """All that the bot says there, once it is right."""
    async with asyncio.timeout(30):
        while not is_right(said := "\n".join(await place.visible())):
            await asyncio.sleep(0.02)  # a person looks again; a screen tells nobody that it changes
    return said


async def test_a_stranger_is_let_in_by_their_code(
    channel: str, tmp_path: Path, mock_model: MockModel, request: pytest.FixtureRequest
) -> None:
    mock_model.script(default={"text": "hello yourself"})
    async with PLACES[channel](request.getfixturevalue) as place:
        account = {key: value for key, value in place.account.items() if key != "allow"}
        settings = config(mock_model.base_url, **{channel: {"accounts": {"main": account}}})
        async with daemon(tmp_path / "home", settings) as running:
            await place.person.say("hello")
            told = await seen(place, lambda said: CODE.search(said) is not None)
            # Not a word of theirs has an effect, and nothing more is said to them within the hour.
            await place.person.say(f"{place.mark}model fast")
            await place.person.say("stop")
            await place.give("pair")
            await seen(place, lambda said: len(CODE.findall(said)) >= 4)
            assert mock_model.chats() == []
            found = CODE.search(told)
            assert found is not None
            assert len(await place.person.seen()) == 2
            approved = await running.ask("pairing.approve", code=found[0], notify=True)
            assert approved["person"].startswith(f"{channel}:main:")
            await seen(place, lambda said: "You are let in" in said)
            await place.person.say("and now?")
            await seen(place, lambda said: "hello yourself" in said)
            assert len(mock_model.chats()) == 1
