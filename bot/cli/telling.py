"""Tells a running daemon that keys, settings or lists of models were changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bot.cli.context import Context
from bot.cli.loop import run_async


def tell_daemon(context: Context, proved: Iterable[tuple[str, str]] = ()) -> bool:
    """Whether a daemon runs here and took the change in; what it refuses is said as a warning.

    `proved`: (provider, credential id) of keys that were just seen to work.
    """
    from bot.errors import BotError

    try:
        ask_daemon(context, "reload", {"proved": [list(each) for each in proved]})
    except BotError as error:
        context.warn(f"the running daemon keeps what it has: {error}")
        return False
    return _runs(context)


def ask_daemon(context: Context, method: str, params: Mapping[str, Any] | None = None) -> Any:
    """What a running daemon answers; None where none runs. Raises BotError when it says no."""
    from bot.control import NoDaemon, call

    if not _runs(context):
        return None
    try:
        return run_async(call(context.home, method, params))
    except NoDaemon:
        return None


def _runs(context: Context) -> bool:
    from bot.control import socket_path

    return socket_path(context.home).exists()


def when(*, told: bool) -> str:
    """From when on a change counts."""
    return "from now on" if told else "from the next start on"
