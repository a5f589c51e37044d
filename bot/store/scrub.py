"""Looking a large store through beside the daemon's work: a start waits for no more than `CHECK_BYTES`."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from bot.errors import StoreError
from bot.store.connection import check, open_to_read, store_error
from bot.store.sqlite import CHECK_BYTES
from bot.store.writer import settle

_log = structlog.get_logger(__name__)


async def scrub(path: Path, damaged: Callable[[], object], from_bytes: int = CHECK_BYTES) -> None:
    """Look through the store in `path`, once, where the start did not as it is larger than `from_bytes`.

    `damaged` hears of it when something is found, which is logged too. Writers go on meanwhile; the log cannot begin
    again from its start until this is over. Cancelled, it ends at once: the thread only reads, and dies with the
    process, as SQLite before 3.41 heeds no interruption in the midst of a table.
    """
    if not _is_larger(path, from_bytes):
        return
    loop = asyncio.get_running_loop()
    found: asyncio.Future[None] = loop.create_future()

    def tell(error: Exception | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits
            loop.call_soon_threadsafe(settle, [(found, None, error)])

    threading.Thread(target=_look, args=(path, tell), name="store-scrub", daemon=True).start()
    try:
        await found
    except StoreError as error:
        if error.reason != "damaged":
            _log.warning("store not looked through", error=str(error))
            return
        _log.error("store damaged", error=str(error))
        damaged()
    else:
        _log.info("store looked through", path=str(path))


def _is_larger(path: Path, than: int) -> bool:
    return path.stat().st_size > than


def _look(path: Path, tell: Callable[[Exception | None], None]) -> None:
    try:
        with contextlib.closing(open_to_read(path)) as connection:
            check(connection, path, sys.maxsize)
    except (sqlite3.Error, OSError, StoreError) as error:
        tell(store_error(error, path))
    else:
        tell(None)
