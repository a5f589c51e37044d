"""The process's own state, for the metrics: how late its loop is, leaps of the clock, its tasks and its store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from bot import metrics

log = structlog.get_logger()

EVERY = 1.0
SET = 5.0
"""Seconds by which the clock has to leap to count: corrections by NTP are slewed or smaller (128 ms and more are
stepped, ntpd(8), 2026-11)."""


async def watch_vitals(store: Path, wall: Callable[[], float] = time.time) -> None:
    """For ever. `store`: its file; `wall`: seconds since the epoch."""
    loop = asyncio.get_running_loop()
    metrics.watch_tasks(lambda: len(asyncio.all_tasks(loop)))
    metrics.watch_store(lambda: size_of(store))
    loop.set_exception_handler(_count_error)
    ahead = wall() - loop.time()
    while True:
        due = loop.time() + EVERY
        await asyncio.sleep(EVERY)
        metrics.loop_lag(loop.time() - due)
        leap = wall() - loop.time() - ahead
        ahead += leap
        if abs(leap) > SET:
            metrics.clock_set()
            log.warning("clock was set", seconds=round(leap))


def _count_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What nobody waited for is logged as ever, and counted."""
    metrics.loop_failed()
    loop.default_exception_handler(context)


def size_of(store: Path) -> int:
    """Bytes of the store's file and its write-ahead log; what is not there counts nothing."""
    return sum(path.stat().st_size for path in (store, store.with_name(f"{store.name}-wal")) if path.exists())
