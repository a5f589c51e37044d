"""One writer, many callers: what waits is written in one transaction, so one flush of the disk serves all.

A batch is sorted by kind, and each kind is written with as few statements as possible; within a kind the order
is that of the calls. If a batch fails, it is halved until the write that cannot be done stands alone, and only
that one fails.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from bot.errors import StoreError
from bot.store.connection import concerns_everything, store_error
from bot.store.executors import Executor

BATCH = 512  # writes in one transaction; bounds the wait of the first one
INTAKE_WRITES = 10_000
INTAKE_BYTES = 64 * 1024 * 1024
# Writes that nobody waits for give others this long to come along: one flush less for most of them. It is how
# much longer a crash can leave a sent message without its record; the sending itself takes far longer.
PATIENCE = 0.003
LONG_PATIENCE = 0.25
MOST_RIDING = 64  # writes that only wait for company

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """A kind of write. `apply` writes rows of it inside a transaction and returns a result for each, in order.

    `rank`: kinds are written in this order within a batch. `urgent`: somebody waits for it. `essential`: it
    belongs to a message already taken, so it is let in even when new ones are refused. `alone`: it is one
    statement, which needs no transaction around it when nothing else is written. `patient`: it may wait for others
    LONG_PATIENCE instead of PATIENCE. `rides`: it waits for any other write to come along, however long, and costs
    no flush of its own; a crash may lose it until then.
    """

    name: str
    rank: int
    apply: Callable[[sqlite3.Connection, Sequence[Any]], Sequence[Any]]
    urgent: bool = False
    essential: bool = True
    alone: bool = False
    patient: bool = False
    rides: bool = False

    @property
    def presses(self) -> bool:
        """Whether a batch should be written because of it, rather than it because of a batch."""
        return not (self.patient or self.rides)


@dataclass(slots=True)
class Write:
    """One write that waits. `row` is what its kind's `apply` takes."""

    kind: Kind
    row: Any
    future: asyncio.Future[Any]
    size: int


Outcome = tuple[asyncio.Future[Any], Any, StoreError | None]
Outcomes = list[Outcome]


