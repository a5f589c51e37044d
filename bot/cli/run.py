"""`firstword run`: the daemon, in the foreground."""

from __future__ import annotations

import argparse
import json
from typing import Any

from bot.cli.context import USAGE, CommandError, Context
from bot.cli.loop import run_async
from bot.cli.parser import Parser, Verbs


def add(verbs: Verbs) -> None:
    """Add the verb."""
    add_options(verbs.add("run", "start the daemon in the foreground; SIGTERM drains it", start))


def add_options(parser: Parser) -> None:
    """The options of a start."""
    parser.add_argument("--host", metavar="ADDRESS", help="in place of server.host")
    parser.add_argument("--port", type=int, metavar="N", help="in place of server.port; 0 takes any free one")


def start(arguments: argparse.Namespace, context: Context) -> int:
    """Run the daemon until it is told to end; returns its exit code. Raises BotError."""
    settings = context.settings({"server": _server(arguments)}, is_looking=False)
    settings.home.prepare()

    from bot import metrics
    from bot.daemon import run_daemon
    from bot.redact import Redactor
    from bot.telemetry import open_logging

    def tell(line: str) -> None:
        print(
            json.dumps({"ok": True, "message": line}) if context.is_json else line,
            file=context.out,
            flush=True,
        )

    for warning in settings.warnings:
        context.warn(warning)
    redactor = Redactor(settings.secrets())
    log_file = settings.home.log_file
    with open_logging(settings.logging, redactor, log_file=log_file, on_lost=metrics.log_line_lost):
        return run_async(run_daemon(settings, tell, redactor.add))


def _server(arguments: argparse.Namespace) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if arguments.host is not None:
        said["host"] = arguments.host
    if arguments.port is not None:
        if not 0 <= arguments.port <= 65535:
            text = f"--port {arguments.port} is not allowed; allowed: a whole number from 0 to 65535"
            raise CommandError(text, kind="usage", code=USAGE)
        said["port"] = arguments.port
    return said
