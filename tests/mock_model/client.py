"""Talking to a running mock model: script it, read its record, wait without sleeping."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

from tests.mock_model.record import hidden

__all__ = ["MockModel", "MockModelError", "by_marker", "hidden", "running"]

START_SECONDS = 20.0
_ASKS = re.compile(r"/chat/completions$|/v1/messages$|:(stream)?generateContent$", re.IGNORECASE)


class MockModelError(AssertionError):
    """The control API said no, or what was waited for did not happen in time."""


class MockModel:
    """One running server. Calls are synchronous and quick (a millisecond); only `wait` waits, so it is async."""

    def __init__(self, host: str, port: int, pid: int = 0) -> None:
        self.host, self.port, self.pid = host, port, pid

    @property
    def root_url(self) -> str:
        """Without `/v1`."""
        return f"http://{self.host}:{self.port}"

    @property
    def base_url(self) -> str:
        """What a provider of OpenAI's dialect is configured with; Anthropic and Gemini take root_url."""
        return f"{self.root_url}/v1"

    def reset(self) -> None:
        """Break open answers off; forget script, record, holds and configuration changes."""
        self._call("POST", "reset", {})

    def script(self, *rules: Mapping[str, Any], default: Mapping[str, Any] | None = None) -> None:
        """Replace the script. A rule = fields of Behaviour, with match, model, key and times."""
        self._call("POST", "script", {"rules": list(rules), "default": dict(default or {})})

    def config(self, **changes: Any) -> None:
        """Change fields of config.Config: kind, models, keys, strict_models and so on."""
        self._call("POST", "config", changes)

    def release(self, name: str) -> int:
        """Let answers held under `name` go on; how many were waiting."""
        return int(self._call("POST", "release", {"name": name})["waited"])

    def state(self) -> dict[str, int]:
        """How many requests reached each stage, and how many answers are open."""
        return dict(self._call("GET", "state"))

    def requests(self, since: int = 0) -> list[dict[str, Any]]:
        """The record: see record.Request. Model requests and GETs alike, in order of arrival."""
        return list(self._call("GET", f"record?since={since}")["requests"])

    def chats(self) -> list[dict[str, Any]]:
        """The requests for an answer only, in whatever dialect."""
        return [one for one in self.requests() if one["method"] == "POST" and _ASKS.search(one["path"])]

    def marks(self) -> list[tuple[str, float, float | None, float | None, int]]:
        """(marker, arrived, first token sent, last token sent, tokens) of each marked request."""
        return [(m[0], m[1], m[2], m[3], m[4]) for m in self._call("GET", "marks")["marks"]]

    async def wait(
        self,
        stage: str = "arrived",
        *,
        count: int = 1,
        number: int | None = None,
        timeout: float = 30.0,
    ) -> int:
        """Wait until `count` requests (or request `number`) have reached the stage; how many have by then.

        Stages: `arrived`, `first_sent`, `ended`, `closed_early`. MockModelError after `timeout` seconds.
        """
        query: dict[str, Any] = {"stage": stage, "count": count, "timeout": timeout}
        if number is not None:
            query["number"] = number
        path = f"wait?{urlencode(query)}"
        got = await asyncio.to_thread(self._call, "GET", path, None, timeout + 10)
        return int(got["count"])

    def _call(self, method: str, verb: str, body: Any = None, timeout: float = 30.0) -> dict[str, Any]:
        connection = HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            raw = None if body is None else json.dumps(body).encode()
            connection.request(method, f"/control/{verb}", raw)
            response = connection.getresponse()
            data: dict[str, Any] = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise MockModelError(f"{method} /control/{verb}: {response.status} {data}")
        return data


@contextmanager
def running(*flags: str) -> Iterator[MockModel]:
    """A server as a process of its own on a free port, ended when the block is left."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.mock_model", "--port", "0", *flags],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise MockModelError(f"the mock model did not start: exit {process.wait(5)}")
            said = json.loads(line)
            yield MockModel("127.0.0.1", int(said["port"]), process.pid)
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def by_marker(requests: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The requests keyed by the marker in their text."""
    return {str(one["marker"]): one for one in requests if one["marker"]}
