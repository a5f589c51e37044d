"""The rollout and what people say of answers, with a daemon of its own process and Telegram's wire."""

from __future__ import annotations

import signal

import pytest

from routing.replay import replay
from tests.channels.telegram.peer.client import Peer
from tests.mock_model.client import MockModel
from tests.story.conftest import ANN, OWNER, Start, seen

pytestmark = pytest.mark.slow  # each starts a real daemon, about a second


async def test_a_thumb_down_stands_in_why_and_with_the_record(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script(default={"text": "Forty-two."})
    daemon = await start()
    await peer.say(ANN, "what is it?")
    said = await seen(peer, ANN, "Forty-two")
    await daemon.kept("history", 2)  # the turn is over; nobody reacts faster than that
    await peer.control("react", chat=ANN, message_id=said["id"], old=[], new=["👎"])
    await daemon.kept("turn WHERE detail LIKE '%feedback%'", 1)
    await peer.say(ANN, "/why")
    card = await seen(peer, ANN, "You said: bad")
    assert "Of that: before asking" in card["text"]
    (turn,) = await daemon.ask("decisions", limit=1)
    assert list(turn["feedback"].values()) == ["bad"]
    assert replay(turn["decision"]).is_same


async def test_the_switch_holds_over_a_kill(start: Start, peer: Peer, mock_model: MockModel) -> None:
    mock_model.script(default={"text": "Forty-two."})
    daemon = await start()
    await peer.say(OWNER, "/rollout off")
    await seen(peer, OWNER, "off: models are asked as the settings list them")
    daemon.send(signal.SIGKILL)
    await daemon.ended()
    daemon = await start()
    assert (await daemon.ask("rollout"))["stage"] == "off"
    await peer.say(ANN, "hi")
    await seen(peer, ANN, "Forty-two")
    await daemon.kept("turn WHERE detail LIKE '%decision%'", 1)  # shown first, recorded after
    (turn,) = await daemon.ask("decisions", limit=1)
    assert turn["decision"]["case"]["policy"] == "static"
