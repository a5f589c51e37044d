"""`firstword channels status`: whether each account is online, since when, and why not; with --probe, could it be."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bot.checkup import joined
from bot.cli.context import FAULT, OK, WARNING, Context
from bot.cli.loop import run_async
from bot.cli.parser import Verbs
from bot.cli.status import ask_daemon

if TYPE_CHECKING:
    from bot.probes import Probed
    from bot.settings import Settings

_CODES = {"ok": OK, "warning": WARNING, "problem": FAULT}
_COLORS = {"ok": "32", "warning": "33", "problem": "31"}


def add(below: Verbs) -> None:
    """Add the verb."""
    parser = below.add("status", "show which accounts are online in the running daemon, and why not", _status)
    summary = "ask each service about token, rights and reachability; needs no daemon"
    parser.add_argument("--probe", action="store_true", help=summary)


def _status(arguments: argparse.Namespace, context: Context) -> int:
    from bot.cli.quiet import silent

    settings = context.settings()
    daemon = run_async(ask_daemon(context, "status"))
    probed: dict[str, Probed] = {}
    if arguments.probe:
        with silent():
            probed = run_async(_probe(settings))
    rows = _rows(settings, daemon, probed)
    lines = [line for row in rows for line in _lines(row, context)]
    if daemon is None:
        lines.insert(0, f"not running in {context.home.root}; start it: firstword run")
    context.say({"running": daemon is not None, "channels": rows}, lines)
    return _code(rows, is_running=daemon is not None, was_probed=arguments.probe)


async def _probe(settings: Settings) -> dict[str, Probed]:
    from bot.probes import probe_accounts

    return {each.name: each for each in await probe_accounts(settings.accounts, settings.secrets())}


def _rows(
    settings: Settings, daemon: Mapping[str, Any] | None, probed: Mapping[str, Probed]
) -> list[dict[str, Any]]:
    states = daemon["channels"] if daemon is not None else {}
    rows = []
    for account in settings.accounts:
        if account.spec.is_foreground:
            continue
        name, state = f"{account.channel}/{account.name}", states.get(f"{account.channel}:{account.name}")
        findings = [
            {"level": str(each.level), "what": each.what, "remedy": each.remedy}
            for each in (probed[name].findings if name in probed else ())
        ]
        seen = _seen(state, is_running=daemon is not None)
        rows.append(
            {"channel": account.channel, "account": account.name, "title": account.spec.title, **seen}
        )
        rows[-1]["findings"] = findings
    # What the daemon has and the settings, as they are read here, have not.
    known = {f"{row['channel']}:{row['account']}" for row in rows}
    for name, state in states.items():
        if name not in known:
            channel, _, account = name.partition(":")
            row = {"channel": channel, "account": account, "title": channel, "findings": []}
            rows.append({**row, **_seen(state, is_running=True)})
    return rows


def _seen(state: Mapping[str, Any] | None, *, is_running: bool) -> dict[str, Any]:
    return {
        "online": state is not None and state["online"],
        "reason": _reason(state, is_running=is_running),
        "since": state.get("since") if state is not None else None,
    }


def _reason(state: Mapping[str, Any] | None, *, is_running: bool) -> str:
    if state is not None:
        return "" if state["online"] else str(state["reason"] or "starting")
    return "the daemon runs without it; restart it, or see its log" if is_running else "not running"


def _lines(row: Mapping[str, Any], context: Context) -> list[str]:
    since = f" since {datetime.fromtimestamp(row['since'], UTC):%Y-%m-%d %H:%M} UTC" if row["since"] else ""
    state = "online" if row["online"] else "offline"
    reason = f": {row['reason']}" if row["reason"] else ""
    lines = [f"{row['channel']}/{row['account']}: {state}{since}{reason}"]
    for each in row["findings"]:
        level = context.paint(f"{each['level']:<7}", _COLORS[each["level"]])
        lines.append(f"  {level} {joined(each['what'], each['remedy'])}")
    return lines


def _code(rows: list[dict[str, Any]], *, is_running: bool, was_probed: bool) -> int:
    """A problem is a fault; a warning, or an account that is not online, is a warning.

    Probing is also for before the first start: then nothing has to be online.
    """
    found = {_CODES[each["level"]] for row in rows for each in row["findings"]}
    if FAULT in found:
        return FAULT
    is_late = any(not row["online"] for row in rows) and (is_running or not was_probed)
    return WARNING if is_late or WARNING in found or not (is_running or was_probed) else OK
