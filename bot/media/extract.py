"""Reading a document in a process of its own, with a deadline: the daemon's memory and loop are never a parser's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping

import structlog

from bot.media.excerpt import Excerpt
from bot.media.filetypes import Family
from bot.media.problems import Problem, Unreadable

log = structlog.get_logger()

DEADLINE = 10.0
"""Seconds for one document, waiting for a place included not."""

AT_ONCE = 2
"""Processes at a time. A document is seconds of work for a processor, and answers are worth more."""

EXTRACTED = frozenset({Family.HTML, Family.PDF, Family.OFFICE})
_KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "SYSTEMROOT")
_OVERHEAD = 10_000


class Extractor:
    """Reads documents, AT_ONCE of them at a time."""

    def __init__(self, deadline: float = DEADLINE) -> None:
        self._deadline = deadline
        self._places = asyncio.Semaphore(AT_ONCE)

    async def read(self, family: Family, data: bytes, limit: int, charset: str = "") -> Excerpt:
        """The first `limit` characters of a document of one of the families in EXTRACTED. Raises Unreadable."""
        async with self._places:
            try:
                async with asyncio.timeout(self._deadline):
                    answer = await _ask(family, data, limit, charset)
            except TimeoutError:
                raise Unreadable(Problem.TOO_SLOW) from None
        if "problem" in answer:
            raise Unreadable(Problem(str(answer["problem"])))
        return Excerpt(str(answer["text"]), bool(answer["is_cut"]), str(answer["about"]))


async def _ask(family: Family, data: bytes, limit: int, charset: str) -> Mapping[str, object]:
    """The process's answer. It sees nothing of our environment: keys stand there."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", "bot.media.worker", str(family), str(limit), charset),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env={name: os.environ[name] for name in _KEPT if name in os.environ},
    )
    try:
        raw = await _talk(process, data, limit * 12 + _OVERHEAD)
        code = await process.wait()
    finally:
        await _end(process)
    try:
        answer = json.loads(raw)
    except ValueError:
        # Below zero: killed, by the limit of its time or for want of memory. Else it did not even begin.
        log.warning("document reader ended", family=str(family), code=code)
        raise Unreadable(Problem.TOO_MUCH if code < 0 else Problem.NOT_OPENED) from None
    if not isinstance(answer, dict):
        raise Unreadable(Problem.DAMAGED)
    return answer


async def _talk(process: Process, data: bytes, most: int) -> bytes:
    assert process.stdin is not None  # noqa: S101 - it was asked for
    assert process.stdout is not None  # noqa: S101 - it was asked for
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()
    parts: list[bytes] = []
    while most > 0 and (part := await process.stdout.read(min(most, 65536))):
        parts.append(part)
        most -= len(part)
    return b"".join(parts)


async def _end(process: Process) -> None:
    """Whatever happened, it does not live on."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
