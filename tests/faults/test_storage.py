"""Disks that are full, read-only or damaged, under a real daemon."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio

from bot.home import Home
from tests.disks import small_disk
from tests.faults.scene import BACK, Scene, open_scene, until_async
from tests.mock_model.client import MockModel
from tests.story.test_keys import firstword

pytestmark = pytest.mark.slow  # real daemons, started again


@pytest_asyncio.fixture
async def lonely(
    tmp_path: Path, peer_process: dict[str, object], mock_model_process: MockModel
) -> AsyncIterator[Scene]:
    """A daemon whose home is a file system of its own, of 12 MB."""
    with small_disk(tmp_path / "disk", 12) as disk:
        async with open_scene(disk / "home", peer_process, mock_model_process) as scene:
            yield scene


def fill(folder: Path) -> Path:
    """A file that takes all the room that is left."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as out, suppress(OSError):
        for size in (64 * 1024, 1024, 1):
            with suppress(OSError):
                while out.write(b"x" * size):
                    pass
    return ballast


async def test_on_a_full_disk_messages_wait_and_log_lines_are_counted(lonely: Scene) -> None:
    people = [lonely.somebody() for _ in range(4)]
    await lonely.answer(people[0], "is there room?", BACK)
    ballast = fill(lonely.daemon.home.parent)
    async with (
        lonely.counted("firstword_store_failures_total", reason="full"),
        lonely.counted("firstword_log_lines_lost_total"),
    ):
        for chat in people[1:]:
            await lonely.peer.say(chat, "tell me " * 2000)
    assert [await lonely.peer.texts(chat) for chat in people[1:]] == [[], [], []], "nothing before it is safe"
    ballast.unlink()
    for chat in people[1:]:
        await lonely.shown(chat, BACK)
        await lonely.said_once(chat, BACK)
    await lonely.healthy()


async def test_a_disk_that_is_read_only_at_the_start_is_told_and_later_all_is_there(lonely: Scene) -> None:
    chat, disk = lonely.somebody(), lonely.daemon.home.parent
    await lonely.answer(chat, "hello", BACK)
    assert await lonely.daemon.stop() == 0
    await lonely.peer.say(chat, "said while it was down")
    _remount(disk, "ro")
    with pytest.raises(
        AssertionError, match=r"error: \S*firstword\.log cannot be used: Read-only file system"
    ):
        await lonely.daemon.start()
    _remount(disk, "rw")
    await lonely.daemon.start()
    await lonely.peer.wait(chat=chat, count=2)
    await lonely.said_once(chat, BACK, BACK)
    assert await lonely.metric("process_start_time_seconds") > 0


def _remount(disk: Path, mode: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode}", str(disk)], check=True, timeout=30)


async def test_a_damaged_page_stops_the_start_and_a_backup_brings_everything_back(
    tmp_path: Path, peer_process: dict[str, object], mock_model_process: MockModel
) -> None:
    async with open_scene(tmp_path / "home", peer_process, mock_model_process) as scene:
        chat = scene.somebody()
        await scene.answer(chat, "before the backup", BACK)
        await scene.daemon.kept("turn WHERE outcome = 'done'", 1)
        copy = tmp_path / "copy.db"
        assert (await firstword(scene.daemon, "backup", "create", str(copy)))[0] == 0
        assert await scene.daemon.stop() == 0
        await scene.peer.say(chat, "said while it was down")
        _damage(Home(scene.daemon.home).database)
        with pytest.raises(AssertionError, match=r"is damaged(.|\n)*put a backup in its place"):
            await scene.daemon.start()
        code, said = await firstword(scene.daemon, "backup", "restore", str(copy))
        assert code == 3 and "is in place" in said, said  # with a warning: the damaged file cannot be read
        await scene.daemon.start()
        await scene.peer.wait(chat=chat, count=2)
        await scene.said_once(chat, BACK, BACK)
        asked = scene.model.chats()[-1]["body"]["messages"]
        assert "before the backup" in str(asked), "the conversation goes on where the backup left it"
        await until_async(
            lambda: scene.metric("firstword_turns_total", outcome="done"), lambda value: value == 1
        )


def _damage(database: Path) -> None:
    """Write over the middle of its pages."""
    data = bytearray(database.read_bytes())
    data[4096 : 4096 * 5] = b"\x37" * (4096 * 4)
    database.write_bytes(data)