class Writer:
    """Takes writes from the event loop's thread and gives each a future. `add` never blocks.

    The queue is bounded: writes that are not essential (new messages, text so far) are refused with
    StoreError("overloaded ...") beyond `INTAKE_WRITES` writes or `INTAKE_BYTES` bytes that wait; the others
    beyond twice that.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, executor: Executor) -> None:
        self._connection = connection
        self._path = path
        self._executor = executor
        self._loop = asyncio.get_running_loop()
        self._home = threading.get_ident()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._lock = threading.Lock()  # guards the five below
        self._queue: deque[Write] = deque()
        self._pressing = 0
        self._bytes = 0
        self._draining = False
        self._idle_work: Callable[[sqlite3.Connection], None] | None = None
        self._failing = False
        self.written = 0
        self.batches = 0
        self.on_commit: Callable[[float], None] = _nobody
        self.on_failure: Callable[[str], None] = _nobody
        self.failed = 0
        self.refused = 0

    @property
    def waiting(self) -> int:
        """How many writes wait to be begun."""
        return len(self._queue)

    @property
    def is_pressed(self) -> bool:
        """Whether anything waits but for company (see Kind.rides)."""
        return bool(self._queue) and (self._draining or self._timer is not None)

    def add(self, kind: Kind, row: Any, *, size: int = 0) -> asyncio.Future[Any]:
        """Hand over a write of about `size` bytes. The future has its result once it is durable."""
        future: asyncio.Future[Any] = self._loop.create_future()
        share = 2 if kind.essential else 1
        if self._closed:
            settle([(future, None, StoreError(f"{self._path} is closed"))])
        elif len(self._queue) >= share * INTAKE_WRITES or self._bytes + size > share * INTAKE_BYTES:
            self.refused += 1
            error = self._overloaded()
            self.on_failure(error.reason)
            settle([(future, None, error)])
        else:
            self._enqueue(Write(kind, row, future, size))
        return future

    def when_idle(self, run: Callable[[sqlite3.Connection], None]) -> None:
        """Have `run` called outside any transaction as soon as nothing waits; failures are logged."""
        with self._lock:
            self._idle_work = run
            start = not self._draining
            self._draining = True
        if start:
            self._start()

    async def close(self) -> None:
        """Refuse what comes from now on, and write what waits. The connection stays open."""
        if self._closed:
            return
        self._closed = True
        last: asyncio.Future[None] = self._loop.create_future()
        self._enqueue(Write(_LAST, None, last, 0))
        await last

    def _enqueue(self, write: Write) -> None:
        kind = write.kind
        with self._lock:
            self._queue.append(write)
            self._bytes += write.size
            self._pressing += kind.presses
            if self._draining and kind.presses:  # the writer will find it
                return
            start = kind.urgent and not self._draining
            self._draining = self._draining or start
        if start:
            self._start()
        elif not (kind.rides and len(self._queue) < MOST_RIDING):
            self._arm(LONG_PATIENCE if kind.patient else PATIENCE)

    def _arm(self, patience: float) -> None:
        due = self._loop.time() + patience
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._start_late)

    def _start_late(self) -> None:
        self._timer = None
        with self._lock:
            if not self._queue:
                return
            is_busy, self._draining = self._draining, True
        if is_busy:  # perhaps with its last batch, which came too early for what waits
            self._arm(PATIENCE)
        else:
            self._start()

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._executor.submit(self._drain)

    def _overloaded(self) -> StoreError:
        return StoreError(
            f"overloaded: {len(self._queue)} writes ({self._bytes} bytes) wait for {self._path}; "
            f"at most {INTAKE_WRITES} ({INTAKE_BYTES} bytes) are taken",
            reason="overloaded",
        )

    def _drain(self) -> None:
        try:
            self._write_all()
        except BaseException:
            with self._lock:
                self._draining = False
            raise

    def _write_all(self) -> None:
        may_wait = False  # the first batch takes along what waits; none is written for that alone
        while True:
            with self._lock:
                count = min(len(self._queue), BATCH) if self._pressing or not may_wait else 0
                batch = [self._queue.popleft() for _ in range(count)]
                self._bytes -= sum([write.size for write in batch])
                self._pressing -= sum([write.kind.presses for write in batch])
                may_wait = count < BATCH
                idle_work = None if batch else self._idle_work
                if idle_work is not None:
                    self._idle_work = None
                elif not batch:
                    self._draining = False
                    return
            if idle_work is not None:
                self._run_idle(idle_work)
                continue
            began = time.perf_counter()
            outcomes = self._commit(batch)
            self.on_commit(time.perf_counter() - began)
            failures = [error for _, _, error in outcomes if error is not None]
            for failure in failures:
                self.on_failure(failure.reason)
            self.batches += 1
            self.failed += len(failures)
            self.written += len(outcomes) - len(failures)
            self._hand_back(outcomes)
            self._log_change(failures)
            del batch, outcomes

    def _run_idle(self, run: Callable[[sqlite3.Connection], None]) -> None:
        try:
            run(self._connection)
        except sqlite3.Error as error:
            _log.warning("store housekeeping failed", error=str(error))

    def _commit(self, batch: list[Write]) -> Outcomes:
        try:
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
        groups: dict[Kind, list[Write]] = {}
        for write in batch:
            groups.setdefault(write.kind, []).append(write)
        kinds = sorted(groups, key=_rank)
        bare = len(kinds) == 1 and kinds[0].alone and len(batch) == 1
        outcomes: Outcomes = []
        if not bare:
            self._connection.execute("BEGIN IMMEDIATE")
        for kind in kinds:
            writes = groups[kind]
            results = kind.apply(self._connection, [write.row for write in writes])
            outcomes += [(one.future, result, None) for one, result in zip(writes, results, strict=True)]
        if not bare:
            self._connection.execute("COMMIT")
        return outcomes

    def _roll_back(self) -> None:
        if not self._connection.in_transaction:
            return
        try:
            self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:  # a failing disk may have rolled back by itself
            _log.warning("store roll-back failed", error=str(error))

    def _log_change(self, failures: list[StoreError]) -> None:
        """Log when writes begin to fail and when they work again, not every one between."""
        if failures and not self._failing:
            _log.error("store write failed", error=str(failures[0]), writes=len(failures))
        elif self._failing and not failures:
            _log.warning("store writes again", failed_total=self.failed)
        self._failing = bool(failures)

    def _hand_back(self, outcomes: Outcomes) -> None:
        if threading.get_ident() == self._home:
            self._loop.call_soon(settle, outcomes)
            return
        try:
            self._loop.call_soon_threadsafe(settle, outcomes)
        except RuntimeError:  # the loop is closed: nobody waits any more
            _log.warning("store outcome came too late", writes=len(outcomes))


def settle(outcomes: Sequence[tuple[asyncio.Future[Any], Any, Exception | None]]) -> None:
    """Complete the futures, in the loop's thread. A failure that nobody waits for is not reported twice."""
    for future, value, error in outcomes:
        if future.done():  # its caller was cancelled; the write itself is done
            continue
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)
            future.exception()  # marks it as seen; the log has the failure already


def _rank(kind: Kind) -> int:
    return kind.rank


def _nothing(_connection: sqlite3.Connection, rows: Sequence[None]) -> Sequence[None]:
    return rows


_LAST = Kind("last", 99, _nothing, urgent=True, alone=True)


def _nobody(_: object) -> None:
    """Nobody asked how long commits take, or why a write failed."""
