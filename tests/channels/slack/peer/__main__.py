"""Start the server: see --help."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal

from .server import Server, ready_line, serve


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.channels.slack.peer", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one; it is printed")
    parser.add_argument("--workspaces", type=int, default=2, help="how many, each with an app installed")
    parser.add_argument("--no-limits", action="store_true", help="no rate limits")
    parser.add_argument("--lean", action="store_true", help="keep no arguments of calls (benches)")
    return parser.parse_args()


async def _main(options: argparse.Namespace) -> None:
    server = Server(options.workspaces, limited=not options.no_limits, lean=options.lean)
    runner, port = await serve(server, options.host, options.port)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    print(ready_line(server, port, os.getpid()), flush=True)
    await stop.wait()
    await server.close()
    await runner.cleanup()


def _run() -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(_main(_arguments()))
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(_arguments()))


if __name__ == "__main__":
    _run()
