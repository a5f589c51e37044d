"""Start the server: see --help."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal

from tests.canary import canary

from .flood import Limits
from .server import Server, ready_line, serve

TOKEN = f"700100:{canary('telegram')}-of-the-fake-Bot-API-server"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.channels.telegram.peer", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one; it is printed")
    parser.add_argument("--token", action="append", help=f"a bot's token, may be repeated (default {TOKEN})")
    parser.add_argument("--no-flood", action="store_true", help="no limits, as a self-hosted server has it")
    parser.add_argument("--chat-rate", type=float, default=1.0, help="messages a second in one chat")
    parser.add_argument("--chat-burst", type=float, default=3.0, help="messages that one chat takes at once")
    parser.add_argument("--group-minute", type=int, default=20, help="messages a minute in one group")
    parser.add_argument("--token-rate", type=float, default=30.0, help="messages a second in all")
    parser.add_argument("--webhook-retry", type=float, default=1.0, help="first wait of a failed webhook, s")
    parser.add_argument("--lean", action="store_true", help="keep no arguments and no edit history (benches)")
    parser.add_argument(
        "--steady", action="store_true", help="without the garbage collector's pauses (benches)"
    )
    return parser.parse_args()


async def _main(options: argparse.Namespace) -> None:
    limits = Limits(
        chat_rate=options.chat_rate,
        chat_burst=options.chat_burst,
        group_minute=options.group_minute,
        token_rate=options.token_rate,
        enabled=not options.no_flood,
    )
    if options.steady:
        gc.disable()
    tokens = options.token or [TOKEN]
    server = Server(tokens, limits, lean=options.lean, webhook_retry=options.webhook_retry)
    runner, port = await serve(server, options.host, options.port)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    print(ready_line(port, tokens[0], os.getpid()), flush=True)
    await stop.wait()
    for outgoing in server.outgoing.values():
        await outgoing.close()
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
