"""Whoever is forgotten is gone from the whole home: nothing that came in with them, by whatever way, is left in a file."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bot.cli.context import OK, WARNING
from bot.cli.main import main
from bot.home import Home
from tests.bot.mcp.kit import library
from tests.channels.telegram.peer.client import Peer
from tests.mock_model.client import MockModel
from tests.story.conftest import (
    ANN,
    GROUP,
    STRANGER,
    Start,
    mock_model,
    mock_model_process,
    peer,
    peer_process,
    speak,
    start,
)
from tests.story.running import Daemon

__all__ = ["mock_model", "mock_model_process", "peer", "peer_process", "start"]

pytestmark = pytest.mark.slow  # a real daemon, and a server of tools beside it

MARK = "q7vxm2hktz9bwd4rcf6ynpj3sga8leu5"
FINE = "all is well "


def holders(folder: Path) -> list[str]:
    """Every file of the home in which the marker stands."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [str(path.relative_to(folder)) for path in files if MARK.encode() in path.read_bytes()]


def named(person: int) -> dict[str, Any]:
    """A sender who is called by the marker."""
    return {"id": person, "is_bot": False, "first_name": MARK, "language_code": "en"}


async def plant(daemon: Daemon, peer: Peer, mock_model: MockModel) -> None:
    """The marker comes in by message, name, edit, file, file's name, group, tool call, pairing and a failed turn."""
    await peer.say(ANN, f"remember {MARK}", extra={"from": named(ANN)})
    await peer.wait(chat=ANN, contains=FINE.strip())
    await peer.file("file", f"the file says {MARK}".encode())
    document = {
        "file_id": "file",
        "file_unique_id": "f",
        "file_name": f"{MARK}.txt",
        "mime_type": "text/plain",
    }
    await peer.say(ANN, extra={"document": document, "caption": "what is it?"})
    await daemon.kept("history WHERE role = 'assistant'", 2)
    held = await peer.say(ANN, "BEGIN with this")
    await mock_model.wait("first_sent", count=3)
    await peer.edit(ANN, held["message_id"], f"BEGIN {MARK}")
    await mock_model.wait("arrived", count=4)
    await peer.say(ANN, "/stop")
    await daemon.kept("history WHERE role = 'assistant'", 3)
    await daemon.logged("tool server connected")
    await peer.say(ANN, "NOTE it, please")
    await peer.wait(chat=ANN, contains="/allow lets me")
    await daemon.kept("history WHERE exchange LIKE '%note_write%'", 1)
    await speak(peer, GROUP, f"in the group {MARK}", ANN)
    await peer.wait(chat=GROUP, contains=FINE.strip())
    await daemon.kept(f"history WHERE conversation LIKE '%{GROUP}%' AND role = 'assistant'", 1)
    await peer.say(STRANGER, f"let me in {MARK}", extra={"from": named(STRANGER)})
    await daemon.kept("pairing", 1)
    await peer.say(ANN, f"POISON {MARK}")
    await daemon.kept("turn WHERE outcome = 'failed'", 1)


async def firstword(daemon: Daemon, *verb: str) -> int:
    """A verb beside the running daemon; its exit code."""
    return await asyncio.to_thread(main, ["--home", str(daemon.home), *verb])


def buried(home: Path) -> None:
    """A message of hers that ended the process again and again lies among the dead letters."""
    with closing(sqlite3.connect(Home(home).database)) as connection, connection:
        connection.execute(
            "UPDATE inbox SET state = 'dead', error = ? WHERE id = (SELECT max(id) FROM inbox WHERE payload IS NOT NULL)",
            (f"because of {MARK}",),
        )


async def test_after_forgetting_no_byte_of_what_came_in_is_left_in_the_home(
    start: Start, peer: Peer, mock_model: MockModel, tmp_path: Path
) -> None:
    call = {"name": "notes__note_write", "arguments": f'{{"text": "{MARK}"}}'}
    mock_model.script(
        {"match": "BEGIN", "tokens": [FINE] * 9, "hold": "never", "hold_after": 2},
        {"match": "NOTE", "tool_calls": [call]},
        {"match": "POISON", "status": 400},
        default={"tokens": [FINE]},
    )
    servers = {"mcp": {"servers": {"notes": library(tmp_path / "notes", trust="members")}}}
    daemon: Daemon = await start({"logging": {"level": "debug", "libraries": "debug"}, **servers})
    await plant(daemon, peer, mock_model)
    await daemon.stop()
    buried(daemon.home)
    await daemon.start()
    assert await firstword(daemon, "backup", "create") == OK
    assert {Path(each).parts[0] for each in holders(daemon.home)} == {"data", "backups"}
    for person in (ANN, STRANGER):
        code = await firstword(daemon, "data", "forget", f"telegram:main:{person}")
        assert code == WARNING, "a backup is left, and it is said"
    assert [Path(each).parts[0] for each in holders(daemon.home)] == ["backups"]
    await firstword(daemon, "data", "forget", f"telegram:main:{ANN}", "--copies")
    assert holders(daemon.home) == []
    await daemon.stop()
    assert holders(daemon.home) == []
