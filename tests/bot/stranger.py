"""A stranger's channel, installed as strangers do it: a module and a distribution that names it as an entry point.

Its service is a loopback HTTP server of the test's; `Service` plays it.
"""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAME = "pigeon"
TOKEN = "coo-coo-canary-0123456789"

MODULE = '''
"""Pigeon post, as a stranger would write it: the library loads in `open` and in the probe, never on import."""

import asyncio
import dataclasses
import json
import urllib.error
import urllib.request

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from channels.base import ChannelSpec, Finding, Level
from channels.capabilities import (
    Capabilities, LatencyClass, Operation, SendKey, Streaming, Surface, WriteBudget,
)


class PigeonSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    token: SecretStr = Field(description="What the loft gave.")
    base_url: str = Field(default="http://127.0.0.1:9", alias="baseUrl", description="Where the loft is.")


class Pigeon:
    name = "pigeon"

    def __init__(self, account, settings, host):
        import pigeon_library  # the stranger's SDK

        self.account, self._host = account, host
        self._library = pigeon_library

    async def run(self):
        self._host.online(is_online=False, reason="the loft is closed")
        await asyncio.Event().wait()

    def capabilities(self, address):
        assert self._library.NAME == "pigeon"
        shared = address.surface is not Surface.DIRECT
        is_threaded = address.key.thread is not None and not shared
        loft = WriteBudget(f"loft:{address.key.space}", frozenset({Operation.SEND, Operation.EDIT}), 0.5, 4)
        return Capabilities(
            latency=LatencyClass.ASYNC if shared else LatencyClass.SEMI_SYNC,
            streaming=Streaming.NONE if shared else Streaming.BLOCK if is_threaded else Streaming.EDIT,
            max_text=280 if shared else 4000,
            budgets=(loft,),
            max_edits=None if shared else 5,
            edit_window=900.0,
            typing_ttl=None if shared else 10.0,
            buttons=not shared,
            send_key=SendKey.NONE if shared else SendKey.KEY,
        )

    async def send(self, address, text, send_key):
        raise NotImplementedError


async def probe(account, settings):
    request = urllib.request.Request(
        settings.base_url + "/whoami", headers={"Token": settings.token.get_secret_value()}
    )

    def ask():
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    try:
        found = await asyncio.to_thread(ask)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 500:
            raise RuntimeError(f"cannot read the answer to {settings.token.get_secret_value()}") from error
        return [Finding(Level.PROBLEM, "the token is not valid", "ask the loft for another one")]
    except urllib.error.URLError:
        return [Finding(Level.PROBLEM, "the loft cannot be reached", "open the loft")]
    rights = [] if found["may_read"] else [Finding(Level.WARNING, "may not read", "allow it in the loft")]
    return [Finding(Level.OK, f"is {found['name']}"), *rights]


def manifest(commands):
    return json.dumps({"loft": "ours", "commands": [spec.name for spec in commands]}, indent=2)


def open_pigeon(account, settings, host):
    return Pigeon(account, settings, host)


SPEC = ChannelSpec(
    name="pigeon",
    title="Pigeon post",
    settings=PigeonSettings,
    open=open_pigeon,
    extra="birds",
    environment={"PIGEON_TOKEN": "token"},
    surfaces=(Surface.DIRECT, Surface.GROUP, Surface.THREAD),
    probe=probe,
    manifest=manifest,
)
MUTE = dataclasses.replace(SPEC, name="mute", title="Mute post", extra=None, environment={}, probe=None, manifest=None)
'''


def install(folder: Path, *, has_library: bool = True) -> Path:
    """Put the distribution into a folder of its own, for `sys.path` or PYTHONPATH."""
    site = folder / "site"
    info = site / "firstword_pigeon-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: firstword-pigeon\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[firstword.channels]\n"
        "pigeon = firstword_pigeon:SPEC\nmute = firstword_pigeon:MUTE\nruin = firstword_pigeon:GONE\n"
    )
    (site / "firstword_pigeon.py").write_text(MODULE)
    if has_library:
        (site / "pigeon_library.py").write_text('NAME = "pigeon"\n')
    return site


class Service:
    """The stranger's service: it knows one token."""

    def __init__(self) -> None:
        self.base_url = ""
        self.may_read = True
        self.fails = False
        self.release = threading.Event()
        self.release.set()
        self.asked = 0


@contextmanager
def open_service() -> Iterator[Service]:
    """Serve on loopback while the context is open."""
    service = Service()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            service.asked += 1
            service.release.wait(60)
            code = 500 if service.fails else 200 if self.headers["Token"] == TOKEN else 401
            body: dict[str, Any] = {"name": "Carrier", "may_read": service.may_read}
            raw = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        service.base_url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield service
        finally:
            service.release.set()
            server.shutdown()
            thread.join()
