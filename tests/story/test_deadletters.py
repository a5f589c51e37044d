"""Real kills: a message that ends the process is set aside, one that only waited is not; people can be forgotten."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bot import words
from bot.home import Home
from bot.patience import MAX_CRASHES
from bot.store.connection import connect_to_read
from bot.store.letters import Letter, letters
from tests.channels.telegram.peer.client import Peer
from tests.mock_model.client import MockModel
from tests.story.conftest import ANN, BOB, Start
from tests.story.running import Daemon

pytestmark = pytest.mark.slow  # each starts a real daemon several times

WORDS = [f"word{number} " for number in range(12)]
MARK = "k3wqz8ytb5vhmn2rpd7xgc4jsf9lwe6u"


def _letters(daemon: Daemon) -> list[Letter]:
    with closing(connect_to_read(Home(daemon.home).database)) as connection:
        return list(letters(connection))


def _attempts(daemon: Daemon) -> list[int]:
    with closing(connect_to_read(Home(daemon.home).database)) as connection:
        rows = connection.execute("SELECT attempts FROM inbox WHERE state = 'new' ORDER BY id").fetchall()
    return [int(row[0]) for row in rows]


async def _until_attempts(daemon: Daemon, *attempts: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                if _attempts(daemon) == list(attempts):
                    return
            except sqlite3.Error:
                pass
            await asyncio.sleep(0.01)


def _everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def _hurry(daemon: Daemon, number: int) -> None:
    """Stop it for the time `number`, without waiting for running answers."""
    daemon.send(signal.SIGTERM)
    async with asyncio.timeout(30):
        while daemon.log.count('"draining"') < number:
            await asyncio.sleep(0.01)
    daemon.send(signal.SIGTERM)
    assert await daemon.ended() == 0


async def _end_it_again_and_again(daemon: Daemon, mock_model: MockModel) -> None:
    """Kill the process each time when the message is being answered."""
    for number in range(1, MAX_CRASHES + 1):
        await mock_model.wait("arrived", count=number)
        await _until_attempts(daemon, number)
        await daemon.kill()
        await daemon.start()


async def test_a_message_that_ends_the_process_each_time_is_set_aside_with_one_note(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script({"hold": "never", "times": MAX_CRASHES}, default={"tokens": WORDS})
    daemon: Daemon = await start()
    await peer.say(ANN, "boom")
    await _end_it_again_and_again(daemon, mock_model)
    await peer.wait(chat=ANN, contains="set it aside")
    await daemon.kept("inbox WHERE state = 'dead'", 1)  # people see a text before its turn is over
    (letter,) = _letters(daemon)
    assert (letter.text, letter.attempts) == ("boom", MAX_CRASHES)
    assert await daemon.metric("firstword_turns_total", outcome="dead") == 1
    await daemon.kill()
    await daemon.start()
    assert (await daemon.ask("deadletters.retry", id=letter.turn_id)) == {"verdict": "resume"}
    await peer.wait(chat=ANN, contains="word11")
    assert _letters(daemon) == []
    assert [text for text in await peer.texts(ANN) if "set it aside" in text] == [words.POISONED]


async def test_four_quick_restarts_set_nothing_aside_that_only_waited(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script({"match": "first", "hold": "never"}, default={"tokens": WORDS})
    daemon: Daemon = await start()
    await peer.say(BOB, "the first one")
    await mock_model.wait("arrived", count=1)
    await asyncio.sleep(1.6)  # beyond the time in which a second line joins the first
    await peer.say(BOB, "the second one")
    await _until_attempts(daemon, 1, 0)
    for number in range(2, MAX_CRASHES + 1):
        await daemon.kill()
        await daemon.start()
        await _until_attempts(daemon, number, 0)
    await daemon.kill()
    await daemon.start()
    await peer.wait(chat=BOB, contains="word11")
    await daemon.kept("inbox WHERE state = 'dead'", 1)
    assert [letter.text for letter in _letters(daemon)] == ["the first one"]


async def test_stops_and_starts_are_no_attempts(start: Start, peer: Peer, mock_model: MockModel) -> None:
    mock_model.script(
        {"tokens": WORDS, "hold": "never", "hold_after": 3, "times": 5}, default={"tokens": WORDS}
    )
    daemon: Daemon = await start()
    await peer.say(ANN, "tell me")
    for number in range(1, 6):
        await mock_model.wait("arrived", count=number)
        await _until_attempts(daemon, 1)
        await _hurry(daemon, number)
        assert _attempts(daemon) == [0]
        await daemon.start()
    await peer.wait(chat=ANN, contains="word11")


async def test_a_person_is_forgotten_while_an_answer_to_them_runs(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script(
        {"match": "BEGIN", "tokens": WORDS, "hold": "never", "hold_after": 6}, default={"tokens": WORDS}
    )
    daemon: Daemon = await start()
    await peer.say(ANN, f"remember {MARK}")
    await peer.wait(chat=ANN, contains="word11")
    await peer.say(ANN, f"BEGIN {MARK}")
    await mock_model.wait("arrived", count=2)
    assert MARK.encode() in _everything(daemon.home)
    done: dict[str, Any] = await daemon.ask("data.forget", person=f"telegram:main:{ANN}")
    assert done["lines"] == 2
    assert MARK.encode() not in _everything(daemon.home)
    await peer.say(ANN, "who am I?")
    await mock_model.wait("arrived", count=3)
    asked = mock_model.chats()[-1]["body"]["messages"]
    assert MARK not in str(asked)
    await daemon.stop()
    assert MARK.encode() not in _everything(daemon.home)
