"""`firstword deadletters`: messages that were given up, to look at, to try again or to drop."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.cli.context import OK, CommandError, Context
from bot.cli.keeper import change_store, read_store
from bot.cli.parser import Verbs
from bot.cli.quiet import silent
from bot.cli.table import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.store.letters import Letter
    from bot.store.sqlite import SqliteStore

_SHORT = 60


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add("deadletters", "messages that were given up after crashes or errors")
    below = verbs.under(parser)
    below.add("list", "show them, newest first", _list)
    for name, summary, handler in (
        ("show", "show one whole: who said what, why it was given up, what is known of its answer", _show),
        ("retry", "answer one again; its age counts from now", _retry),
        ("drop", "forget one for good", _drop),
    ):
        below.add(name, summary, handler).add_argument("id", metavar="ID", help="as listed")


def _letters(context: Context) -> Sequence[Letter]:
    from bot.store.letters import letters

    return read_store(context, letters)


def _list(_: argparse.Namespace, context: Context) -> int:
    found = _letters(context)
    rows = [
        (each.turn_id or "-", _time(each.received_at), each.conversation or "-", _short(each), each.reason)
        for each in found
    ]
    lines = table(("ID", "RECEIVED", "CONVERSATION", "MESSAGE", "WHY"), rows) if rows else ["there are none"]
    context.say({"deadletters": [asdict(each) for each in found]}, lines)
    return OK


def _show(arguments: argparse.Namespace, context: Context) -> int:
    found = [each for each in _letters(context) if each.turn_id == arguments.id]
    if not found:
        text = f"there is no dead letter {arguments.id!r}; see: firstword deadletters list"
        raise CommandError(text, kind="no_letter")
    letter = found[0]
    lines = [
        f"id: {letter.turn_id}",
        f"received: {_time(letter.received_at)}",
        f"conversation: {letter.conversation}",
        f"from: {letter.speaker or '-'} ({letter.sender or 'not readable'})",
        f"given up: {letter.reason}",
        f"begun: {letter.attempts} times, failed: {letter.errors} times",
        "message:",
        letter.text if letter.text is not None else "(cannot be read)",
    ]
    if letter.answer:
        lines += ["answer:", letter.answer]
    context.say({"deadletter": asdict(letter)}, lines)
    return OK


def _retry(arguments: argparse.Namespace, context: Context) -> int:
    from bot.store.chores import revive

    async def alone(store: SqliteStore) -> None:
        await revive(store, arguments.id)

    with silent():
        answer, is_running = change_store(context, "deadletters.retry", {"id": arguments.id}, alone)
    verdict = answer["verdict"] if is_running else None
    lines = {
        "resume": f"{arguments.id} is being answered",
        None: f"{arguments.id} waits; it is answered when its channel runs again",
    }
    context.say(
        {"id": arguments.id, "verdict": verdict}, [lines.get(verdict, f"{arguments.id} was ended: {verdict}")]
    )
    return OK


def _drop(arguments: argparse.Namespace, context: Context) -> int:
    from bot.store.chores import drop_letter

    async def alone(store: SqliteStore) -> None:
        await drop_letter(store, arguments.id)

    with silent():
        change_store(context, "deadletters.drop", {"id": arguments.id}, alone)
    context.say({"id": arguments.id}, [f"{arguments.id} is dropped"])
    return OK


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _short(letter: Letter) -> str:
    text = " ".join((letter.text or "(cannot be read)").split())
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"
