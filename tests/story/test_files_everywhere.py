"""A file reaches the model from each of the four channels, over that channel's own way of giving files out."""

from __future__ import annotations

import pytest

from channels.conformance_peers import AttachingPeer
from tests.bot.media.files import PNG, pdf
from tests.mock_model.client import MockModel
from tests.story.places import PLACES
from tests.story.test_channels import Start, start, until_holds

__all__ = ["start"]

# Each starts a daemon and a server of the channel, one to three seconds.
pytestmark = [pytest.mark.slow, pytest.mark.parametrize("channel", PLACES)]


async def test_a_document_is_read_wherever_it_is_sent(
    channel: str, start: Start, mock_model: MockModel
) -> None:
    mock_model.script(default={"text": "seven hundred it is"})
    _, place = await start()
    assert isinstance(place.person, AttachingPeer)
    await place.person.attach("contract.pdf", "application/pdf", pdf(["The rent is 700."]))
    await until_holds(place, "seven hundred it is")
    (asked,) = mock_model.chats()
    question = asked["body"]["messages"][-1]["content"]
    assert "[attached file: contract.pdf (a PDF, 1 page). " in question
    assert "```\nThe rent is 700.\n```" in question


async def test_a_picture_that_no_model_can_see_is_said_wherever_it_is_sent(
    channel: str, start: Start, mock_model: MockModel
) -> None:
    mock_model.script(default={"text": "I see nothing"})
    _, place = await start()
    assert isinstance(place.person, AttachingPeer)
    await place.person.attach("cat.png", "image/png", PNG)
    await until_holds(place, "I could not read cat.png: no model here takes pictures.")
