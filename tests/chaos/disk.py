"""The disk under the real store: it takes its time, may be full, and keeps what was committed before a death."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bot.store.connection import connect
from bot.store.migrate import ensure_schema
from bot.store.sqlite import SqliteStore
from bot.store.sweep import Retention
from tests.chaos.life import Life, Point


class SlowExecutor:
    """Does work in the loop's own thread, later, in order, and none of it after the death of its life."""

    def __init__(self, life: Life, dice: random.Random, seconds: float) -> None:
        self._life = life
        self._dice = dice
        self._seconds = seconds
        self._free_at = 0.0

    def submit(self, run: Callable[[], None], /) -> None:
        """Have it done when the disk has done everything before it."""
        if not self._life.is_alive:
            return
        loop = asyncio.get_running_loop()
        took = self._seconds * self._dice.uniform(0.2, 2.0)
        if self._dice.random() < 0.02:
            took += 20 * self._seconds
        self._free_at = max(self._free_at, loop.time()) + took
        loop.call_at(self._free_at, self._work, run)

    def _work(self, run: Callable[[], None]) -> None:
        self._life.passes(Point.BEFORE_COMMIT)
        if not self._life.is_alive:
            return
        run()
        self._life.passes(Point.COMMITTED)

    def close(self) -> None:
        """Nothing to do."""


@dataclass
class Disk:
    """The store's file through all lives."""

    path: Path
    dice: random.Random
    seconds: float
    faults: float
    wall: Callable[[], float]
    _connections: list[sqlite3.Connection] = field(default_factory=list)

    def open(self, life: Life) -> SqliteStore:
        """The store as this life opens it."""
        first, second, third = connect(self.path), connect(self.path), connect(self.path)
        self._connections = [first, second, third]
        for each in self._connections:
            each.execute("PRAGMA synchronous = OFF")  # processes die here, never the machine
        ensure_schema(first, self.path)
        executors = (self._executor(life), self._executor(life), self._executor(life))
        if self.faults and life.death is not None:
            life.loop.call_later(self.dice.uniform(0.5, 20), self._fill, first, life)
        return SqliteStore(self.path, (first, second, third), executors, self.wall, Retention())

    def lose(self) -> None:
        """The process is dead: its handles are gone, and so is what was not committed."""
        for each in self._connections:
            with contextlib.suppress(sqlite3.Error):
                each.close()
        self._connections = []

    def _executor(self, life: Life) -> SlowExecutor:
        return SlowExecutor(life, self.dice, self.seconds)

    def _fill(self, connection: sqlite3.Connection, life: Life) -> None:
        """The disk is full for a while."""
        if not life.is_alive:
            return
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()
        life.loop.call_later(self.dice.uniform(0.2, 5), self._empty, connection, life)

    @staticmethod
    def _empty(connection: sqlite3.Connection, life: Life) -> None:
        if life.is_alive:
            connection.execute("PRAGMA max_page_count = 1073741823").fetchall()
