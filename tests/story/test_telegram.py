"""Whole messages on Telegram: what a person sees, from the first word to the last."""

from __future__ import annotations

import pytest

from tests.channels.telegram.peer.client import Peer
from tests.mock_model.client import MockModel
from tests.story.conftest import ANN, BOB, GROUP, OWNER, STRANGER, Start, seen, speak

pytestmark = pytest.mark.slow  # each starts a real daemon, about a second


async def test_a_question_is_answered_as_the_model_said_it(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script(default={"text": "Forty-two, with **bold** words."})
    await start()
    await peer.say(ANN, "what is it?")
    message = await seen(peer, ANN, "Forty-two")
    assert message["text"] == "Forty-two, with bold words."
    asked = mock_model.chats()[0]["body"]["messages"]
    assert asked[-1] == {"role": "user", "content": "what is it?"}
    assert asked[0]["role"] == "system"


async def test_typing_shows_while_the_model_thinks_and_text_while_it_speaks(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script(
        {"match": "think", "hold": "thought"},
        default={"tokens": ["First ", "then ", "last."], "hold": "go", "hold_after": 2},
    )
    await start()
    await peer.say(BOB, "think first")
    await peer.wait(method="sendChatAction", chat=BOB, count=1)
    assert await peer.texts(BOB) == []
    await peer.say(ANN, "tell me")
    await peer.wait(chat=ANN, draft="First")
    assert await peer.texts(ANN) == []
    mock_model.release("go")
    await peer.wait(chat=ANN, contains="First then last.")
    assert await peer.texts(ANN) == ["First then last."]


async def test_in_a_group_one_message_grows_by_edits(start: Start, peer: Peer, mock_model: MockModel) -> None:
    mock_model.script(default={"tokens": ["First ", "then ", "last."], "hold": "go", "hold_after": 1})
    await start()
    await speak(peer, GROUP, "hello", ANN)
    await peer.wait(chat=GROUP, contains="First")
    mock_model.release("go")
    await peer.wait(chat=GROUP, contains="First then last.")
    assert await peer.texts(GROUP) == ["First then last."]


async def test_two_people_are_answered_at_the_same_time(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script({"match": "slow", "text": "late", "hold": "go"}, default={"text": "soon"})
    await start()
    await peer.say(ANN, "slow please")
    await mock_model.wait("arrived", count=1)
    await peer.say(BOB, "quick please")
    await peer.wait(chat=BOB, contains="soon")
    mock_model.release("go")
    await peer.wait(chat=ANN, contains="late")


async def test_what_was_said_before_is_part_of_the_next_question(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script(default={"text": "I will remember."})
    await start()
    await peer.say(ANN, "my name is Ann")
    await peer.wait(chat=ANN, contains="remember")
    await peer.say(ANN, "who am I?")
    await mock_model.wait("arrived", count=2)
    said = [message["content"] for message in mock_model.chats()[1]["body"]["messages"]]
    assert said[1:] == ["my name is Ann", "I will remember.", "who am I?"]


async def test_a_rate_limited_model_gives_way_to_the_next_unseen(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script(
        {"model": "m", "status": 429, "headers": {"Retry-After": "30"}}, default={"text": "from the other"}
    )
    daemon = await start(
        {"agents": {"defaults": {"model": {"primary": "mock/m", "fallbacks": ["mock/slow"]}}}}
    )
    await peer.say(ANN, "hi")
    await peer.wait(chat=ANN, contains="from the other")
    assert [each["body"]["model"] for each in mock_model.chats()] == ["m", "slow"]
    await peer.say(ANN, "again")
    await peer.wait(chat=ANN, count=2)
    assert mock_model.chats()[2]["body"]["model"] == "slow"
    await daemon.kept("turn WHERE outcome = 'done'", 2)  # /why tells of what is over
    await peer.say(ANN, "/why")
    why = await seen(peer, ANN, "Passed over: mock/m")
    assert "resting" in why["text"]


async def test_a_silent_model_gives_way_within_the_first_token_deadline(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script({"model": "m", "fault": "silent"}, default={"text": "from the other"})
    await start({"agents": {"defaults": {"model": {"primary": "mock/m", "fallbacks": ["mock/slow"]}}}})
    await peer.say(ANN, "hi")
    await peer.wait(chat=ANN, contains="from the other", timeout=15)


async def test_a_chosen_model_answers_and_stays_chosen_over_a_restart(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script({"model": "slow", "text": "deep thought"}, default={"text": "quick thought"})
    daemon = await start()
    await peer.say(ANN, "/model deep")
    await peer.wait(chat=ANN, contains="deep (mock/slow) answers here")
    await peer.say(ANN, "hm?")
    await peer.wait(chat=ANN, contains="deep thought")
    assert await daemon.stop() == 0
    await daemon.start()
    await peer.say(ANN, "/fast and now?")
    await peer.wait(chat=ANN, contains="quick thought")
    await peer.say(ANN, "and after that?")
    await mock_model.wait("arrived", count=3)
    assert [each["body"]["model"] for each in mock_model.chats()] == ["slow", "m", "slow"]
    assert mock_model.chats()[1]["body"]["messages"][-1]["content"] == "and now?"


async def test_stop_ends_the_running_answer_and_marks_it(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script(default={"tokens": ["Once ", "upon ", "a time"], "hold": "go", "hold_after": 2})
    await start()
    await peer.say(ANN, "a story")
    await peer.wait(chat=ANN, draft="Once")
    await peer.say(ANN, "/stop")
    message = await seen(peer, ANN, "(stopped)")
    assert message["text"].startswith("Once")
    await mock_model.wait("closed_early", count=1)


async def test_a_second_line_at_once_is_answered_together_with_the_first(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script({"match": "second", "text": "to both"}, default={"text": "to one", "hold": "go"})
    await start()
    await peer.say(ANN, "first line")
    await mock_model.wait("arrived", count=1)
    await peer.say(ANN, "second line")
    await peer.wait(chat=ANN, contains="to both")
    assert await peer.texts(ANN) == ["to both"]
    assert mock_model.chats()[-1]["body"]["messages"][-1]["content"] == "first line\nsecond line"
    await mock_model.wait("closed_early", count=1)


async def test_an_edited_question_is_answered_anew(start: Start, peer: Peer, mock_model: MockModel) -> None:
    mock_model.script(
        {"match": "cats", "text": "about cats"}, default={"tokens": ["about ", "dogs"], "hold": "go"}
    )
    await start()
    said = await peer.say(ANN, "dogs")
    await mock_model.wait("arrived", count=1)
    await peer.edit(ANN, said["message_id"], "cats")
    await peer.wait(chat=ANN, contains="about cats")
    assert await peer.texts(ANN) == ["about cats"]


async def test_a_stranger_is_told_once_how_to_be_let_in(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    await start()
    await peer.say(STRANGER, "let me in")
    note = await seen(peer, STRANGER, str(STRANGER))
    assert "firstword pairing approve" in note["text"]
    await peer.say(STRANGER, "please")
    await peer.say(ANN, "hi")
    await peer.wait(chat=ANN, contains="word")
    assert len(await peer.texts(STRANGER)) == 1
    assert len(mock_model.chats()) == 1


async def test_a_group_is_answered_only_when_it_is_listed_and_speaks_to_us(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    await start()
    await peer.say(GROUP, "just chatting", user=ANN)
    await speak(peer, -2002, "hi", ANN)
    await speak(peer, GROUP, "hi", BOB)
    await peer.wait(chat=GROUP, contains="word")
    assert len(mock_model.chats()) == 1
    assert await peer.texts(-2002) == []


async def test_an_owner_learns_the_id_of_a_group_that_is_not_listed(start: Start, peer: Peer) -> None:
    await start()
    await speak(peer, -2002, "hi", OWNER)
    await peer.wait(chat=-2002, contains="-2002")


async def test_a_long_answer_comes_in_whole_parts_that_fit(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    lines = [f"line {number} of a very long program" for number in range(300)]
    mock_model.script(default={"text": "```python\n" + "\n".join(lines) + "\n```\nthe end"})
    await start(rich="off")
    await peer.say(ANN, "write much")
    await peer.wait(chat=ANN, contains="the end", timeout=20)
    texts = await peer.texts(ANN)
    assert len(texts) > 1
    seen = "\n".join(texts)
    assert [line for line in lines if line not in seen] == []


async def test_commands_are_answered_while_an_answer_runs(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script(default={"text": "late", "hold": "go"})
    await start()
    await peer.say(ANN, "think long")
    await mock_model.wait("arrived", count=1)
    await peer.say(ANN, "/ping")
    await peer.wait(chat=ANN, contains="pong")
    await peer.say(ANN, "/whoami")
    await peer.wait(chat=ANN, contains=f"You are {ANN} (member)")
    mock_model.release("go")
    await peer.wait(chat=ANN, contains="late")


async def test_retry_asks_the_last_question_again(start: Start, peer: Peer, mock_model: MockModel) -> None:
    mock_model.script({"text": "first try", "times": 1}, default={"text": "second try"})
    await start()
    await peer.say(ANN, "the question")
    await peer.wait(chat=ANN, contains="first try")
    await peer.say(ANN, "/retry")
    await peer.wait(chat=ANN, contains="second try")
    assert mock_model.chats()[1]["body"]["messages"][-1]["content"] == "the question"


async def test_new_forgets_what_was_said(start: Start, peer: Peer, mock_model: MockModel) -> None:
    await start()
    await peer.say(ANN, "a secret")
    await peer.wait(chat=ANN, contains="word")
    await peer.say(ANN, "/new")
    await peer.wait(chat=ANN, contains="A new conversation begins")
    await peer.say(ANN, "what did I say?")
    await mock_model.wait("arrived", count=2)
    said = [message["content"] for message in mock_model.chats()[1]["body"]["messages"]]
    assert "a secret" not in said


async def test_a_flood_limit_delays_edits_and_never_the_whole_answer(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script(default={"tokens": [f"w{number} " for number in range(60)] + ["end"], "gap": 0.02})
    await start()
    await peer.fault("editMessageText", times=2, status=429, retry_after=1)
    await speak(peer, GROUP, "go", ANN)
    await peer.wait(chat=GROUP, contains="end", timeout=30)
    texts = await peer.texts(GROUP)
    assert len(texts) == 1
    assert texts[0].split() == [f"w{number}" for number in range(60)] + ["end"]


async def test_the_log_says_which_account_a_line_is_about(start: Start, peer: Peer) -> None:
    daemon = await start()
    await peer.fault("getUpdates", times=1, status=502)
    await peer.say(ANN, "hello")
    await daemon.logged("poll failed")
    line = next(line for line in daemon.log.splitlines() if "poll failed" in line)
    assert '"account":"main"' in line


async def test_nothing_secret_stands_in_the_log(start: Start, peer: Peer) -> None:
    daemon = await start()
    await peer.say(ANN, "hello")
    await peer.wait(chat=ANN, contains="word")
    await peer.fault("getUpdates", times=1, status=502)
    await peer.say(ANN, "hello again")
    await daemon.kept("turn WHERE outcome = 'done'", 2)
    await daemon.logged("turn finished")
    await daemon.logged("poll failed")  # its address holds the token
    for secret in (peer.token, peer.token.partition(":")[2], "hello again"):
        assert secret not in daemon.log
        assert secret not in "".join(daemon.lines)


async def test_the_button_under_a_preview_stops_the_answer_and_the_one_under_it_repeats_it(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script(default={"tokens": ["Half an answer ", "and the rest."], "hold": "go", "hold_after": 1})
    await start()
    await peer.say(ANN, "tell me")
    await peer.wait(chat=ANN, draft="Half an answer")
    await peer.control("stop_draft", chat=ANN)
    message = await seen(peer, ANN, "Half an answer")
    assert "and the rest" not in message["text"] and (await peer.chat(ANN))["drafts"] == {}
    [[button]] = message["markup"]["inline_keyboard"]
    mock_model.release("go")
    mock_model.script(default={"text": "A whole answer."})
    press = await peer.press(ANN, message["id"], button["callback_data"])
    await peer.wait(answered=press)
    again = await seen(peer, ANN, "A whole answer.")
    assert again["markup"]["inline_keyboard"] == [[button]]


async def test_an_album_is_one_question(start: Start, peer: Peer, mock_model: MockModel) -> None:
    mock_model.script(default={"text": "Two pictures."})
    await start()
    for name in ("one", "two"):
        await peer.file(name, b"\x89PNG\r\n\x1a\n")
    await peer.album(ANN, "g", ["one", "two"], caption="what are these?")
    await peer.wait(chat=ANN, contains="Two pictures.")
    (answer,) = await peer.texts(ANN)
    assert answer.startswith("Two pictures.")
    assert "no model here takes pictures" in answer  # said, since the one that answers sees none
    assert len(mock_model.chats()) == 1
