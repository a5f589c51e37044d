"""What the command line may ask a running daemon about routing: figures, decisions, the rollout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from bot.app import App
from bot.commands.rollout import change, status
from bot.control import Method
from bot.decisions import is_decided, plain
from bot.difficulty import table
from bot.errors import BotError
from bot.explaining import Asked, explain
from bot.words import unknown_model
from routing.errors import UnknownModel
from routing.rollout import Policy
from routing.strategy import row as find_row

MOST_BYTES = 800_000
"""Of one answer: a line holds a megabyte."""

MOST_TURNS = 500


def route_methods(app: App) -> Mapping[str, Method]:
    """The methods by name."""

    async def decisions(params: Mapping[str, Any]) -> Any:
        """Recorded decisions, newest first; of one turn where `turn_id` says which."""
        turn_id, limit = params.get("turn_id"), int(params.get("limit", MOST_TURNS))
        rows = await app.store.turns(None, MOST_TURNS)
        wanted = [row for row in rows if (turn_id is None or row.turn_id == turn_id) and is_decided(row)]
        found: list[dict[str, Any]] = []
        size = 0
        for row in wanted[: max(1, limit)]:
            found.append(plain(row))
            size += len(orjson.dumps(found[-1], default=str))
            if size > MOST_BYTES:
                break
        return found

    async def explained(params: Mapping[str, Any]) -> Any:
        """What would be decided now for a text; nothing is sent."""
        row = find_row(str(params.get("kind", "")))
        if row is None:
            raise BotError("there is no such kind of channel")
        model, tokens = params.get("model"), params.get("tokens")
        asked = Asked(
            text=str(params.get("text", "")),
            row=row,
            model=str(model) if model else None,
            tokens=int(tokens) if tokens is not None else None,
            policy=Policy(params.get("policy", Policy.SMART)),
        )
        try:
            return explain(asked, app.models.catalog(), app.health, table(), app.clock())
        except UnknownModel as error:
            raise BotError(unknown_model(error.name, error.nearest)) from error

    async def rollout(params: Mapping[str, Any]) -> Any:
        """Show or change the stage."""
        order = str(params.get("order", "status"))
        said = change(app.desk.rolling, order) if order != "status" else status(app.desk.rolling)
        return {"said": said, **app.desk.rolling.rollout.to_plain()}

    return {"decisions": decisions, "explain": explained, "rollout": rollout}
