"""Bad input from people and models: a clear word or a counted drop, never silence and never a stuck lane."""

from __future__ import annotations

from typing import Any

import pytest

from tests.channels.telegram.peer.client import Peer
from tests.mock_model.client import MockModel
from tests.story.conftest import ANN, BOB, OWNER, Start, seen

pytestmark = pytest.mark.slow  # each starts a real daemon, about a second


async def still_answers(peer: Peer, mock_model: MockModel, chat: int = ANN) -> None:
    """The lane is free: the next question is answered."""
    mock_model.script(default={"text": "all is well"})
    await peer.say(chat, "still there?")
    await peer.wait(chat=chat, contains="all is well", timeout=20)


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ({"tokens": []}, "answered with nothing"),
        ({"tokens": [], "reasoning": "hm, hm, hm"}, "thought about it but said nothing"),
        ({"status": 500}, "its server failed"),
        ({"status": 401}, "no valid key is set for it"),
        ({"status": 400}, "did not accept the request"),
        ({"status": 404}, "no longer has this model"),
        ({"status": 429, "headers": {"Retry-After": "60"}}, "rate limit is reached"),
        ({"fault": "error_event"}, "mock/m"),
        ({"fault": "eof"}, "broke off"),
        ({"fault": "garbage"}, "no answer"),
        ({"fault": "refuse"}, "mock/m"),
        ({"finish": "content_filter", "tokens": []}, "content filter"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_model_that_fails_is_named_with_its_reason(
    start: Start, peer: Peer, mock_model: MockModel, behaviour: dict[str, Any], said: str
) -> None:
    mock_model.script(default=behaviour)
    await start()
    await peer.say(ANN, "hi")
    message = await seen(peer, ANN, timeout=20)
    assert said.lower() in message["text"].lower()


async def test_what_mends_a_model_is_told_to_owners_alone(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script(default={"status": 401})
    daemon = await start()
    for number, who in enumerate((ANN, OWNER), 1):
        await peer.say(who, "hi")
        await peer.wait(chat=who, contains="no valid key is set for it")
        await daemon.kept("turn WHERE outcome = 'failed'", number)  # /why tells of what is over
        await peer.say(who, "/why")
        await peer.wait(chat=who, contains="Cost: ")
        await peer.say(who, "/status")
        await peer.wait(chat=who, contains="Running: ")
    todo = "firstword models auth paste-token --provider mock"
    assert [text for text in await peer.texts(ANN) if "firstword" in text] == []
    assert len([text for text in await peer.texts(OWNER) if todo in text]) == 2


@pytest.mark.parametrize("fault", ["reset", "drop", "eof", "error_event", "garbage", "half_character"])
async def test_a_broken_answer_is_never_shown_as_whole(
    start: Start, peer: Peer, mock_model: MockModel, fault: str
) -> None:
    mock_model.script(default={"tokens": ["half ", "an ", "answer"], "fault": fault, "after": 2, "gap": 0.05})
    await start()
    await peer.say(ANN, "hi")
    message = await seen(peer, ANN, timeout=30)
    assert "half an answer" not in message["text"]
    assert "broke off" in message["text"] or "No answer" in message["text"]
    await still_answers(peer, mock_model)


async def test_a_model_that_never_ends_can_be_stopped(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script(default={"fault": "endless", "gap": 0.01})
    await start()
    await peer.say(ANN, "go on")
    await peer.wait(chat=ANN, draft="word0")
    await peer.say(ANN, "stop")
    await peer.wait(chat=ANN, contains="(stopped)", timeout=20)
    await still_answers(peer, mock_model)


@pytest.mark.parametrize(
    "text", ["\x00\x01 nul", "\u202eevil\u2066 bidi", "\ufffd" * 10, "\u200b", "/model", "/nonsense"]
)
async def test_odd_text_gets_an_answer(start: Start, peer: Peer, mock_model: MockModel, text: str) -> None:
    await start()
    await peer.say(ANN, text)
    await peer.wait(chat=ANN, count=1)
    await still_answers(peer, mock_model)


async def test_junk_updates_are_dropped_and_counted_and_do_not_block(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    daemon = await start()
    await peer.update("no_such_kind", {"anything": [1, 2, {"x": None}]})
    await peer.update("message", {"message_id": "not a number"})
    await peer.update("message", {})
    await peer.update("callback_query", {"id": "1", "from": {"id": ANN}})
    await still_answers(peer, mock_model)
    assert await daemon.metric("firstword_signals_total", channel="telegram", signal="event_malformed") == 2


async def test_the_same_update_twice_is_answered_once(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    await start()
    said = await peer.say(ANN, "hello")
    await peer.wait(chat=ANN, contains="word")
    await peer.update("message", said["payload"])
    await still_answers(peer, mock_model)
    assert len(mock_model.chats()) == 2


async def test_too_many_waiting_messages_get_an_honest_word(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script(default={"text": "at last", "hold": "go"})
    await start()
    await peer.say(BOB, "/queue queue")
    await peer.wait(chat=BOB, count=1)
    for number in range(30):
        await peer.say(BOB, f"/fast question {number}")
    await peer.wait(chat=BOB, contains="Too many messages", timeout=20)
    mock_model.release("go")
