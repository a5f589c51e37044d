"""The embedded store: one SQLite file, one thread that writes and one that reads.

Writes are handed to the writer in the order of the calls and are durable (WAL, synchronous=FULL) when their
future completes. Reads have a connection of their own: a read waits for the disk only when something that it
would show was handed over before it and is not written yet.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import structlog

from bot.errors import StoreError
from bot.store import conversations, inbox, kinds, letters, money, sql, turns
from bot.store.base import Conversation, HistoryRow, PendingTurn, TurnRecord
from bot.store.codec import encode_message, encode_text
from bot.store.connection import check, connect
from bot.store.executors import Executor, ThreadExecutor
from bot.store.migrate import ensure_schema
from bot.store.money import Charge, Cost, Held, Spent
from bot.store.reader import Reader
from bot.store.sweep import Retention, Sweeper
from bot.store.writer import Kind, Writer, settle
from channels.events import Message, Sent

CHECK_BYTES = 64 * 1024 * 1024
CHECKPOINT_WRITES = 300
FIRST_SWEEP = 60.0
NEXT_SLICE = 0.25

_log = structlog.get_logger(__name__)

T = TypeVar("T")
Connections = tuple[sqlite3.Connection, sqlite3.Connection, sqlite3.Connection]


@contextlib.asynccontextmanager
async def open_store(
    path: Path,
    *,
    clock: Callable[[], float] = time.time,
    executor: Callable[[str], Executor] = ThreadExecutor,
    retention: Retention | None = None,
    check_bytes: int = CHECK_BYTES,
) -> AsyncIterator[SqliteStore]:
    """The store in the file `path`, created where there is none; closed at the end. Raises StoreError.

    `clock`: seconds since the epoch. `executor`: makes the places where work is done (writer, reader, keeper);
    `InlineExecutor` does everything in the caller's thread. `check_bytes`: larger files are not looked through
    at the start (see bot.store.scrub). Belongs to the running loop.
    """
    store = await SqliteStore.open(
        path, clock=clock, executor=executor, retention=retention, check_bytes=check_bytes
    )
    try:
        yield store
    finally:
        await store.close()


class SqliteStore:
    """bot.store.base.Store over one SQLite file. Made by `open_store` or `SqliteStore.open`."""

    def __init__(
        self,
        path: Path,
        connections: Connections,
        executors: tuple[Executor, Executor, Executor],
        clock: Callable[[], float],
        retention: Retention,
    ) -> None:
        self.path = path
        self.unreadable = 0  # messages that could not be read after a restart and were set aside
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._connections = connections
        self._executors = executors
        self.writer = Writer(connections[0], path, executors[0])
        self._reader = Reader(connections[1], path, executors[1])
        self._keeper = Reader(connections[2], path, executors[2])
        self._sweeper = Sweeper(retention)
        self._every = retention.every
        self._finishing = kinds.finishing(retention.lines)
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(
            min(FIRST_SWEEP, retention.every), self._sweep
        )
        self._since_checkpoint = 0
        self._unsettled: dict[tuple[str, ...], asyncio.Future[Any]] = {}
        self._closed = False

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        clock: Callable[[], float] = time.time,
        executor: Callable[[str], Executor] = ThreadExecutor,
        retention: Retention | None = None,
        check_bytes: int = CHECK_BYTES,
    ) -> SqliteStore:
        """As `open_store`; the caller closes it."""
        loop = asyncio.get_running_loop()
        executors = (executor("store-writer"), executor("store-reader"), executor("store-keeper"))
        opened: asyncio.Future[Connections] = loop.create_future()

        def work() -> None:
            try:
                connections = _open_file(path, check_bytes)
            except Exception as error:  # noqa: BLE001 - handed to the caller
                loop.call_soon_threadsafe(settle, [(opened, None, error)])
            else:
                loop.call_soon_threadsafe(settle, [(opened, connections, None)])

        executors[0].submit(work)
        try:
            connections = await opened
        except BaseException:
            for one in executors:
                one.close()
            raise
        return cls(path, connections, executors, clock, retention or Retention())

    # Inbox

    def add_message(
        self, message: Message, turn_id: str, received_at: float, *, is_begun: bool = False
    ) -> asyncio.Future[bool]:
        """See Store. Refused with StoreError("overloaded ...") while too much waits to be written."""
        key = message.address.key
        payload = encode_message(message)
        where = (key.channel, key.account, message.event_key, received_at, turn_id, str(key))
        row = (*where, payload, message.sender.id, int(is_begun))
        return self._write(kinds.ADD_MESSAGE, row, len(payload))

    def add_key(self, channel: str, account: str, event_key: str) -> asyncio.Future[bool]:
        """See Store."""
        return self._write(kinds.ADD_KEY, (channel, account, event_key, self._clock()))

    def correct(
        self, channel: str, account: str, event_key: str, turn_id: str, text: str
    ) -> asyncio.Future[bool]:
        """See Store. The text stays as it is once the message's turn has ended."""
        key = (channel, account, event_key, self._clock())
        return self.call(functools.partial(inbox.correct, key=key, turn_id=turn_id, text=text))

    def join(self, turn_id: str, merged: Sequence[str]) -> asyncio.Future[None]:
        """See Store. Changes nothing once the turn has ended."""
        return self._write(kinds.STATEMENT, (sql.JOIN_TURNS, (encode_text(list(merged)), turn_id)))

    def begin(self, turn_id: str) -> asyncio.Future[None]:
        """See Store."""
        return self._write(kinds.STATEMENT, (sql.BEGIN, (turn_id,)))

    def rest(self, turn_id: str) -> asyncio.Future[None]:
        """See Store."""
        return self._write(kinds.STATEMENT, (sql.REST, (turn_id,)))

    def note_error(self, turn_id: str, reason: str) -> asyncio.Future[None]:
        """See Store."""
        return self._write(kinds.STATEMENT, (sql.NOTE_ERROR, (reason, turn_id)))

    def bury(self, turn_id: str, reason: str, *, keeps_answer: bool) -> asyncio.Future[None]:
        """See Store."""
        return self.call(functools.partial(letters.bury, turn_id=turn_id, why=reason, keeps=keeps_answer))

    async def pending(self) -> Sequence[PendingTurn]:
        """See Store. A message that cannot be read is set aside as dead, with the reason, and logged."""
        return self._readable(await self.call(inbox.take_pending))

    async def waiting(self, turn_id: str) -> PendingTurn | None:
        """See Store."""
        found = self._readable(await self.call(functools.partial(inbox.take_one, turn_id=turn_id)))
        return found[0] if found else None

    def _readable(self, waiting: inbox.Waiting) -> Sequence[PendingTurn]:
        self.unreadable += len(waiting.unreadable)
        for turn_id, reason in waiting.unreadable:
            _log.error("stored message cannot be read", turn_id=turn_id, error=reason)
        return waiting.turns

    # Turns

    def part_sent(self, turn_id: str, part: int, send_key: str, sent: Sent) -> asyncio.Future[None]:
        """See Store. A second time for the same part: the newer id and text stand."""
        return self._write(kinds.PART_SENT, (turn_id, part, send_key, sent.id, sent.shown))

    def progress(self, turn_id: str, text: str) -> asyncio.Future[None]:
        """See Store. Changes nothing once the final text is known or the turn has ended."""
        return self._write(kinds.PROGRESS, (turn_id, text), len(text))

    def final(self, turn_id: str, text: str) -> asyncio.Future[None]:
        """See Store. Changes nothing once the turn has ended."""
        return self._write(kinds.FINAL, (turn_id, text), len(text))

    def finish_turn(self, record: TurnRecord) -> asyncio.Future[None]:
        """See Store. A turn that has no message (a command's answer) is recorded all the same."""
        size = sum([line.size for line in record.history])
        future = self._write(self._finishing, turns.ending(record, self._clock()), size)
        self._remember(("history", record.key), future)
        self._remember(("turns",), future)
        return future

    def note_feedback(self, turn_id: str, name: str, value: str | None) -> asyncio.Future[None]:
        """See Store."""
        if value is None:
            future = self._write(kinds.STATEMENT, (sql.UNSET_FEEDBACK, (name, turn_id)))
        else:
            future = self._write(kinds.STATEMENT, (sql.SET_FEEDBACK, (name, value, turn_id)))
        self._remember(("turns",), future)
        return future

    async def history(self, key: str, session: int, limit: int) -> Sequence[HistoryRow]:
        """See Store."""
        await self._settled("history", key)
        return await self._reader.run(functools.partial(turns.history, key=key, session=session, limit=limit))

    async def turns(self, key: str | None, limit: int) -> Sequence[TurnRecord]:
        """See Store."""
        await self._settled("turns")
        return await self._reader.run(functools.partial(turns.turns, key=key, limit=limit))

    # Money

    async def take_up_spending(self, day: int, month_began: int) -> Spent:
        """See Store."""
        return await self.call(functools.partial(money.take_up, day=day, month_began=month_began))

    def hold(self, held: Held) -> asyncio.Future[None]:
        """See Store."""
        return self._write(kinds.HOLD, held)

    def charge(self, charge: Charge) -> asyncio.Future[None]:
        """See Store."""
        return self._write(kinds.CHARGE, charge)

    async def costs(self, since: int, conversation: str | None = None) -> Sequence[Cost]:
        """See Store."""
        return await self.call(functools.partial(money.costs, since=since, conversation=conversation))

    async def said_since(self, since: float) -> Sequence[tuple[str, str, str, str, int]]:
        """See Store."""
        return await self._reader.run(functools.partial(inbox.said_since, since=since))

    # Conversations, cursors, choices

    async def conversation(self, key: str) -> Conversation:
        """See Store."""
        await self._settled("conversation", key)
        return await self._reader.run(functools.partial(conversations.conversation, key=key))

    async def opened(self, key: str, limit: int) -> tuple[Conversation, Sequence[HistoryRow]]:
        """See Store."""
        await self._settled("conversation", key)
        await self._settled("history", key)
        return await self._reader.run(functools.partial(turns.opened, key=key, limit=limit))

    def save_conversation(self, conversation: Conversation) -> asyncio.Future[None]:
        """See Store."""
        choices = encode_text(conversation.choices)
        row = (conversation.key, conversation.session, choices, conversation.handle, self._clock())
        future = self._write(kinds.STATEMENT, (sql.SAVE_CONVERSATION, row), len(choices))
        self._remember(("conversation", conversation.key), future)
        return future

    async def cursor(self, channel: str, account: str, name: str) -> str | None:
        """See Store."""
        await self._settled("cursor", channel, account, name)
        read = functools.partial(conversations.cursor, channel=channel, account=account, name=name)
        return await self._reader.run(read)

    def set_cursor(self, channel: str, account: str, name: str, value: str) -> asyncio.Future[None]:
        """See Store."""
        future = self._write(kinds.STATEMENT, (sql.SET_CURSOR, (channel, account, name, value)))
        self._remember(("cursor", channel, account, name), future)
        return future

    async def choices(self, scope: str) -> Mapping[str, str]:
        """See Store."""
        await self._settled("choices", scope)
        return await self._reader.run(functools.partial(conversations.choices, scope=scope))

    def set_choice(self, scope: str, name: str, value: str | None) -> asyncio.Future[None]:
        """See Store."""
        if value is None:
            future = self._write(kinds.STATEMENT, (sql.UNSET_CHOICE, (scope, name)))
        else:
            future = self._write(kinds.STATEMENT, (sql.SET_CHOICE, (scope, name, value)))
        self._remember(("choices", scope), future)
        return future

    # Work of the owner's

    def call(self, work: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """What `work` returns, done in a transaction after every write that was handed over before."""
        return self._write(kinds.CALL, work)

    async def alone(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` returns, done on the writer's connection outside any transaction, while all writes wait."""
        await self.call(_nothing)
        return await Reader(self._connections[0], self.path, self._executors[0]).run(work)

    async def close(self) -> None:
        """See Store. Works off the write-ahead log too. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        await self.writer.close()
        for reader in (self._reader, self._keeper):
            await reader.close()
        last = Reader(self._connections[0], self.path, self._executors[0])
        try:
            await last.run(_work_off_log)
        except StoreError as error:  # the next start reads the log
            _log.warning("store log not worked off", error=str(error))
        await last.close()
        for one in self._executors:
            one.close()

    # Inside

    def _write(self, kind: Kind, row: Any, size: int = 0) -> asyncio.Future[Any]:
        self._since_checkpoint += 1
        if self._since_checkpoint >= CHECKPOINT_WRITES:
            self._since_checkpoint = 0
            self._keeper.run(_checkpoint).add_done_callback(self._checkpointed)
        return self.writer.add(kind, row, size=size)

    def _checkpointed(self, checkpoint: asyncio.Future[None]) -> None:
        """The rest, which came meanwhile, is short; once all is copied, the log begins again from its start."""
        if not self._closed:
            self.writer.when_idle(_checkpoint)

    def _remember(self, topic: tuple[str, ...], future: asyncio.Future[Any]) -> None:
        self._unsettled[topic] = future
        future.add_done_callback(functools.partial(self._forget, topic))

    def _forget(self, topic: tuple[str, ...], future: asyncio.Future[Any]) -> None:
        if self._unsettled.get(topic) is not future:
            return
        del self._unsettled[topic]
        if future.cancelled() and not self._closed:  # its caller went away, but the write is still to come
            self._remember(topic, self.writer.add(kinds.CALL, _nothing))

    async def _settled(self, *topic: str) -> None:
        future = self._unsettled.get(topic)
        if future is not None:
            await asyncio.wait((future,))

    def _sweep(self) -> None:
        """Housekeeping, a slice at a time, when nothing else waits to be written."""
        if self.writer.is_pressed:
            self._timer = self._loop.call_later(NEXT_SLICE, self._sweep)
            return
        step = self.writer.add(kinds.SWEEP, functools.partial(self._sweeper.step, now=self._clock()))
        step.add_done_callback(self._swept)

    def _swept(self, step: asyncio.Future[bool]) -> None:
        if self._closed:
            return
        more = not step.cancelled() and step.exception() is None and step.result()
        self._timer = self._loop.call_later(
            min(NEXT_SLICE, self._every) if more else self._every, self._sweep
        )


def _open_file(path: Path, check_bytes: int) -> Connections:
    with contextlib.ExitStack() as opened:
        connections: list[sqlite3.Connection] = []
        for _ in range(3):
            connections.append(connect(path))
            opened.callback(connections[-1].close)
            if len(connections) == 1:
                check(connections[0], path, check_bytes)
                ensure_schema(connections[0], path)
        opened.pop_all()
    return connections[0], connections[1], connections[2]


def _checkpoint(connection: sqlite3.Connection) -> None:
    """Copy the write-ahead log into the file as far as nobody reads it; writers go on meanwhile."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _work_off_log(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _nothing(connection: sqlite3.Connection) -> None:
    """Complete after everything that was handed over before."""
