"""What /usage cost adds up: today and this month, by model; here, and for owners everywhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from bot.commands.registry import Call
from bot.spending import Spending
from bot.store.money import Cost

MOST_MODELS = 5
"""Models that are named, the dearest first."""


async def costs_here(call: Call) -> str:
    """What answers cost in this conversation and, to an owner, what all did."""
    spending = call.desk.spending
    lines = [f"Here: {await _told(spending, call.turn.key)}"]
    if call.turn.is_owner:
        lines.append(f"In all: {await _told(spending, None)}")
    lines.append("As far as prices are known; days are UTC's.")
    return "\n".join(lines)


async def _told(spending: Spending, conversation: str | None) -> str:
    today, days = spending.days
    return sentence(await spending.costs(days, conversation), today)


def sentence(costs: Sequence[Cost], today: int) -> str:
    """The sums of a month's costs. `today`: days since 1970."""
    by_model: defaultdict[str, float] = defaultdict(float)
    for each in costs:
        by_model[each.model] += each.usd
    dearest = sorted(by_model.items(), key=lambda each: (-each[1], each[0]))
    named = ", ".join(f"{model} ${usd:.4f}" for model, usd in dearest[:MOST_MODELS])
    rest = sum(usd for _, usd in dearest[MOST_MODELS:])
    others = f", others ${rest:.4f}" if len(dearest) > MOST_MODELS else ""
    day = sum(each.usd for each in costs if each.day == today)
    month = sum(by_model.values())
    return f"${day:.4f} today, ${month:.4f} this month{f' ({named}{others})' if named else ''}."
