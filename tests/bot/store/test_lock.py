"""One daemon per home folder."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.errors import StoreError
from bot.store.lock import HomeLock

_HOLD = """
import sys
from pathlib import Path
from bot.store.lock import HomeLock
with HomeLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def _holder(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", _HOLD, str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_process_is_told_who_has_the_home_and_what_to_do(tmp_path: Path) -> None:
    with (
        _holder(tmp_path) as process,
        pytest.raises(StoreError, match=r"stop it first.*--home DIR") as caught,
    ):
        HomeLock(tmp_path).acquire()
    assert f"(process {process.pid}) uses {tmp_path}:" in str(caught.value)


def test_a_lock_dies_with_its_owner_however_it_dies(tmp_path: Path) -> None:
    with _holder(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        with HomeLock(tmp_path) as lock:
            assert lock.path.read_text() == f"{os.getpid()}\n"


def test_a_released_lock_can_be_taken_again(tmp_path: Path) -> None:
    first, second = HomeLock(tmp_path), HomeLock(tmp_path)
    first.acquire()
    first.acquire()
    with pytest.raises(StoreError, match=str(os.getpid())):
        second.acquire()
    first.release()
    first.release()
    second.acquire()
    second.release()


def test_a_shorter_pid_leaves_nothing_of_a_longer_one(tmp_path: Path) -> None:
    with HomeLock(tmp_path) as lock:
        lock.path.write_text("123456789012345\n")
    with HomeLock(tmp_path) as lock:
        assert lock.path.read_text() == f"{os.getpid()}\n"


def test_the_lock_is_for_its_owner_only_and_never_a_link(tmp_path: Path) -> None:
    with HomeLock(tmp_path) as lock:
        assert stat.S_IMODE(lock.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(lock.path.parent.stat().st_mode) == 0o700
    lock.path.unlink()
    target = tmp_path / "elsewhere"
    lock.path.symlink_to(target)
    with pytest.raises(StoreError, match="cannot be opened"):
        HomeLock(tmp_path).acquire()
    assert not target.exists()
