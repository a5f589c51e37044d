"""Start the server: see --help."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal

import orjson

from tests.canary import canary

from .server import Server, serve

# Made up, in the form of real ones: three parts with dots.
TOKENS = [
    f"OTEwMDAwMDAwMDAwMDAwMDAx.fake01.{canary('discord1')}-of-the-first-bot",
    f"OTEwMDAwMDAwMDAwMDAwMDAy.fake02.{canary('discord2')}-of-the-second-bot",
]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.channels.discord.peer", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one; it is printed")
    parser.add_argument("--token", action="append", help="a bot's token, may be repeated (default: two bots)")
    parser.add_argument("--lean", action="store_true", help="keep no bodies and headers of calls (benches)")
    return parser.parse_args()


async def _main(options: argparse.Namespace) -> None:
    server = Server(options.token or TOKENS, lean=options.lean)
    runner, port = await serve(server, options.host, options.port)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    line = {"port": port, "tokens": list(server.world.accounts), "pid": os.getpid()}
    print(orjson.dumps(line).decode(), flush=True)
    await stop.wait()
    server.reset()
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
