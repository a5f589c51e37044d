"""`firstword status`: what the running daemon says of itself; without one, what its store still knows."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bot.cli import run
from bot.cli.context import OK, WARNING, Context
from bot.cli.loop import run_async
from bot.cli.parser import Parser, Verbs

_RECENT = 200


def add(verbs: Verbs) -> None:
    """Add the verb, and the name that users of other gateways know it by."""
    _options(verbs.add("status", "show how the daemon is doing", _status))
    parser = verbs.add("gateway", "run and status by the names that other gateways gave them")
    below = verbs.under(parser)
    run.add_options(below.add("run", "as firstword run", run.start))
    _options(below.add("status", "as firstword status", _status))


def _options(parser: Parser) -> None:
    parser.add_argument(
        "--deep", action="store_true", help="with models, figures of the last turns, and checks"
    )


def _status(arguments: argparse.Namespace, context: Context) -> int:
    daemon = run_async(ask_daemon(context, "status"))
    if daemon is None:
        return _without_daemon(arguments, context)
    data: dict[str, Any] = {"running": True, "daemon": daemon}
    lines = _daemon_lines(daemon)
    if arguments.deep:
        models = run_async(ask_daemon(context, "models")) or {}
        recent = run_async(ask_daemon(context, "turns", {"limit": _RECENT})) or []
        data |= {"models": models, "figures": figures(recent)}
        lines += [*_model_lines(models), *_figure_lines(data["figures"])]
    context.say(data, lines)
    offline = [name for name, row in daemon.get("channels", {}).items() if not row["online"]]
    return WARNING if offline else OK


async def ask_daemon(context: Context, method: str, params: dict[str, Any] | None = None) -> Any:
    """The daemon's answer, None when none runs."""
    from bot.control import call
    from bot.errors import BotError

    try:
        return await call(context.home, method, params)
    except BotError:
        return None


def _daemon_lines(daemon: dict[str, Any]) -> list[str]:
    lines = [
        f"running: {daemon['version']}, up {_span(daemon['uptime'])}, {daemon['address']}",
        f"model: {daemon['model']} ({daemon['model_origin']})",
        f"fallbacks: {', '.join(daemon['fallbacks']) or 'none'}",
        f"answers running: {daemon['running']}, waiting: {daemon['waiting']}",
    ]
    for name, row in daemon["channels"].items():
        lines.append(f"{name}: {'online' if row['online'] else 'offline, ' + (row['reason'] or 'starting')}")
    return lines


def _model_lines(models: dict[str, Any]) -> list[str]:
    aliases = models.get("aliases", {})
    return [*(f"alias {name}: {refs[0]}" for name, refs in aliases.items() if refs)]


def figures(turns: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Counts and quantiles of recent turns; seconds, None where nothing was measured."""
    shown = [row["first_visible"] for row in turns if row.get("first_visible") is not None]
    ttfts = [row["ttft"] for row in turns if row.get("ttft") is not None]
    outcomes: dict[str, int] = {}
    for row in turns:
        outcomes[row["outcome"]] = outcomes.get(row["outcome"], 0) + 1
    return {
        "turns": len(turns),
        "outcomes": outcomes,
        "first_visible": {"p50": quantile(shown, 50), "p95": quantile(shown, 95)},
        "ttft": {"p50": quantile(ttfts, 50), "p95": quantile(ttfts, 95)},
        "cost_usd": sum(row.get("cost_usd") or 0.0 for row in turns),
    }


def quantile(values: Sequence[float], percent: int) -> float | None:
    """A percentile of the values, None when there are none."""
    if not values:
        return None
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def _figure_lines(data: dict[str, Any]) -> list[str]:
    if not data["turns"]:
        return ["no turns yet"]
    outcomes = ", ".join(f"{count} {name}" for name, count in data["outcomes"].items())
    return [
        f"last {data['turns']} turns: {outcomes}; ${data['cost_usd']:.4f}",
        f"first word: p50 {_ms(data['first_visible']['p50'])}, p95 {_ms(data['first_visible']['p95'])}",
        f"TTFT: p50 {_ms(data['ttft']['p50'])}, p95 {_ms(data['ttft']['p95'])}",
    ]


def _without_daemon(arguments: argparse.Namespace, context: Context) -> int:
    last = _last_turns(context)
    data: dict[str, Any] = {"running": False, "home": str(context.home.root), "figures": figures(last)}
    lines = [f"not running in {context.home.root}; start it: firstword run"]
    if last:
        ended = datetime.fromtimestamp(max(row["ended_at"] for row in last), UTC)
        lines.append(f"last answer: {ended:%Y-%m-%d %H:%M} UTC")
    if arguments.deep:
        lines += _figure_lines(data["figures"])
    context.say(data, lines)
    return WARNING


def _last_turns(context: Context) -> list[dict[str, Any]]:
    """What the store knows, read without the home's lock; nothing when there is no readable store."""
    if not context.home.database.is_file():
        return []
    from bot.store import turns
    from bot.store.connection import connect_to_read

    try:
        connection = connect_to_read(context.home.database)
        try:
            rows = turns.turns(connection, None, _RECENT)
        finally:
            connection.close()
    except Exception as error:  # noqa: BLE001 - the store's own errors are known to the store alone
        context.warn(f"the store cannot be read: {error}; see: firstword doctor")
        return []
    return [
        {"outcome": str(row.outcome), "ended_at": row.ended_at, "cost_usd": row.cost_usd, **row.detail}
        for row in rows
    ]


def _span(seconds: float) -> str:
    minutes = int(seconds // 60)
    days, hours = divmod(minutes // 60, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value * 1000:.0f} ms"
