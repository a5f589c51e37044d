"""The two peers and the bot under test, as three processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import aiohttp

from tests.bench.processes import cores, pinned
from tests.channels.telegram.peer.client import Peer, start_peer
from tests.mock_model.client import MockModel, running

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 30.0
PROFILE = "FIRSTWORD_BENCH_PROFILE"
LOG = "FIRSTWORD_BENCH_LOG"


class Kind(StrEnum):
    """Which bot is measured."""

    FIRSTWORD = "firstword"
    FLOOR = "floor"


@dataclass(frozen=True, slots=True)
class Rig:
    """The mock model and the fake Bot API server, running."""

    model: MockModel
    telegram: Peer


@dataclass(frozen=True, slots=True)
class Bot:
    """The bot under test, ready. `ready`: seconds from its start to being ready for messages."""

    pid: int
    ready: float
    rig: Rig


@asynccontextmanager
async def open_rig(*telegram_flags: str) -> AsyncIterator[Rig]:
    """Both peers on their core; each row has fresh ones."""
    with pinned(cores()[1]), running() as model:
        async with start_peer(*telegram_flags) as telegram:
            yield Rig(model, telegram)


@asynccontextmanager
async def open_bot(
    kind: Kind, rig: Rig, *, edit_every: float | None = None, keeps_limits: bool = False
) -> AsyncIterator[Bot]:
    """The bot on its core, polling; ended by SIGTERM, and by SIGKILL when that takes too long.

    `edit_every` None: as it streams when nothing is set. `keeps_limits`: Telegram's flood limits are kept.
    """
    with tempfile.TemporaryDirectory(prefix="firstword-bench-") as home:
        folder = Path(home)
        port = _free_port() if kind is Kind.FIRSTWORD else None
        if port is None:
            command = _floor(rig, edit_every or 1.0)
        else:
            (folder / "config.json").write_text(
                json.dumps(config(rig, port, edit_every, keeps_limits=keeps_limits)), encoding="utf-8"
            )
            command = [*_sampled(), str(Path(sys.executable).parent / "firstword"), "run", "--home", home]
        log = folder / "output.txt"
        output = log.open("wb")
        started = time.monotonic()
        with pinned(cores()[0]), output:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=ROOT, stdout=output, stderr=output, env=_environment(folder)
            )
        try:
            try:
                await _until_ready(process, rig, port)
            except (RuntimeError, TimeoutError) as error:
                raise RuntimeError(f"{kind} did not become ready: {error}\n{_tail(log)}") from error
            ready = time.monotonic() - started
            if PROFILE in os.environ:
                process.send_signal(signal.SIGUSR1)
            yield Bot(process.pid, ready, rig)
        finally:
            await _end(process)
            _keep(log)


def _floor(rig: Rig, edit_every: float) -> list[str]:
    telegram = rig.telegram
    given = (telegram.base_url, rig.model.base_url, telegram.token, str(edit_every))
    return [sys.executable, "-W", "ignore", "-m", "tests.bench.floor_bot", *given]


def _sampled() -> list[str]:
    """The sampler before the program, where the variable names its file."""
    out = os.environ.get(PROFILE)
    return [] if out is None else [sys.executable, "-m", "tests.bench.sampler", out]


def config(rig: Rig, port: int, edit_every: float | None, *, keeps_limits: bool) -> dict[str, Any]:
    """What a person would write for a self-hosted Bot API server and one OpenAI-compatible server."""
    model = {"id": "m", "contextWindow": 128_000, "maxTokens": 8192}
    provider = {
        "baseUrl": rig.model.base_url,
        "api": "openai-completions",
        "apiKey": "x",
        "models": [model],
    }
    account: dict[str, Any] = {
        "token": rig.telegram.token,
        "baseUrl": f"{rig.telegram.base_url}/bot",
        "allow": ["*"],
        "limits": "telegram" if keeps_limits else "none",
    }
    if edit_every is not None:
        account |= {"stream": "edits", "editInterval": edit_every}
    return {
        "models": {"providers": {"mock": provider}},
        "agents": {"defaults": {"model": {"primary": "mock/m"}}},
        "channels": {"telegram": {"enabled": True, "accounts": {"main": account}}},
        "server": {"port": port},
    }


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of the caller's that would change what the bot is."""
    kept = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "TMPDIR", "SYSTEMROOT")
    found = {name: os.environ[name] for name in kept if name in os.environ}
    return found | {"HOME": str(folder), "PYTHONUNBUFFERED": "1"}


async def _until_ready(process: asyncio.subprocess.Process, rig: Rig, port: int | None) -> None:
    """The Bot API server holds a poll, and the bot's own readiness says yes where it has one."""
    async with asyncio.timeout(START_SECONDS):
        held = asyncio.create_task(rig.telegram.wait(timeout=START_SECONDS, holding=True))
        ended = asyncio.create_task(process.wait())
        try:
            if port is not None:
                await _readyz(port, ended)
            await asyncio.wait((held, ended), return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                raise RuntimeError(f"it ended with {ended.result()}")
        finally:
            held.cancel()
            ended.cancel()
            await asyncio.gather(held, ended, return_exceptions=True)


async def _readyz(port: int, ended: asyncio.Task[int]) -> None:
    async with aiohttp.ClientSession() as session:
        while not ended.done():
            try:
                async with session.get(f"http://127.0.0.1:{port}/readyz") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.01)  # a poll of the condition: readiness cannot be awaited from outside


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _keep(log: Path) -> None:
    """The bot's output, where the variable says: the folder goes with the row."""
    if LOG in os.environ:
        Path(os.environ[LOG]).write_bytes(log.read_bytes())


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]
