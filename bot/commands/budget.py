"""/budget: what the models cost today, and what they may."""

from __future__ import annotations

import math

from bot import words
from bot.commands.registry import Call, Command
from channels.commands import CommandSpec
from routing.spend import Level

MOST = 1_000_000.0
"""US dollars a day; more is a slip of the keyboard."""

_USAGE = (
    "Say /budget set 5 for five dollars a day, /budget set off for no limit, "
    "/budget set default for what the settings say."
)

_LEVELS = {
    Level.ALL: "Every model may be asked.",
    Level.DEFAULT: "Models dearer than the default come last now.",
    Level.FAST: "Models dearer than the fast one come last now.",
    Level.FREE: "It is spent: only models that cost nothing are asked until midnight UTC.",
}


async def budget(call: Call) -> str:
    """Show what was spent, or set what may be spent a day."""
    match call.argument.lower().split():
        case [] | ["status"]:
            return _status(call)
        case ["set", value]:
            return await _set(call, value)
        case _:
            return _USAGE


async def _set(call: Call, value: str) -> str:
    if not call.turn.is_owner:
        return words.OWNER_ONLY
    if value == "default":
        await call.desk.spending.choose(None)
        return _status(call)
    amount = math.inf if value == "off" else _amount(value)
    if amount is None:
        return _USAGE
    await call.desk.spending.choose(amount)
    return _status(call)


def _amount(value: str) -> float | None:
    try:
        amount = float(value.lstrip("$").removesuffix("/day"))
    except ValueError:
        return None
    return amount if 0 <= amount <= MOST else None


def _status(call: Call) -> str:
    spending = call.desk.spending
    per_day = spending.budget.per_day
    spent = f"Spent today (UTC), as far as prices are known: ${spending.today:.4f}"
    if math.isinf(per_day):
        return f"{spent}. There is no limit."
    by = "set with /budget" if spending.is_chosen else "of the settings"
    return f"{spent} of ${per_day:g} ({by}). {_LEVELS[spending.level]}"


COMMANDS = (
    Command(
        CommandSpec("budget", "What the models cost today", "[status|set USD|set off|set default]"), budget
    ),
)
