"""Servers of tools around a whole daemon: it starts without them and takes them along when it ends."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.bot.mcp.kit import bare, is_running, pids, until
from tests.story.running import Daemon

pytestmark = pytest.mark.slow  # each starts a real daemon


def config(**servers: Any) -> dict[str, Any]:
    """A daemon that listens wherever there is room."""
    return {"server": {"port": 0}, "logging": {"level": "debug"}, "mcp": {"servers": servers}}


async def test_a_daemon_is_ready_before_a_server_that_says_nothing(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "home", config(mute=bare("silent", pids=tmp_path)))
    await daemon.start()
    await until(lambda: pids(tmp_path, "server"))
    assert await daemon.stop() == 0
    assert not any(is_running(pid) for pid in pids(tmp_path, "server"))


@pytest.mark.parametrize("signals", [1, 2])
async def test_no_program_outlives_the_daemon(tmp_path: Path, signals: int) -> None:
    """The second SIGTERM is the one of somebody in a hurry."""
    daemon = Daemon(tmp_path / "home", config(bare=bare("stubborn", pids=tmp_path), calm=bare(pids=tmp_path)))
    await daemon.start()
    await until(lambda: daemon.log.count("tool server connected") == 2)
    running = pids(tmp_path, "server") + pids(tmp_path, "child")
    assert len(running) == 3
    for _ in range(signals):
        daemon.send(signal.SIGTERM)
    async with asyncio.timeout(30):
        assert await daemon.ended() == 0
    assert not any(is_running(pid) for pid in running)


async def test_programs_see_the_end_of_a_daemon_that_was_killed(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "home", config(bare=bare(pids=tmp_path)))
    await daemon.start()
    await until(lambda: "tool server connected" in daemon.log)
    await daemon.kill()
    await until(lambda: not any(is_running(pid) for pid in pids(tmp_path, "server")))


async def test_what_a_server_says_aside_is_in_the_log_without_the_secret_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o700)
    (tmp_path / "home" / ".env").write_text("NOTES_TOKEN=sesame-0123456789\n")
    loud = bare("loud", env={"SECRET_TOKEN": "${NOTES_TOKEN}"})
    daemon = Daemon(tmp_path / "home", config(loud=loud))
    await daemon.start()
    await until(lambda: "tool server remarked" in daemon.log)
    assert await daemon.stop() == 0
    assert "opened with ***" in daemon.log
    assert "sesame" not in daemon.log
