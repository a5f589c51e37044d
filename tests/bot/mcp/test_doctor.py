"""The doctor tries servers of tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bot.checkup import Row, State
from bot.doctor import Patient, examine, mend
from bot.home import Home
from tests.bot.mcp.kit import bare, is_running, pids

SECRET = "sk-canary0123456789abcdef"


def patient(folder: Path, **servers: Any) -> Patient:
    """A home with these servers, and with a model that needs no network."""
    home = Home(folder / "home")
    home.prepare()
    config = {"mcp": {"servers": servers}, "models": {"detectLocal": False}, "server": {"port": 0}}
    home.config.write_text(json.dumps(config))
    home.config.chmod(0o600)
    return Patient(home, home.config, {}, folder)


async def test_each_server_is_tried_and_what_is_wrong_is_named(tmp_path: Path) -> None:
    found = await examine(
        patient(
            tmp_path,
            fine=bare(pids=tmp_path),
            empty=bare(tools=["nothing"]),
            gone={"command": "/nowhere/at-all"},
            off={"command": "/nowhere", "enabled": False},
        )
    )
    assert [row for row in found if row.name == "tools"] == [
        Row("tools", State.OK, "fine answers, 14 tools"),
        Row("tools", State.WARN, "empty answers and offers nothing", "look at mcp.servers.empty.tools"),
        Row(
            "tools",
            State.FAIL,
            "gone cannot be started: /nowhere/at-all does not exist",
            "look at command, args and env of mcp.servers.gone",
        ),
    ]
    assert not any(is_running(pid) for pid in pids(tmp_path, "server"))


async def test_a_secret_of_a_server_is_moved_out_of_the_file(tmp_path: Path) -> None:
    sick = patient(tmp_path, notes={"command": "x", "env": {"NOTES_TOKEN": SECRET, "LOG_LEVEL": "verbose"}})
    done = mend(sick)
    kept = json.loads(sick.config_file.read_text())["mcp"]["servers"]["notes"]["env"]
    assert kept == {"NOTES_TOKEN": "profile:notes-env-NOTES_TOKEN", "LOG_LEVEL": "verbose"}
    assert "mcp.servers.notes.env.NOTES_TOKEN is stored as profile:notes-env-NOTES_TOKEN" in done
    assert SECRET in sick.home.credentials.read_text()
