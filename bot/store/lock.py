"""One daemon per home folder: a lock that the system gives back when its owner dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from bot.errors import StoreError


class HomeLock:
    """Holds HOME/run/lock from `acquire` (or `with`) until `release`. The pid in it is for people only.

    flock belongs to the open file, so a kill -9 leaves no stale lock behind, and a pid that another program
    has taken over does no harm.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "run" / "lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises StoreError, naming the owner, when another process has it."""
        if self._descriptor is not None:
            return
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise StoreError(f"{self.path} cannot be opened: {error.strerror}") from error
        try:
            os.fchmod(descriptor, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError as error:
            owner = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise StoreError(
                f"another Firstword (process {owner}) uses {self.path.parent.parent}: stop it first, "
                "or give this one a home of its own with --home DIR"
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise StoreError(f"{self.path} cannot be locked: {error.strerror}") from error
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back. The file stays: deleting it would let two processes hold two locks."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
