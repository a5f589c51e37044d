"""`firstword route`: what the router goes by, and trying it out."""

from __future__ import annotations

from bot.cli import route_explain, route_rollout, route_simulate, route_train
from bot.cli.parser import Verbs


def add(verbs: Verbs) -> None:
    """Add the verb."""
    below = verbs.under(verbs.add("route", "which models are asked, and why"))
    route_explain.add(below)
    route_simulate.add(below)
    route_rollout.add(below)
    route_train.add(below)
