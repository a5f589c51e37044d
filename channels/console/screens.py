"""Where answers are written: a pipe, or (in prompt.py) a terminal with a prompt under the text."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from typing import Protocol, TextIO


class Screen(Protocol):
    """Takes text that only ever grows."""

    @property
    def is_terminal(self) -> bool:
        """Colours and notes make sense here."""

    async def write(self, text: str) -> None:
        """Show the text after what stands there. Raises BrokenPipeError when nobody reads any more."""


class PipeScreen:
    """Plain text on a stream; a slow reader holds the answer up and nothing else."""

    is_terminal = False

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    async def write(self, text: str) -> None:
        """Write and flush, in a thread: a full pipe blocks."""
        await asyncio.to_thread(self._write, text)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


async def read_lines(stream: TextIO, max_characters: int) -> AsyncGenerator[str, None]:
    """The lines of a stream until its end; of a longer line only its first `max_characters` + 1.

    Read in a daemon thread: it may be blocked for ever, and must not keep the program from leaving. One line
    is read ahead.
    """
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str] = asyncio.Queue()
    wanted = threading.Semaphore(1)
    is_over = threading.Event()

    def read() -> None:
        line = "-"
        while line:
            wanted.acquire()
            if is_over.is_set():
                return
            line = rest = stream.readline(max_characters + 1)
            while rest and not rest.endswith("\n"):
                rest = stream.readline(max_characters + 1)
            try:
                loop.call_soon_threadsafe(lines.put_nowait, line)
            except RuntimeError:  # the loop is closed: nobody waits for lines
                return

    threading.Thread(target=read, name="console input", daemon=True).start()
    try:
        while line := await lines.get():
            wanted.release()
            yield line
    finally:
        is_over.set()
        wanted.release()
