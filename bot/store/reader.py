"""Reads: one after another, on a connection of their own, so that they never wait for the disk's flush."""

from __future__ import annotations

import asyncio
import functools
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import structlog

from bot.errors import StoreError
from bot.store.connection import store_error
from bot.store.executors import Executor
from bot.store.writer import Outcome, settle

T = TypeVar("T")

_log = structlog.get_logger(__name__)


class Reader:
    """Runs functions one after another on a connection of its own, each with its own future."""

    def __init__(self, connection: sqlite3.Connection, path: Path, executor: Executor) -> None:
        self._connection = connection
        self._path = path
        self._executor = executor
        self._loop = asyncio.get_running_loop()
        self._home = threading.get_ident()
        self._closed = False

    def run(self, read: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """What `read` returns. Raises StoreError."""
        future: asyncio.Future[T] = self._loop.create_future()
        if self._closed:
            settle([(future, None, StoreError(f"{self._path} is closed"))])
        else:
            self._executor.submit(functools.partial(self._work, read, future))
        return future

    async def close(self) -> None:
        """Close the connection, after everything asked before."""
        closing = self.run(sqlite3.Connection.close)
        self._closed = True
        await closing

    def _work(self, read: Callable[[sqlite3.Connection], T], future: asyncio.Future[T]) -> None:
        try:
            outcome: Outcome = (future, read(self._connection), None)
        except Exception as error:  # noqa: BLE001 - whatever a read raises is its caller's answer
            reason = store_error(error, self._path)
            reason.__cause__ = error
            outcome = (future, None, reason)
        if threading.get_ident() == self._home:
            settle([outcome])
            return
        try:
            self._loop.call_soon_threadsafe(settle, [outcome])
        except RuntimeError:  # the loop is closed: nobody waits any more
            _log.warning("store read came too late")
