"""Where the store's work is done: a thread for each kind of work, or, in simulations, the caller's own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Protocol

import structlog

_log = structlog.get_logger(__name__)


class Executor(Protocol):
    """Where work is done: one thing at a time, in order."""

    def submit(self, run: Callable[[], None], /) -> object:
        """Have `run` called, now or later. It does not raise."""

    def close(self) -> None:
        """Called once, when everything submitted is done. May wait for a moment."""


class ThreadExecutor:
    """A thread of its own. It does not keep the process alive."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, run: Callable[[], None], /) -> None:
        """Have `run` called in the thread."""
        self._jobs.put(run)

    def close(self) -> None:
        """Let the thread end after what it was given, and wait for it."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (run := self._jobs.get()) is not None:
            try:
                run()
            except Exception:  # noqa: BLE001 - the thread must outlive any fault
                with contextlib.suppress(Exception):  # the log itself may be what failed
                    _log.exception("store work failed")
            del run  # else the last batch would live until the next one


class InlineExecutor:
    """Everything at once in the caller's thread: for simulations, which must not depend on threads."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def submit(self, run: Callable[[], None], /) -> None:
        """Call `run` now."""
        run()

    def close(self) -> None:
        """Nothing to do."""
