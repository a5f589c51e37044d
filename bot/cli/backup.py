"""`firstword backup`: copies of the store, made while the daemon runs, looked through, put in place again."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.cli.context import OK, USAGE, WARNING, CommandError, Context
from bot.cli.keeper import need_store
from bot.cli.parser import Verbs
from bot.cli.quiet import silent

if TYPE_CHECKING:
    from bot.store.backup import Backup

KEPT = 5


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add("backup", "copies of the store: conversations, waiting messages, choices, figures")
    below = verbs.under(parser)
    create = below.add(
        "create", "copy the store, also while the daemon runs, and look the copy through", _create
    )
    create.add_argument(
        "file", nargs="?", metavar="FILE", help="a new file; none: HOME/backups, named by the time"
    )
    create.add_argument(
        "--keep",
        type=int,
        default=KEPT,
        metavar="N",
        help=f"how many stay in HOME/backups (usual: {KEPT}; 0: all)",
    )
    verify = below.add("verify", "look a copy through, page by page", _verify)
    restore = below.add("restore", "put a copy in the store's place; the old file is kept", _restore)
    for verb in (verify, restore):
        verb.add_argument("file", nargs="?", metavar="FILE", help="none: the newest of HOME/backups")


def _create(arguments: argparse.Namespace, context: Context) -> int:
    if arguments.keep < 0:
        text = f"--keep {arguments.keep} is not allowed; allowed: 0 (all) or more"
        raise CommandError(text, kind="usage", code=USAGE)
    need_store(context)
    from bot.store import backup

    folder = context.home.backups
    target = Path(arguments.file).expanduser() if arguments.file else backup.default_name(folder, time.time())
    made = backup.create(context.home.database, target)
    gone = [] if arguments.file else backup.prune(folder, arguments.keep, time.time())
    lines = [f"{made.path} is made and whole: {_contents(made)}", *(f"{path} is deleted" for path in gone)]
    context.say({**_values(made), "deleted": [str(path) for path in gone]}, lines)
    return OK


def _verify(arguments: argparse.Namespace, context: Context) -> int:
    from bot.store.backup import verify

    found = verify(_named(arguments, context))
    context.say(_values(found), [f"{found.path} is whole: {_contents(found)}"])
    return OK


def _restore(arguments: argparse.Namespace, context: Context) -> int:
    from bot.store.backup import restore
    from bot.store.lock import HomeLock
    from bot.store.sql import SCHEMA_VERSION

    path = _named(arguments, context)
    context.home.prepare()
    with silent(), HomeLock(context.home.root):
        done = restore(path, context.home.database, time.time())
    found = done.backup
    lines = [f"{path} is in place: {_contents(found)}"]
    if done.aside is not None:
        lines.append(f"the file before it is kept: {done.aside}")
    if found.waiting:
        said = (
            "1 message that waited then is a dead letter"
            if found.waiting == 1
            else (f"{found.waiting} messages that waited then are dead letters")
        )
        lines.append(f"{said} now: firstword deadletters list")
    if found.schema < SCHEMA_VERSION:
        lines.append("it was written by an older Firstword; the next start brings it up to date")
    aside = None if done.aside is None else str(done.aside)
    context.say({**_values(found), "aside": aside, "carried": done.carried}, lines)
    if done.carried is None:
        context.warn("the file before it cannot be read, so messages since the backup may be answered again")
        return WARNING
    return OK


def _named(arguments: argparse.Namespace, context: Context) -> Path:
    from bot.store.backup import backups

    if arguments.file:
        return Path(arguments.file).expanduser()
    found = backups(context.home.backups)
    if not found:
        text = f"there is no backup in {context.home.backups}; make one: firstword backup create"
        raise CommandError(text, kind="no_backup")
    return found[-1]


def _values(found: Backup) -> dict[str, Any]:
    return {
        "file": str(found.path),
        "schema": found.schema,
        "bytes": found.size,
        "rows": dict(found.rows),
        "waiting": found.waiting,
    }


def _contents(found: Backup) -> str:
    from bot.checkup import counted

    said = (
        counted(found.rows["history"], "line"),
        counted(found.rows["turn"], "turn"),
        counted(found.waiting, "waiting message"),
        f"{found.size / 1_000_000:.1f} MB",
        f"schema {found.schema}",
    )
    return ", ".join(said)
