"""`firstword route rollout`: the stage of the rollout of a running daemon, as /rollout shows and changes it."""

from __future__ import annotations

import argparse

from bot.cli.context import OK, CommandError, Context
from bot.cli.parser import Verbs
from bot.cli.telling import ask_daemon

ORDERS = ("status", "next", "back", "on", "off", "shadow", "20", "50", "100")


def add(below: Verbs) -> None:
    """Add the verb."""
    verb = below.add("rollout", "show or change for how many models are chosen by figures", _rollout)
    verb.add_argument(
        "order", nargs="?", default="status", choices=ORDERS, metavar="ORDER", help="|".join(ORDERS)
    )


def _rollout(arguments: argparse.Namespace, context: Context) -> int:
    found = ask_daemon(context, "rollout", {"order": arguments.order})
    if found is None:
        raise CommandError(
            f"no daemon answers in {context.home.root}; start one with `firstword run`, "
            "or set routing.rollout.stage for the next start"
        )
    context.say(found, found["said"].split("\n"))
    return OK
