"""`firstword pairing`: who waits to be let in, who was, and the record of it."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bot.cli.context import OK, USAGE, CommandError, Context
from bot.cli.keeper import change_store, person_named, read_store
from bot.cli.parser import Verbs
from bot.cli.quiet import silent
from bot.cli.table import table

if TYPE_CHECKING:
    from bot.store.sqlite import SqliteStore


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add("pairing", "who waits to be let in, and who was")
    below = verbs.under(parser)
    below.add("list", "show who waits for approval, and everybody who was let in beside the settings", _list)
    approve = below.add("approve", "let in whoever was told this code; it holds for an hour", _approve)
    approve.add_argument("code", metavar="CODE", help="eight letters and digits, as the person tells you")
    approve.add_argument("--notify", action="store_true", help="tell them, if the daemon runs")
    revoke = below.add("revoke", "take back what somebody was granted", _revoke)
    revoke.add_argument("person", metavar="PERSON", help="CHANNEL:ACCOUNT:ID, as listed")
    log = below.add("log", "show every change, newest first: when, who, what, about whom", _log)
    log.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many lines (50)")


def _list(_: argparse.Namespace, context: Context) -> int:
    from bot.store import access

    now = time.time()
    waiting, grants = read_store(context, lambda store: (access.waiting(store, now), access.grants(store)))
    lines = ["Waiting:", *_waiting_lines(waiting)] if waiting else ["nobody waits"]
    rows = [
        (
            str(each.person),
            each.name or "-",
            each.role,
            "direct chats" if each.is_paired else "everywhere",
            _time(each.granted_at),
            each.granted_by or "-",
        )
        for each in grants
    ]
    lines += ["", *table(("PERSON", "NAME", "ROLE", "WHERE", "SINCE", "BY"), rows)] if rows else []
    data = {
        "waiting": [{**asdict(each), "person": str(each.person)} for each in waiting],
        "grants": [{**asdict(each), "person": str(each.person)} for each in grants],
    }
    context.say(data, lines)
    return OK


def _waiting_lines(waiting: Any) -> list[str]:
    rows = [
        (str(each.person), each.name or "-", _time(each.asked_at), _time(each.expires_at)) for each in waiting
    ]
    return list(table(("PERSON", "NAME", "ASKED", "UNTIL"), rows))


def _approve(arguments: argparse.Namespace, context: Context) -> int:
    from bot import words
    from bot.pairing import is_try, typed
    from bot.store import access

    code = typed(arguments.code)
    if not is_try(code):
        raise CommandError(words.NO_CODE, kind="no_code")

    async def alone(store: SqliteStore) -> dict[str, Any]:
        now = time.time()
        found = await store.call(lambda opened: access.approve(opened, code, access.COMMAND_LINE, now))
        return found.to_plain()

    with silent():
        found, is_running = change_store(
            context, "pairing.approve", {"code": code, "notify": arguments.notify}, alone
        )
    is_told = is_running and found.pop("is_told")
    said = words.approval(**found)
    if not found["person"]:
        raise CommandError(said, kind="locked" if found["is_locked"] else "no_code")
    context.say({"person": found["person"], "name": found["name"], "told": is_told}, [said])
    if arguments.notify and not is_told:
        context.warn("they were not told: the daemon does not run, or their channel is not connected")
    return OK


def _revoke(arguments: argparse.Namespace, context: Context) -> int:
    from bot.store import access

    person = person_named(arguments.person)

    async def alone(store: SqliteStore) -> dict[str, Any]:
        now = time.time()
        taken = await store.call(lambda opened: access.take(opened, person, access.COMMAND_LINE, now))
        return {"roles": [row.role for row in taken]}

    with silent():
        taken, _ = change_store(context, "pairing.revoke", {"person": str(person)}, alone)
    if not taken["roles"]:
        named = "who is named in the settings is taken out there, from the next start on"
        text = f"{person} was granted nothing, and a code of theirs holds no more; {named}"
        raise CommandError(text, kind="no_grant")
    context.say(
        {"person": str(person), **taken}, [f"{person} is let in no more ({', '.join(taken['roles'])})"]
    )
    return OK


def _log(arguments: argparse.Namespace, context: Context) -> int:
    from bot.store import access

    if arguments.limit < 1:
        raise CommandError(f"--limit is {arguments.limit}; allowed: 1 or more", kind="usage", code=USAGE)
    found = read_store(context, lambda store: access.log(store, arguments.limit))
    rows = [
        (_time(each.at), each.actor or "-", each.way, each.what, each.about or "-", each.detail or "-")
        for each in found
    ]
    lines = (
        table(("WHEN", "BY", "WAY", "WHAT", "ABOUT", "DETAIL"), rows) if rows else ["nothing was changed yet"]
    )
    context.say({"changes": [asdict(each) for each in found]}, lines)
    return OK


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
