"""The command line as a person uses it: a home of its own, arguments in, exit code and output out."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.cli.main import main

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Result:
    """One run. `out` and `err` have the home's path written as HOME."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What --json printed; one object on one line."""
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)


@dataclass
class Daemon:
    """A running daemon. `said`: everything that it printed, whole once it has ended."""

    process: subprocess.Popen[str]
    said: str = ""


class Terminal:
    """Runs verbs in this process; `start` runs one in a process of its own."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.home = folder / "home"
        self._capture, self._patch = capture, patch
        patch.chdir(folder)

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.home / "config.json"

    def write(self, config: Any) -> None:
        """Write the configuration file."""
        self.home.mkdir(mode=0o700, exist_ok=True)
        self.config.write_text(config if isinstance(config, str) else json.dumps(config))
        self.config.chmod(0o600)

    def read(self) -> Any:
        """What the configuration file holds."""
        return json.loads(self.config.read_text())

    def model(self, base_url: str, *models: str, name: str = "mine", **settings: Any) -> None:
        """Configure one server that speaks the usual dialect."""
        row = {"baseUrl": base_url, "api": "openai-completions", "models": [{"id": each} for each in models]}
        agent = {"model": {"primary": f"{name}/{models[0]}"}}
        self.write({"models": {"providers": {name: row | settings}}, "agents": {"defaults": agent}})

    def run(self, *arguments: str, stdin: str = "", environ: Mapping[str, str] | None = None) -> Result:
        """Run a verb in this home."""
        for name, value in (environ or {}).items():
            self._patch.setenv(name, value)
        self._patch.setattr(sys, "stdin", io.StringIO(stdin))
        self._capture.readouterr()
        code = main(["--home", str(self.home), *arguments])
        captured = self._capture.readouterr()
        for name in environ or {}:
            self._patch.delenv(name)
        return Result(code, self._plain(captured.out), self._plain(captured.err))

    def _plain(self, text: str) -> str:
        return text.replace(str(self.home), "HOME").replace(str(self.home.parent), "FOLDER")

    def wait(self, is_so: Callable[[], bool], seconds: float = 20.0) -> None:
        """Return as soon as `is_so`; fails after that many seconds."""
        end = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < end, "it did not happen"
            time.sleep(0.02)

    @contextmanager
    def daemon(self, *arguments: str, environ: Mapping[str, str] | None = None) -> Iterator[Daemon]:
        """A daemon of this home that has said that it is ready; ended with SIGTERM."""
        command = [sys.executable, "-m", "bot", "--home", str(self.home), "run", "--port", "0", *arguments]
        errors = self.home.parent / "daemon.err"
        with (
            errors.open("w") as err,
            subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **(environ or {})},
                stdout=subprocess.PIPE,
                stderr=err,
                text=True,
            ) as process,
        ):
            daemon = Daemon(process)
            try:
                assert process.stdout is not None
                daemon.said = process.stdout.readline()
                assert "is ready" in daemon.said, errors.read_text()
                yield daemon
            finally:
                process.terminate()
                daemon.said += process.communicate(timeout=40)[0] + errors.read_text()
