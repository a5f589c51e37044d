"""A server that is a program of ours: messages over its pipes, and its end.

The library's own client for this keeps whatever a server writes until a line ends, and cuts that text anew with each
chunk: 100 MB in one line hold the loop up for minutes (mcp 2.3, client/stdio.py, 2026-11). Here a line has a bound.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, TypeVar

import anyio
import mcp_types as wire
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage

from bot.mcp.lines import MAX_MESSAGE, Lines, TooLong

CHUNK = 65_536
MAX_OUTGOING = 64
"""Messages that wait for a server that does not read; more than ever are under way."""

WRITE_DEADLINE = 5.0
"""Seconds in which a server has to take a message off its pipe."""

GRACE = 1.0
"""Seconds that a server gets to end by itself once its input is closed, and again half of it after SIGTERM."""

BYTES_A_SECOND = 32 * 1024 * 1024
LINES_A_SECOND = 2_000
"""What is taken from one pipe; a server that writes more waits, and everybody else does not."""

MAX_FLOOD = 256 * 1024 * 1024
"""Bytes of one line after which a server is given up."""

MAX_REMARK = 8_192
_LOOK_EVERY = 0.01

T = TypeVar("T")
Streams: TypeAlias = tuple[
    MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]
]


@dataclass(slots=True)
class Child:
    """A program, and what became of it. `remark` is told each line that it writes on its standard error.

    `ended` is set once it can no longer be talked to. `code`: the exit code of one that ended by itself, below 0 the
    number of the signal; None while it runs and when we had to make it end.
    """

    command: str
    args: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: str | None = None
    remark: Callable[[str], None] = lambda _: None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    code: int | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Streams]:
        """Start it; end it, and whatever it has started, when the context is left. Raises OSError.

        It gets the few variables of ours that the library deems harmless, and `env`.
        """
        process = await self._start()
        # Nothing is awaited from here to `try`: a process would be left behind.
        into, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        outgoing, out_of = anyio.create_memory_object_stream[SessionMessage](MAX_OUTGOING)
        tasks = [
            asyncio.create_task(self._read(process, into)),
            asyncio.create_task(self._write(process, out_of, into)),
            asyncio.create_task(self._listen(process)),
        ]
        try:
            yield incoming, outgoing
        finally:
            incoming.close()  # what it still writes is read and thrown away, so that it can end
            try:
                if await _end(process):
                    self.code = process.returncode
            finally:
                _kill_group(process.pid, signal.SIGKILL)  # also what it left running, and if we are hurried
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                for stream in (into, incoming, outgoing, out_of):
                    stream.close()
                _close(process)

    async def _start(self) -> asyncio.subprocess.Process:
        cwd = _at_home(self.cwd) if self.cwd is not None else None
        try:
            return await asyncio.create_subprocess_exec(
                _at_home(self.command),
                *self.args,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=get_default_environment() | dict(self.env),
                cwd=cwd,
                start_new_session=True,  # a group of its own, so that its children end with it
            )
        except OSError as error:  # uvloop does not say which file it is about
            error.filename = cwd if cwd is not None and not _is_folder(cwd) else self.command
            raise

    async def _read(
        self, process: asyncio.subprocess.Process, into: MemoryObjectSendStream[SessionMessage | Exception]
    ) -> None:
        try:
            async with aclosing(_lines(_there(process.stdout), MAX_MESSAGE)) as lines:
                async for line in lines:
                    message = message_of(line)
                    if message is not None:
                        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                            await into.send(SessionMessage(message))
        finally:
            self.ended.set()
            into.close()

    async def _write(
        self,
        process: asyncio.subprocess.Process,
        out_of: MemoryObjectReceiveStream[SessionMessage],
        into: MemoryObjectSendStream[SessionMessage | Exception],
    ) -> None:
        pipe = _there(process.stdin)
        try:
            async for item in out_of:
                text = item.message.model_dump_json(by_alias=True, exclude_unset=True)
                pipe.write(text.encode("utf-8", "replace") + b"\n")
                async with asyncio.timeout(WRITE_DEADLINE):
                    await pipe.drain()
        except (OSError, TimeoutError):  # it has gone, or it does not read any more
            self.ended.set()
            into.close()
            out_of.close()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        async with aclosing(_lines(_there(process.stderr), MAX_REMARK)) as lines:
            async for line in lines:
                data = line.head if isinstance(line, TooLong) else line
                self.remark(data.decode("utf-8", "replace"))


async def _lines(pipe: asyncio.StreamReader, most: int) -> AsyncGenerator[bytes | TooLong, None]:
    """What comes down a pipe, at most so much a second; ends with it, and with a line that does not end."""
    lines, clock = Lines(most), asyncio.get_running_loop().time
    began, share = clock(), 0.0
    while lines.size <= MAX_FLOOD and (chunk := await pipe.read(CHUNK)):
        found = lines.feed(chunk)
        for line in found:
            yield line
        now = clock()
        if now - began >= 1.0:
            began, share = now, 0.0
        share += len(chunk) / BYTES_A_SECOND + len(found) / LINES_A_SECOND
        if share >= 1.0:
            await asyncio.sleep(share - (now - began))


def message_of(line: bytes | TooLong) -> wire.JSONRPCMessage | None:
    """The message in a line; an error in place of an answer that is too long; None for anything else."""
    if isinstance(line, TooLong):
        if line.answers is None:
            return None
        text = f"its answer is longer than {MAX_MESSAGE // 1024 // 1024} MB"
        error = wire.ErrorData(code=wire.INTERNAL_ERROR, message=text)
        return wire.JSONRPCError(jsonrpc="2.0", id=line.answers, error=error)
    try:
        return wire.jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValueError:  # many servers print other things too
        return None


async def _end(process: asyncio.subprocess.Process) -> bool:
    """Close its input, wait, ask, wait (specification 2025-11-25, lifecycle, shutdown). True: it ended by itself."""
    _there(process.stdin).close()
    if await _has_ended(process, GRACE):
        return True
    _kill_group(process.pid, signal.SIGTERM)
    if not await _has_ended(process, GRACE / 2):
        _kill_group(process.pid, signal.SIGKILL)
        await _has_ended(process, GRACE)
    return False


async def _has_ended(process: asyncio.subprocess.Process, within: float) -> bool:
    """Whether it ends in time. Not `wait`, which would wait for the pipes too; its children may hold them."""
    end = asyncio.get_running_loop().time() + within
    while process.returncode is None:
        if asyncio.get_running_loop().time() >= end:
            return False
        await asyncio.sleep(_LOOK_EVERY)
    return True


def _there(pipe: T | None) -> T:
    if pipe is None:
        raise RuntimeError("a program was started without pipes")
    return pipe


def _is_folder(path: str) -> bool:
    return Path(path).is_dir()


def _at_home(path: str) -> str:
    return str(Path(path).expanduser()) if path.startswith("~") else path


def _kill_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # all of it has gone; or a zombie, on macOS
        os.killpg(group, number)


def _close(process: asyncio.subprocess.Process) -> None:
    """Close its pipes, which a process that left the group may hold open. Nothing public does."""
    transport = getattr(process, "_transport", None)
    if transport is not None:
        with suppress(ProcessLookupError, PermissionError):
            transport.close()
