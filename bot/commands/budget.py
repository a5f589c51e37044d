"""/budget: what the models cost, and what they may."""

from __future__ import annotations

import math

from bot import words
from bot.commands.registry import Call, Command
from bot.spending import Spending, payer_of
from channels.commands import CommandSpec
from routing.ledger import Cap, Payer

MOST = 1_000_000.0
"""US dollars a day; more is a slip of the keyboard."""

_USAGE = (
    "Say /budget set 5 for five dollars a day, /budget set off for no limit, "
    "/budget set default for what the settings say."
)


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
    spending, payer = call.desk.spending, payer_of(call.turn)
    per_day = spending.budget.per_day
    spent = f"Spent today (UTC), as far as prices are known: ${spending.today:.4f}"
    if math.isinf(per_day):
        lines = [f"{spent}. There is no limit."]
    else:
        by = "set with /budget" if spending.is_chosen else "of the settings"
        lines = [f"{spent} of ${per_day:g} ({by}). {words.LEVELS[spending.level(payer)]}"]
    lines.append(f"This month: {_of(spending, Cap.MONTH, payer)}.")
    own = {Cap.SENDER: "You today", Cap.CONVERSATION: "This conversation today"}
    for cap, whose in own.items():
        if not math.isinf(spending.caps.of(cap).per_day):
            excepted = " You are excepted." if payer.is_exempt else ""
            lines.append(f"{whose}: {_of(spending, cap, payer)}.{excepted}")
    if held := spending.held():
        lines.append(f"Held for answers that are being written: ${held:.4f}.")
    return "\n".join(lines)


def _of(spending: Spending, cap: Cap, payer: Payer) -> str:
    most = spending.caps.of(cap).per_day
    limit = "no limit" if math.isinf(most) else f"of ${most:g}"
    return f"${spending.spent(cap, payer):.4f} {limit}"


COMMANDS = (
    Command(
        CommandSpec("budget", "What the models cost today", "[status|set USD|set off|set default]"), budget
    ),
)
