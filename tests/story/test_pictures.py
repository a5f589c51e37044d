"""A photo reaches a model that can see, and one that cannot is told in words."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.bot.media.files import PNG
from tests.channels.telegram.peer.client import Peer
from tests.mock_model.client import MockModel
from tests.story.conftest import ANN, Start

pytestmark = pytest.mark.slow  # each starts a real daemon, about a second

PHOTO = {
    "photo": [{"file_id": "seen", "file_unique_id": "u", "width": 9, "height": 9}],
    "caption": "what is this?",
}


def provider(mock_model: MockModel, takes: list[str]) -> dict[str, Any]:
    models = [{"id": "m", "contextWindow": 32000, "maxTokens": 2000, "input": takes}]
    return {
        "models": {
            "providers": {
                "mock": {"baseUrl": mock_model.base_url, "api": "openai-completions", "models": models}
            }
        },
        "agents": {"defaults": {"model": {"primary": "mock/m"}}},
    }


async def test_a_photo_goes_to_a_model_that_can_see(start: Start, peer: Peer, mock_model: MockModel) -> None:
    await peer.file("seen", PNG)
    await start(provider(mock_model, ["text", "image"]))
    await peer.say(ANN, extra=PHOTO)
    await peer.wait(chat=ANN, contains="word")
    text, picture = mock_model.chats()[0]["body"]["messages"][-1]["content"]
    assert "what is this?" in text["text"]
    data = picture["image_url"]["url"].partition("base64,")[2]
    assert base64.b64decode(data) == PNG


async def test_a_model_without_eyes_is_told_of_the_photo(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    await start(provider(mock_model, ["text"]))
    await peer.say(ANN, extra=PHOTO)
    await peer.wait(chat=ANN, contains="word")
    asked = mock_model.chats()[0]["body"]["messages"][-1]["content"]
    assert asked.startswith("what is this?")
    assert "[attached image" in asked


async def test_a_photo_that_cannot_be_fetched_is_named_and_the_question_is_answered(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    await start(provider(mock_model, ["text", "image"]))
    await peer.say(ANN, extra=PHOTO)
    await peer.wait(chat=ANN, contains="word")
    assert "[attached image" in mock_model.chats()[0]["body"]["messages"][-1]["content"]
