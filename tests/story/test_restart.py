"""Kills, stops and starts: nothing lost, nothing doubled, half an answer goes on in the same message."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from bot import words
from tests.channels.telegram.peer.client import Peer
from tests.mock_model.client import MockModel
from tests.story.conftest import ANN, BOB, GROUP, Start, seen, speak
from tests.story.running import Daemon

pytestmark = pytest.mark.slow  # each starts a real daemon at least twice


async def until(daemon: Daemon, method: str, holds: Callable[[Any], bool]) -> None:
    """Ask the daemon until its answer is so."""
    async with asyncio.timeout(30):
        while not holds(await daemon.ask(method)):
            await asyncio.sleep(0.01)


WORDS = [f"word{number} " for number in range(12)]


async def test_half_an_answer_goes_on_in_the_same_message_after_a_kill(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script(
        {"tokens": WORDS, "hold": "never", "hold_after": 6, "times": 1}, default={"tokens": WORDS}
    )
    daemon = await start()
    await speak(peer, GROUP, "tell me", ANN)
    half = await seen(peer, GROUP, "word0")
    await daemon.kept("part", 1)
    born = await daemon.metric("process_start_time_seconds")
    await daemon.kill()
    await daemon.start()
    whole = await seen(peer, GROUP, "word11")
    assert whole["id"] == half["id"]
    assert len(await peer.texts(GROUP)) == 1
    assert await daemon.metric("process_start_time_seconds") > born


async def test_a_draft_that_died_with_the_process_becomes_one_answer(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script(
        {"tokens": WORDS, "hold": "never", "hold_after": 6, "times": 1}, default={"tokens": WORDS}
    )
    daemon = await start()
    await peer.say(ANN, "tell me")
    await peer.wait(chat=ANN, draft="word0")
    await daemon.kill()
    await daemon.start()
    await peer.wait(chat=ANN, contains="word11")
    assert len(await peer.texts(ANN)) == 1


async def test_messages_that_waited_when_the_process_died_are_answered_in_order(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script({"match": "one", "hold": "never", "times": 1})
    daemon = await start()
    await peer.say(BOB, "/queue queue")
    await peer.wait(chat=BOB, count=1)
    await peer.say(BOB, "number one")
    await mock_model.wait("arrived", count=1)
    await asyncio.sleep(1.6)  # beyond the time in which a second line joins the first
    await peer.say(BOB, "number two")
    last = await peer.say(BOB, "number three")
    await until(daemon, "status", lambda status: status["waiting"] == 2)
    await peer.wait(
        confirmed=last["update_id"]
    )  # else it comes once more, and a model is asked before that is known
    await daemon.kill()
    await daemon.start()
    await mock_model.wait("arrived", count=4)
    asked = [each["body"]["messages"][-1]["content"] for each in mock_model.chats()[1:]]
    assert asked == ["number one", "number two", "number three"]


async def test_a_finished_answer_is_not_given_again_after_a_restart(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    daemon = await start()
    await peer.say(ANN, "hello")
    await peer.wait(chat=ANN, contains="word")
    await peer.say(ANN, "/status")
    await peer.wait(chat=ANN, contains="Firstword")
    await until(daemon, "turns", lambda rows: len(rows) == 2)
    await daemon.kill()
    await daemon.start()
    await peer.say(ANN, "/ping")
    await peer.wait(chat=ANN, contains="pong")
    assert len(mock_model.chats()) == 1
    assert len(await peer.texts(ANN)) == 3


async def test_a_stop_lets_the_running_answer_end(start: Start, peer: Peer, mock_model: MockModel) -> None:
    mock_model.script(default={"tokens": WORDS, "hold": "go", "hold_after": 3})
    daemon = await start()
    await peer.say(ANN, "tell me")
    await peer.wait(chat=ANN, draft="word0")
    daemon.send(signal.SIGTERM)
    mock_model.release("go")
    assert await daemon.ended() == 0
    assert [text.split()[-1] for text in await peer.texts(ANN)] == ["word11"]


async def test_a_second_stop_ends_at_once_and_the_answer_goes_on_at_the_next_start(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script(
        {"tokens": WORDS, "hold": "never", "hold_after": 3, "times": 1}, default={"tokens": WORDS}
    )
    daemon = await start()
    await speak(peer, GROUP, "tell me", ANN)
    half = await seen(peer, GROUP, "word0")
    daemon.send(signal.SIGTERM)
    await daemon.logged("draining")
    daemon.send(signal.SIGTERM)
    assert await daemon.ended() == 0
    await daemon.start()
    whole = await seen(peer, GROUP, "word11")
    assert whole["id"] == half["id"]
    assert len(await peer.texts(GROUP)) == 1


async def test_what_comes_while_the_daemon_is_away_is_answered_when_it_is_back(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    daemon = await start()
    await daemon.stop()
    for number in range(30):
        await peer.say(BOB, f"long ago {number}", extra={"date": int(time.time()) - 5 * 3600 + number})
    await peer.say(ANN, "anybody there?")
    await daemon.start()
    await peer.wait(chat=ANN, contains="word")
    await peer.wait(chat=BOB, equals=words.STALE)
    await daemon.kept("inbox WHERE state = 'done'", 31)
    assert len(mock_model.chats()) == 1
    assert await peer.texts(BOB) == [words.STALE]


async def test_a_second_daemon_in_the_same_home_is_refused(start: Start) -> None:
    daemon = await start()
    process = await asyncio.create_subprocess_exec(
        *daemon.command,
        "--home",
        str(daemon.home),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 1
    assert str(daemon.home).encode() in said
