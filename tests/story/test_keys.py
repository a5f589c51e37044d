"""Keys are rotated under a running daemon: add, test, remove, and people notice nothing."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.mock_model.client import MockModel
from tests.story.running import ROOT, Daemon, config, daemon
from tests.story.test_web import page

pytestmark = pytest.mark.slow  # each starts a real daemon, about a second

OLD, NEW = "sk-canary-old-0123456789abcdef", "sk-canary-new-0123456789abcdef"


async def firstword(running: Daemon, *arguments: str, stdin: str = "") -> tuple[int, str]:
    """Run a verb in the daemon's home as a process of its own; exit code and everything that it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "--home", str(running.home), *arguments),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(running.home)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate(stdin.encode())
    return process.returncode or 0, said.decode()


def keys_asked(mock_model: MockModel) -> list[str]:
    """The key of each question as the server names it: the same key, the same name."""
    return [chat["headers"]["authorization"] for chat in mock_model.chats()]


async def test_a_key_is_rotated_without_a_restart_and_without_a_lost_answer(
    tmp_path: Path, mock_model: MockModel
) -> None:
    mock_model.config(keys=[OLD, NEW])
    mock_model.script(default={"text": "answer {marker}"})
    async with daemon(tmp_path / "home", config(mock_model.base_url)) as running:
        assert (await firstword(running, "auth", "add", "old", "--provider", "mock", stdin=OLD))[0] == 0
        async with page(running) as shown:
            await shown.say("qid1q", 1)
            await shown.until_shown("answer qid1q")
            # the vendor takes the old key back before the new one is there
            assert (await firstword(running, "auth", "add", "new", "--provider", "mock", stdin=NEW))[0] == 0
            mock_model.config(keys=[NEW])
            await shown.say("qid2q", 2)
            await shown.until_shown("answer qid2q")
            assert "mock:old (refused: auth)" in (await firstword(running, "auth", "list"))[1]
            await shown.say("qid3q", 3)
            await shown.until_shown("answer qid3q")
            first, refused, second, third = keys_asked(mock_model)
            assert first == refused
            assert second == third != first
            code, said = await firstword(running, "auth", "test")
            assert (code, "FAIL mock:old" in said, "ok   mock:new" in said) == (1, True, True)
            assert (await firstword(running, "auth", "remove", "old"))[0] == 0
            await shown.say("qid4q", 4)
            await shown.until_shown("answer qid4q")
            assert keys_asked(mock_model)[4:] == [third]
        assert await running.stop() == 0
        said = "".join(running.lines) + running.log
        assert "credential refused" in said
        assert "canary" not in said


async def test_a_new_secret_under_the_same_name_is_tried_again(tmp_path: Path, mock_model: MockModel) -> None:
    mock_model.config(keys=[NEW])
    mock_model.script(default={"text": "answer {marker}"})
    async with daemon(tmp_path / "home", config(mock_model.base_url)) as running, page(running) as shown:
        await firstword(running, "auth", "add", "only", "--provider", "mock", stdin=OLD)
        await shown.say("qid1q", 1)
        await shown.until_shown("No answer")
        await firstword(running, "auth", "add", "only", "--provider", "mock", stdin=NEW)
        await shown.say("qid2q", 2)
        await shown.until_shown("answer qid2q")
        listed = (await firstword(running, "auth", "list"))[1]
        assert "mock:only, mock:config (refused: auth)" in listed, listed
