"""A process that is stopped while SQLite copies its write-ahead log into the file, seen from outside."""

from __future__ import annotations

import os
import signal
import struct
import time
from pathlib import Path

from bot.store.sqlite import CHECKPOINT_WRITES as WRITES

__all__ = ["WRITES", "stand_still"]

COPIED, TO_COPY = 96, 128
"""Where the shared memory tells how many frames were copied, and how many are to be: nBackfill, nBackfillAttempted
(https://www.sqlite.org/walformat.html, section 2.2; 2026-11)."""


def stand_still(pid: int, home: Path, seconds: float) -> bool:
    """Send SIGSTOP in the middle of a checkpoint; False: none was met in so many seconds. Blocks."""
    end = time.monotonic() + seconds
    memory = os.open(home / "data" / "firstword.db-shm", os.O_RDONLY)
    try:
        _, known = _frames(memory)  # a start after a kill leaves a number of its own
        while time.monotonic() < end:
            copied, to_copy = _frames(memory)
            if to_copy == known or copied >= to_copy:
                known = min(known, to_copy) if copied < to_copy else to_copy
                time.sleep(0.0002)
                continue
            os.kill(pid, signal.SIGSTOP)
            if _is_between(memory):
                return True
            os.kill(pid, signal.SIGCONT)
            known = to_copy
    finally:
        os.close(memory)
    return False


def _is_between(memory: int) -> bool:
    copied, to_copy = _frames(memory)
    return copied < to_copy


def _frames(memory: int) -> tuple[int, int]:
    return _number(memory, COPIED), _number(memory, TO_COPY)


def _number(memory: int, at: int) -> int:
    (found,) = struct.unpack("=I", os.pread(memory, 4, at))
    return int(found)
