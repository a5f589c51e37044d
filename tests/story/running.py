"""A real daemon as its own process, for whole stories: started as a person starts it, killed as fate does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from bot.control import call
from bot.home import Home
from tests.canary import canary, check

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN = 30.0
BOUNDLESS = {"perMinute": None, "perDay": None}
"""Stories are told faster than people write."""


class Daemon:
    """One home folder and the daemon that runs in it, if any. `start` may be called again after an end."""

    command: tuple[str, ...] = (sys.executable, "-m", "bot", "run")

    def __init__(self, home: Path, config: Mapping[str, Any]) -> None:
        self.home = home
        self.address = ""
        self.lines: list[str] = []
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / "config.json").write_text(json.dumps(config))

    async def start(self) -> None:
        """Start and wait until it is ready; fails with its output when it ends instead."""
        keep = {key: os.environ[key] for key in ("PATH", "LANG", "TMPDIR") if key in os.environ}
        self._process = await asyncio.create_subprocess_exec(
            *self.command,
            "--home",
            str(self.home),
            cwd=ROOT,
            env={**keep, "HOME": str(self.home)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(READY_WITHIN):
            while True:
                line = await self._line()
                if "http://" in line:
                    self.address = next(part for part in line.split() if part.startswith("http://")).rstrip(
                        "/"
                    )
                    break
            self._reading = asyncio.create_task(self._read_on())
            await self._until_ready()

    async def _read_on(self) -> None:
        """A pipe that nobody reads is full after some hundred lines, and then the daemon waits."""
        while True:
            try:
                await self._line()
            except AssertionError:
                return

    async def _line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        line = (await self._process.stdout.readline()).decode(errors="replace")
        if not line:
            raise AssertionError(
                f"the daemon ended with {await self._process.wait()}:\n{''.join(self.lines)}"
            )
        self.lines.append(line)
        return line

    async def _until_ready(self) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                async with session.get(f"{self.address}/readyz") as response:
                    if response.status == 200 and not (await response.json())["missing"]:
                        return
                await asyncio.sleep(0.02)

    async def get(self, path: str) -> tuple[int, str]:
        """Status and body of a GET."""
        async with aiohttp.ClientSession() as session, session.get(self.address + path) as response:
            text = await response.text()
            check(text, path)
            return response.status, text

    async def ask(self, method: str, **params: Any) -> Any:
        """What the daemon says over its control socket."""
        return await call(Home(self.home), method, params)

    async def kept(self, table: str, count: int) -> None:
        """Wait until the store holds so many rows: what was only in memory until then is durable now."""
        path = Home(self.home).database
        async with asyncio.timeout(30):
            while True:
                with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
                    (found,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
                if found >= count:
                    return
                await asyncio.sleep(0.01)

    async def kill(self) -> None:
        """kill -9."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """SIGTERM; returns the exit code. Its figures hold no secret up to the end."""
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with asyncio.timeout(30):
                await self.get("/metrics")
        return await self._end(signal.SIGTERM)

    def send(self, number: signal.Signals) -> None:
        """Send a signal and go on."""
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self) -> int:
        """The exit code, once it has ended by itself."""
        assert self._process is not None
        assert self._process.stdout is not None
        if self._reading is not None:
            await self._reading
            self._reading = None
        else:
            self.lines.append((await self._process.stdout.read()).decode(errors="replace"))
        check("".join(self.lines), "what the daemon printed")
        return await self._process.wait()

    async def _end(self, number: signal.Signals) -> int:
        if self._process is None or self._process.returncode is not None:
            return self._process.returncode or 0 if self._process is not None else 0
        self.send(number)
        async with asyncio.timeout(40):
            return await self.ended()

    @property
    def pid(self) -> int:
        """Of the process that runs, or ran last."""
        assert self._process is not None
        return self._process.pid

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels, by the name that the exposition gives it."""
        _, text = await self.get("/metrics")
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def most_memory(self) -> int:
        """Bytes of memory that the process has held at most; Linux."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

    async def logged(self, words: str, since: int = 0) -> None:
        """Wait until the log holds these words; `since`: behind so many characters of it."""
        async with asyncio.timeout(30):
            while words not in self.log[since:]:
                await asyncio.sleep(0.02)

    @property
    def log(self) -> str:
        """Everything it has logged."""
        path = self.home / "logs" / "firstword.log"
        return path.read_text() if path.exists() else ""


@asynccontextmanager
async def daemon(home: Path, config: Mapping[str, Any]) -> AsyncIterator[Daemon]:
    """A started daemon; killed on the way out if it still runs."""
    running = Daemon(home, config)
    await running.start()
    try:
        yield running
    finally:
        await running.kill()


def config(model_url: str, **channels: Any) -> dict[str, Any]:
    """A configuration with one model behind `model_url` and these channels beside none other."""
    provider = {
        "baseUrl": model_url,
        "api": "openai-completions",
        "apiKey": f"sk-{canary('model')}-of-the-stories",
        "models": [
            {"id": "m", "contextWindow": 32000, "maxTokens": 2000},
            {"id": "slow", "contextWindow": 32000},
        ],
    }
    return {
        "server": {"port": 0},
        "webhooks": {"port": 0},
        "models": {"providers": {"mock": provider}},
        "agents": {
            "defaults": {
                "model": {"primary": "mock/m"},
                "models": {"mock/m": {"alias": "fast"}, "mock/slow": {"alias": "deep"}},
            }
        },
        "channels": channels,
        "limits": {"perSender": BOUNDLESS, "perConversation": BOUNDLESS},
    }
