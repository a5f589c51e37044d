"""kill -9: everything whose future had completed is there afterwards."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bot.store.sqlite import open_store
from tests.bot.store.examples import SOME_TIME, message

_KILLS = 6


def _run_and_kill(path: Path, life: int, acknowledged: int) -> list[list[str]]:
    """Let a process write; kill it after so many lines of its report. What it had reported as durable."""
    command = [sys.executable, "-m", "tests.bot.store.write_until_killed", str(path), str(life)]
    lines: list[list[str]] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.split())
            if len(lines) == acknowledged:
                process.kill()
    return [line for line in lines if len(line) == 2]


@pytest.mark.slow  # starts several interpreters
async def test_what_was_reported_durable_survives_kill_9(path: Path) -> None:
    chance = random.Random(20_261_121)
    reported: list[list[str]] = []
    for life in range(_KILLS):
        reported += _run_and_kill(path, life, chance.randint(1, 400))
    taken = {turn_id for word, turn_id in reported if word == "taken"}
    ended = {turn_id for word, turn_id in reported if word == "ended"}
    assert taken and ended
    async with open_store(path) as store:
        pending = {turn.turn_id: turn for turn in await store.pending()}
        records = {turn.turn_id for turn in await store.turns(None, 100_000)}
        assert ended <= records
        assert taken <= records | set(pending)
        assert not records & set(pending)
        for word, turn_id in reported:
            if word == "sent" and turn_id in pending:
                assert pending[turn_id].parts[0].message_id == f"m-{turn_id}"
            if word == "final" and turn_id in pending:
                assert pending[turn_id].is_final
        for space in range(8):
            lines = await store.history(f"fake:main:{space}", 1, 100_000)
            assert [line.turn_id for line in lines] == sorted(line.turn_id for line in lines)
            answered = {line.turn_id for line in lines}
            assert answered == {turn_id for turn_id in records if int(turn_id[-1]) % 8 == space}
        assert not await store.add_message(message(min(taken)), "copy", SOME_TIME)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
