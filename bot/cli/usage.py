"""`firstword usage cost`: what models cost, by day and model, as far as prices are known."""

from __future__ import annotations

import argparse
import time
from typing import Any

from bot.cli.context import OK, USAGE, CommandError, Context
from bot.cli.keeper import read_store
from bot.cli.parser import Verbs
from bot.cli.table import table
from bot.cli.telling import ask_daemon

DAY = 86_400
MOST_DAYS = 400
USUAL_DAYS = 30


def add(verbs: Verbs) -> None:
    """Add the verb."""
    below = verbs.under(verbs.add("usage", "what models cost"))
    verb = below.add("cost", "what models cost, by day (UTC) and model", _cost)
    verb.add_argument(
        "--days", type=int, default=USUAL_DAYS, metavar="N", help=f"how many, today among them ({USUAL_DAYS})"
    )


def _cost(arguments: argparse.Namespace, context: Context) -> int:
    if not 1 <= arguments.days <= MOST_DAYS:
        raise CommandError(f"--days is {arguments.days}; allowed: 1 to {MOST_DAYS}", kind="usage", code=USAGE)
    rows = _rows(context, arguments.days)
    total = sum(row["usd"] for row in rows)
    shown = [(row["day"], row["model"], str(row["requests"]), f"${row['usd']:.4f}") for row in rows]
    lines = table(("DAY", "MODEL", "REQUESTS", "COST"), shown) if shown else []
    lines.append(f"${total:.4f} in {arguments.days} days, as far as prices are known")
    context.say({"days": arguments.days, "total_usd": total, "costs": rows}, lines)
    return OK


def _rows(context: Context, days: int) -> list[dict[str, Any]]:
    """From the daemon, which knows what is not written yet; else from the store."""
    found = ask_daemon(context, "usage.cost", {"days": days})
    if found is not None:
        rows: list[dict[str, Any]] = found["costs"]
        return rows
    from bot.store.money import costs

    since = int(time.time() // DAY) - days + 1
    return [each.plain() for each in read_store(context, lambda connection: costs(connection, since))]
