"""Strangers on Telegram, over its wire: the code that they are told, and the owner's command line."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.pairing import LENGTH
from tests.channels.telegram.peer.client import Peer
from tests.mock_model.client import MockModel
from tests.story.conftest import ANN, GROUP, OWNER, STRANGER, Start, seen, speak
from tests.story.running import ROOT, Daemon

pytestmark = pytest.mark.slow  # each starts a real daemon, about a second, and the command line beside it

CODE = re.compile(rf"\b[A-Z2-9]{{{LENGTH}}}\b")


async def typed(home: Path, *words: str) -> tuple[int, Any]:
    """The exit code of `firstword pairing WORDS --json`, and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bot", "--home", str(home), "--json", "pairing", *words),
        cwd=ROOT,
        env={**os.environ, "FIRSTWORD_HOME": str(home)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    return process.returncode or 0, json.loads(out or err)


async def code_of(peer: Peer, person: int) -> str:
    """The code that somebody is told when they say hello."""
    await peer.say(person, "hello")
    told = await seen(peer, person, "I do not know you yet")
    found = CODE.search(told["text"])
    assert found is not None, told["text"]
    return found[0]


async def test_the_command_line_lets_a_stranger_in_beside_the_daemon_and_out_again(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script(default={"text": "hello yourself"})
    running: Daemon = await start()
    code = await code_of(peer, STRANGER)
    assert mock_model.chats() == []
    _, listed = await typed(running.home, "list")
    assert [each["person"] for each in listed["waiting"]] == [f"telegram:main:{STRANGER}"]
    assert code not in json.dumps(listed)
    status, approved = await typed(running.home, "approve", code, "--notify")
    assert (status, approved["person"], approved["told"]) == (0, f"telegram:main:{STRANGER}", True)
    await seen(peer, STRANGER, "You are let in")
    await peer.say(STRANGER, "and now?")
    await seen(peer, STRANGER, "hello yourself")
    # In the group that is on the list they are a guest all the same (GHSA-2gvc-4f3c-2855).
    await speak(peer, GROUP, "/whoami", STRANGER)
    await seen(peer, GROUP, "(guest)")
    status, _ = await typed(running.home, "revoke", f"telegram:main:{STRANGER}")
    assert status == 0
    asked = len(mock_model.chats())
    await peer.say(STRANGER, "still there?")
    await peer.say(ANN, "a question")
    await seen(peer, ANN, "hello yourself")
    assert len(mock_model.chats()) == asked + 1
    _, log = await typed(running.home, "log")
    assert [each["what"] for each in log["changes"]] == ["revoked", "paired"]


async def test_a_code_is_approved_while_the_daemon_rests(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script(default={"text": "hello yourself"})
    running: Daemon = await start()
    code = await code_of(peer, STRANGER)
    await running.stop()
    status, approved = await typed(running.home, "approve", f"{code[:4]}-{code[4:].lower()}")
    assert (status, approved["person"]) == (0, f"telegram:main:{STRANGER}")
    await running.start()
    await peer.say(STRANGER, "and now?")
    await seen(peer, STRANGER, "hello yourself")


async def test_an_owner_lets_somebody_in_by_a_command_and_a_guest_of_a_group_does_not(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script(default={"text": "hello yourself"})
    await start()
    code = await code_of(peer, STRANGER)
    await speak(peer, GROUP, f"/pair approve {code}", STRANGER)
    await peer.say(STRANGER, f"/pair approve {code}")
    await seen(peer, STRANGER, code)
    await peer.say(OWNER, f"/pair approve {code}")
    await seen(peer, OWNER, "is let in")
    await peer.say(STRANGER, "and now?")
    await seen(peer, STRANGER, "hello yourself")
    assert all("is let in" not in text for text in await peer.texts(GROUP))


async def test_the_group_is_answered_without_a_mention_once_the_owner_says_so(
    start: Start, peer: Peer, mock_model: MockModel
) -> None:
    mock_model.script(default={"text": "I heard that"})
    await start()
    await peer.say(GROUP, "hello everybody", user=STRANGER)
    await speak(peer, GROUP, "/activation always", OWNER)
    await seen(peer, GROUP, "always")
    assert mock_model.chats() == []
    await peer.say(GROUP, "hello everybody", user=STRANGER)
    await seen(peer, GROUP, "I heard that")
