"""One writer, many callers: what waits is written in one transaction, so one flush of the disk serves all.

Writes happen in the order in which they were handed over. A batch is tried as one transaction; if it fails, it
is halved until the write that cannot be done stands alone, and only that one fails.
"""

from __future__ import annotations

import asyncio
import functools
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

import structlog

from bot.errors import StoreError
from bot.store.connection import concerns_everything, store_error

T = TypeVar("T")

BATCH = 1000  # writes in one transaction; bounds the wait of the first one
INTAKE_WRITES = 10_000
INTAKE_BYTES = 64 * 1024 * 1024

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
            run()
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


@dataclass(slots=True)
class Write:
    """One write: `run` gets the connection inside a transaction; it may be called again after a rollback.

    `single`: it is one statement, which needs no transaction around it when it is alone.
    """

    run: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]
    size: int
    single: bool


Outcome = tuple[asyncio.Future[Any], Any, StoreError | None]
Outcomes = list[Outcome]


class Writer:
    """Takes writes from the event loop's thread and gives each a future. `add` never blocks.

    The queue is bounded: `essential=False` writes (new messages, text so far) are refused with
    StoreError("overloaded ...") beyond `INTAKE_WRITES` writes or `INTAKE_BYTES` bytes that wait; the others,
    which belong to messages already taken, beyond twice that.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, executor: Executor) -> None:
        self._connection = connection
        self._path = path
        self._executor = executor
        self._loop = asyncio.get_running_loop()
        self._home = threading.get_ident()
        self._closed = False
        self._lock = threading.Lock()  # guards the three below
        self._queue: deque[Write] = deque()
        self._bytes = 0
        self._scheduled = False
        self._failing = False
        self.written = 0
        self.batches = 0
        self.failed = 0
        self.refused = 0

    @property
    def waiting(self) -> int:
        """How many writes wait to be begun."""
        return len(self._queue)

    def add(
        self,
        run: Callable[[sqlite3.Connection], T],
        *,
        size: int = 0,
        single: bool = False,
        essential: bool = True,
    ) -> asyncio.Future[T]:
        """Hand over a write. The future completes with what `run` returned, once that is durable."""
        future: asyncio.Future[T] = self._loop.create_future()
        share = 2 if essential else 1
        if self._closed:
            _settle([(future, None, StoreError(f"{self._path} is closed"))])
        elif len(self._queue) >= share * INTAKE_WRITES or self._bytes + size > share * INTAKE_BYTES:
            self.refused += 1
            _settle([(future, None, self._overloaded())])
        else:
            self._enqueue(Write(run, future, size, single))
        return future

    async def close(self) -> None:
        """Refuse what comes from now on, and write what waits. The connection stays open."""
        if not self._closed:
            self._closed = True
            last: asyncio.Future[None] = self._loop.create_future()
            self._enqueue(Write(_nothing, last, 0, single=True))
            await last

    def _enqueue(self, write: Write) -> None:
        with self._lock:
            self._queue.append(write)
            self._bytes += write.size
            start = not self._scheduled
            self._scheduled = True
        if start:
            self._executor.submit(self._drain)

    def _overloaded(self) -> StoreError:
        return StoreError(
            f"overloaded: {len(self._queue)} writes ({self._bytes} bytes) wait for {self._path}; "
            f"at most {INTAKE_WRITES} ({INTAKE_BYTES} bytes) are taken"
        )

    def _drain(self) -> None:
        while True:
            with self._lock:
                count = min(len(self._queue), BATCH)
                batch = [self._queue.popleft() for _ in range(count)]
                self._bytes -= sum([write.size for write in batch])
                if not batch:
                    self._scheduled = False
                    return
            outcomes = self._commit(batch)
            self._note(outcomes)
            self._hand_back(outcomes)

    def _commit(self, batch: list[Write]) -> Outcomes:
        try:
            if len(batch) == 1 and batch[0].single:
                return [(batch[0].future, batch[0].run(self._connection), None)]
            return self._transaction(batch)
        except Exception as error:  # noqa: BLE001 - whatever a write raises is its caller's answer
            self._roll_back()
            if len(batch) > 1 and not concerns_everything(error):
                middle = len(batch) // 2
                return self._commit(batch[:middle]) + self._commit(batch[middle:])
            reason = store_error(error, self._path)
            reason.__cause__ = error
            return [(write.future, None, reason) for write in batch]

    def _transaction(self, batch: list[Write]) -> Outcomes:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        outcomes: Outcomes = [(write.future, write.run(connection), None) for write in batch]
        connection.execute("COMMIT")
        return outcomes

    def _roll_back(self) -> None:
        if not self._connection.in_transaction:
            return
        try:
            self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:  # a failing disk may have rolled back by itself
            _log.warning("store roll-back failed", error=str(error))

    def _note(self, outcomes: Outcomes) -> None:
        """Count, and log when writes begin to fail and when they work again, not every one between."""
        failures = [error for _, _, error in outcomes if error is not None]
        self.batches += 1
        self.written += len(outcomes) - len(failures)
        if failures:
            self.failed += len(failures)
            if not self._failing:
                self._failing = True
                _log.error("store write failed", error=str(failures[0]), writes=len(failures))
        elif self._failing:
            self._failing = False
            _log.warning("store writes again", failed_total=self.failed)

    def _hand_back(self, outcomes: Outcomes) -> None:
        if threading.get_ident() == self._home:
            self._loop.call_soon(_settle, outcomes)
            return
        try:
            self._loop.call_soon_threadsafe(_settle, outcomes)
        except RuntimeError:  # the loop is closed: nobody waits any more
            _log.warning("store outcome came too late", writes=len(outcomes))


class Reader:
    """Runs functions one after another on a connection of its own, each with its own future."""

    def __init__(self, connection: sqlite3.Connection, path: Path, executor: Executor) -> None:
        self._connection = connection
        self._path = path
        self._executor = executor
        self._loop = asyncio.get_running_loop()
        self._home = threading.get_ident()

    def run(self, read: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """What `read` returns. Raises StoreError."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._executor.submit(functools.partial(self._work, read, future))
        return future

    async def close(self) -> None:
        """Close the connection, after everything asked before."""
        await self.run(sqlite3.Connection.close)

    def _work(self, read: Callable[[sqlite3.Connection], T], future: asyncio.Future[T]) -> None:
        try:
            outcome: Outcome = (future, read(self._connection), None)
        except Exception as error:  # noqa: BLE001 - whatever a read raises is its caller's answer
            reason = store_error(error, self._path)
            reason.__cause__ = error
            outcome = (future, None, reason)
        if threading.get_ident() == self._home:
            _settle([outcome])
            return
        try:
            self._loop.call_soon_threadsafe(_settle, [outcome])
        except RuntimeError:  # the loop is closed: nobody waits any more
            _log.warning("store read came too late")


def _settle(outcomes: Outcomes) -> None:
    for future, value, error in outcomes:
        if future.done():  # its caller was cancelled; the write itself is done
            continue
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)
            future.exception()  # nobody has to wait for a write: the log has the failure already


def _nothing(connection: sqlite3.Connection) -> None:
    """A write that writes nothing: it completes after everything before it."""
