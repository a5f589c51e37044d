"""The bot under test as a process of its own on its own core: started, waited for, ended."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp

from tests.bench.processes import cores, pinned

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 30.0
PROFILE = "FIRSTWORD_BENCH_PROFILE"
LOG = "FIRSTWORD_BENCH_LOG"

UntilReady = Callable[["asyncio.Task[int]"], Awaitable[None]]
"""Waits until the bot is ready; its argument ends when the bot's process does."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """The bot under test, ready. `ready`: seconds from its start to being ready for messages.

    `ended`: set when its process has ended by itself or was killed. `port`: of its own server, 0 where it has none.
    """

    pid: int
    ready: float
    ended: asyncio.Task[int]
    port: int = 0


@asynccontextmanager
async def open_process(
    command: Sequence[str], folder: Path, until_ready: UntilReady, name: str
) -> AsyncIterator[Daemon]:
    """Run it on the bot's core; ended by SIGTERM, and by SIGKILL when that takes too long.

    Raises RuntimeError with the end of its output when it does not become ready.
    """
    log = folder / "output.txt"
    output = log.open("wb")
    started = time.monotonic()
    with pinned(cores()[0]), output:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdout=output, stderr=output, env=_environment(folder)
        )
    ended = asyncio.create_task(process.wait())
    try:
        try:
            async with asyncio.timeout(START_SECONDS):
                await until_ready(ended)
            if ended.done():
                raise RuntimeError(f"it ended with {ended.result()}")
        except (RuntimeError, TimeoutError) as error:
            raise RuntimeError(f"{name} did not become ready: {error}\n{_tail(log)}") from error
        ready = time.monotonic() - started
        if PROFILE in os.environ:
            process.send_signal(signal.SIGUSR1)
        yield Daemon(process.pid, ready, ended)
    finally:
        await _end(process)
        ended.cancel()
        await asyncio.gather(ended, return_exceptions=True)
        _keep(log)


@asynccontextmanager
async def open_daemon(
    model_url: str, channels: dict[str, Any], connected: Callable[[], Coroutine[Any, Any, object]]
) -> AsyncIterator[Daemon]:
    """The daemon with these channels and one OpenAI-compatible server, ready and `connected`.

    `channels`: a channel's name to its accounts, each with what a person would write.
    """
    with tempfile.TemporaryDirectory(prefix="firstword-bench-") as home:
        async with open_home(Path(home), model_url, channels, connected) as daemon:
            yield daemon


@asynccontextmanager
async def open_home(
    home: Path,
    model_url: str,
    channels: dict[str, Any],
    connected: Callable[[], Coroutine[Any, Any, object]],
) -> AsyncIterator[Daemon]:
    """The same in a folder that outlives it."""
    port = free_port()
    config = settings(model_url, port, channels)
    (home / "config.json").write_text(json.dumps(config), encoding="utf-8")

    async def until_ready(ended: asyncio.Task[int]) -> None:
        """Its own readiness says yes, and the peers see it."""
        seen = asyncio.create_task(connected())
        try:
            await readyz(port, ended)
            await asyncio.wait((seen, ended), return_when=asyncio.FIRST_COMPLETED)
            if seen.done():
                seen.result()
        finally:
            seen.cancel()
            await asyncio.gather(seen, return_exceptions=True)

    command = [*_sampled(), str(Path(sys.executable).parent / "firstword"), "run", "--home", str(home)]
    async with open_process(command, home, until_ready, "firstword") as daemon:
        yield replace(daemon, port=port)


def settings(model_url: str, port: int, channels: dict[str, Any]) -> dict[str, Any]:
    """What a person would write for these channels and one OpenAI-compatible server."""
    model = {"id": "m", "contextWindow": 128_000, "maxTokens": 8192}
    provider = {"baseUrl": model_url, "api": "openai-completions", "apiKey": "x", "models": [model]}
    return {
        "models": {"providers": {"mock": provider}},
        "agents": {"defaults": {"model": {"primary": "mock/m"}}},
        "channels": {name: {"enabled": True, "accounts": accounts} for name, accounts in channels.items()},
        "limits": {
            "perSender": {"perMinute": None, "perDay": None},
            "perConversation": {"perMinute": None, "perDay": None},
        },
        "server": {"port": port},
    }


async def readyz(port: int, ended: asyncio.Task[int]) -> None:
    """Until /readyz says that nothing is missing, or the process has ended."""
    async with aiohttp.ClientSession() as session:
        while not ended.done():
            try:
                async with session.get(f"http://127.0.0.1:{port}/readyz") as response:
                    if response.status == 200 and not (await response.json())["missing"]:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.01)  # a poll of the condition: readiness cannot be awaited from outside


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _sampled() -> list[str]:
    """The sampler before the program, where the variable names its file."""
    out = os.environ.get(PROFILE)
    return [] if out is None else [sys.executable, "-m", "tests.bench.sampler", out]


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of the caller's that would change what the bot is."""
    kept = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "TMPDIR", "SYSTEMROOT")
    found = {name: os.environ[name] for name in kept if name in os.environ}
    return found | {"HOME": str(folder), "PYTHONUNBUFFERED": "1"}


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


def _keep(log: Path) -> None:
    """The bot's output, where the variable says: the folder goes with the row."""
    if LOG in os.environ:
        Path(os.environ[LOG]).write_bytes(log.read_bytes())


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]
