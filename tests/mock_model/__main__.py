"""`python -m tests.mock_model`: serve until SIGTERM; the first line of stdout names the port."""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import importlib.util
import json
import os
import signal
from typing import Any

from tests.mock_model.app import App
from tests.mock_model.config import Config
from tests.mock_model.control import Control
from tests.mock_model.servers import Kind, State
from tests.mock_model.wheel import Wheel


def main() -> None:
    """Parse the flags and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.mock_model", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--kind", type=Kind, choices=list(Kind), default=Kind.OPENAI)
    parser.add_argument("--state", type=State, choices=list(State), default=State.READY)
    parser.add_argument("--models", default="m", help="names, separated by commas")
    parser.add_argument("--cpu", type=int, help="the core to stay on (Linux)")
    parser.add_argument(
        "--steady", action="store_true", help="without the garbage collector's pauses (benches)"
    )
    given = parser.parse_args()
    if given.steady:
        gc.disable()
    if given.cpu is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {given.cpu})
    models = tuple(name for name in given.models.split(",") if name)
    config = Config(kind=given.kind, state=given.state, models=models)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(given.host, given.port, config))


async def _serve(host: str, port: int, config: Config) -> None:
    loop = asyncio.get_running_loop()
    control = Control(App(config, Wheel(loop)))
    server = await loop.create_server(control.connect, host, port, backlog=4096)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    port = server.sockets[0].getsockname()[1]
    print(
        json.dumps({"port": port, "url": f"http://{host}:{port}", "pid": os.getpid()}),
        flush=True,
    )
    await ended.wait()
    server.close()


def _loop_factory() -> Any:
    """uvloop's where it is installed: half the CPU a write."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    return importlib.import_module("uvloop").new_event_loop


if __name__ == "__main__":
    main()
