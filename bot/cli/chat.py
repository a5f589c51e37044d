"""`firstword chat`: the daemon's own inside with nothing but the channel of this terminal."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bot.cli.context import OK, CommandError, Context
from bot.cli.loop import run_async
from bot.cli.message import model_override
from bot.cli.parser import Verbs

if TYPE_CHECKING:
    from bot.settings import AccountSettings, Settings


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add("chat", "talk to it in this terminal; Ctrl-C stops an answer, Ctrl-D leaves", _chat)
    parser.add_argument("--model", metavar="REF", help="provider/model or an alias; none: the configured one")


def _chat(arguments: argparse.Namespace, context: Context) -> int:
    settings = context.settings(model_override(arguments.model))
    account = next((each for each in settings.accounts if each.spec.is_foreground), None)
    if account is None:
        raise CommandError("no channel for the terminal is on; see: firstword channels list")
    settings.home.prepare()

    from bot.cli.quiet import quiet
    from bot.errors import StoreError
    from bot.store.lock import HomeLock

    lock = HomeLock(settings.home.root)
    try:
        lock.acquire()
    except StoreError:
        context.warn(
            "a daemon uses this home; this chat keeps a history of its own and forgets it at the end"
        )
        with tempfile.TemporaryDirectory(prefix="firstword-chat-") as folder, quiet(settings):
            run_async(_talk(settings, account, Path(folder) / "chat.db"))
        return OK
    with lock, quiet(settings):
        run_async(_talk(settings, account, settings.home.database))
    return OK


async def _talk(settings: Settings, row: AccountSettings, database: Path) -> None:
    from bot.compose import open_app
    from bot.sources import open_models
    from bot.store.sqlite import open_store
    from bot.store.sweep import Retention

    async with (
        open_store(database, retention=Retention.of_days(settings.store.retention)) as store,
        open_models(settings) as models,
        open_app(settings, settings.home, store, models) as app,
    ):
        account = app.open_account(row)
        await account.channel.run()
        app.is_draining = True
        app.lanes.drain()
        await app.lanes.idle.wait()
