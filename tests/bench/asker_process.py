"""One asker in a process of its own: does what it is told on stdin, answers on stdout, a JSON object a line.

`python -m tests.bench.asker_process KEY ROOT_URL [RECORD]`. The loop is the daemon's (uvloop where it is installed)
and runs only while something is measured; the collector is set as the daemon sets it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import structlog

from tests.bench.askers import BY_KEY, HELD, QUESTION, Ask, opened
from tests.bench.processes import peak_bytes, rss_bytes, waited_seconds

HOLD_AT_ONCE = 50
"""Streams that are being opened at the same time: what is measured is that they are open."""


class Process:
    """The asker and the streams that it holds open."""

    def __init__(self, key: str, root_url: str, sent: Mapping[str, Any] | None) -> None:
        self._key, self._root_url, self._sent = key, root_url, sent
        self._open = AsyncExitStack()
        self._ask: Ask | None = None
        self._held: list[asyncio.Task[None]] = []
        self._base = rss_bytes(os.getpid())

    async def do(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out one command."""
        match told["do"]:
            case "open":
                return await self._opened()
            case "ask":
                return await self._asked(int(told["width"]), int(told["count"]))
            case "hold":
                return await self._hold(int(told["count"]))
            case "memory":
                return {"base": self._base, "peak": peak_bytes(os.getpid())}
            case _:
                await self._end()
                return {}

    async def _opened(self) -> dict[str, Any]:
        self._ask = await self._open.enter_async_context(
            opened(BY_KEY[self._key], self._root_url, self._sent)
        )
        await self._first(time.perf_counter())
        return {}

    async def _asked(self, width: int, count: int) -> dict[str, Any]:
        """`count` answers, always `width` of them asked in the same moment."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        seconds: list[float] = []
        cpu, waited = time.process_time(), waited_seconds(os.getpid())
        for _ in range(count // width):
            begun = time.perf_counter()
            seconds += await asyncio.gather(*(self._first(begun) for _ in range(width)))
        return {
            "first": seconds,
            "cpu": (time.process_time() - cpu) / len(seconds),
            "waited": (waited_seconds(os.getpid()) - waited) / len(seconds),
        }

    async def _first(self, begun: float) -> float:
        """Ask, read to the end; seconds to the first text since it was to be asked, its turn on the loop included."""
        assert self._ask is not None
        found: list[float] = []
        await self._ask(QUESTION, lambda: found.append(time.perf_counter() - begun))
        return found[0]

    async def _hold(self, count: int) -> dict[str, Any]:
        """Open streams whose answers go no further than their first text."""
        before, cpu = rss_bytes(os.getpid()), time.process_time()
        for start in range(0, count, HOLD_AT_ONCE):
            await asyncio.gather(*(self._one_held() for _ in range(min(HOLD_AT_ONCE, count - start))))
        return {
            "cpu": (time.process_time() - cpu) / count,
            "bytes": (rss_bytes(os.getpid()) - before) / count,
        }

    async def _one_held(self) -> None:
        assert self._ask is not None
        has_text = asyncio.Event()
        task = asyncio.ensure_future(self._ask(HELD, has_text.set))
        self._held.append(task)
        waiting = asyncio.create_task(has_text.wait())
        await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
        if not has_text.is_set():
            waiting.cancel()
            await task
            raise RuntimeError("a stream that is to be held has ended")

    async def _end(self) -> None:
        for task in self._held:
            task.cancel()
        await asyncio.gather(*self._held, return_exceptions=True)
        await self._open.aclose()


def main(key: str, root_url: str, sent: str = "null") -> None:
    """Serve until stdin ends."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    process = Process(key, root_url, json.loads(sent))
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        for line in sys.stdin:
            print(json.dumps(runner.run(process.do(json.loads(line)))), flush=True)
        runner.run(process.do({"do": "end"}))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


if __name__ == "__main__":
    main(*sys.argv[1:])
