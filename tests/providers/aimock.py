"""aimock (npm @copilotkit/aimock): a model server that is not ours, in the dialects of OpenAI, Anthropic, Gemini, Ollama.

What it answers stands in aimock.json, by a part of the last message. Use the fixture `aimock`:

    async def test_it(pools, aimock):
        provider = ...                      # Anthropic and Gemini: aimock.root_url; OpenAI's dialect: aimock.base_url
        assert (await ask(provider, HELLO)).text == SAID
        assert aimock.asked()[0]["body"]["messages"] == ...

A stream that it cuts needs a latency of 20 ms or more: without, it breaks the socket before anything is sent.
"""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.peers import find_aimock, require_peer

FIXTURES = Path(__file__).with_name("aimock.json")

HELLO = "say hello"
THINK = "think first"
LOOK_UP = "look it up"
TOO_OFTEN, TOO_BUSY, TOO_LONG = "too often", "too busy", "too long"
CUT = "cut it"
SLOWLY = "take your time"
SAID = "Hello **you**, naïve \U0001f600 friend: this is an answer."


class Aimock:
    """One running server."""

    def __init__(self, root_url: str) -> None:
        self.root_url = root_url

    @property
    def base_url(self) -> str:
        """What a provider of OpenAI's dialect is configured with."""
        return f"{self.root_url}/v1"

    def asked(self) -> list[dict[str, Any]]:
        """Every request since the test began: method, path, headers, body."""
        with urllib.request.urlopen(f"{self.root_url}/__aimock/journal", timeout=10) as answer:
            return list(json.loads(answer.read()))

    def forget(self) -> None:
        """Empty the journal."""
        request = urllib.request.Request(f"{self.root_url}/__aimock/reset/journal", method="POST")
        urllib.request.urlopen(request, timeout=10).close()


@contextmanager
def running() -> Iterator[Aimock]:
    """A server on a free port, ended when the block is left."""
    found = find_aimock()
    require_peer("aimock", found=found)
    assert found is not None
    command = [*found, "-p", "0", "-f", str(FIXTURES), "--log-level", "info"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            said: list[str] = []
            for line in process.stdout:
                said.append(line)
                if address := re.search(r"listening on (http://127\.0\.0\.1:\d+)", line):
                    break
            else:
                pytest.fail(f"aimock did not start: {''.join(said)[-500:]}", pytrace=False)
            yield Aimock(address[1])
        finally:
            process.kill()


@pytest.fixture(scope="session")
def aimock_process() -> Iterator[Aimock]:
    """The session's one server; tests use `aimock`."""
    with running() as server:
        yield server


@pytest.fixture
def aimock(aimock_process: Aimock) -> Aimock:
    """A server with an empty journal."""
    aimock_process.forget()
    return aimock_process
