"""`firstword doctor`: look at everything that can be wrong, and say what to do about it."""

from __future__ import annotations

import argparse

from bot.cli.context import FAULT, OK, WARNING, Context
from bot.cli.loop import run_async
from bot.cli.parser import Verbs
from bot.cli.security import audit

_COLORS = {"ok": "32", "warn": "33", "fail": "31"}


def add(verbs: Verbs) -> None:
    """Add the verb."""
    summary = "check configuration, home, channels, keys, providers and store"
    parser = verbs.add("doctor", summary, _doctor)
    parser.add_argument(
        "--fix", action="store_true", help="mend what can be mended: file modes, secrets in the file"
    )
    parser.add_argument(
        "--security", action="store_true", help="list what is exposed, to whom, how to close it"
    )
    parser.add_argument("--offline", action="store_true", help="ask no channel's service and no provider")


def _doctor(arguments: argparse.Namespace, context: Context) -> int:
    if arguments.security:
        return audit(context, is_fixing=arguments.fix)
    from bot.cli.quiet import silent
    from bot.doctor import Patient, examine, mend

    patient = Patient(context.home, context.config_file, context.environ, context.folder)
    fixed = mend(patient) if arguments.fix else []
    with silent():
        rows = run_async(examine(patient, is_offline=arguments.offline))
    states = {str(row.state) for row in rows}
    context.say(
        {"ok": "fail" not in states, "fixed": fixed, "checks": [row.values() for row in rows]},
        [
            *(f"fixed: {line}" for line in fixed),
            *(f"{context.paint(f'{row.state:<4}', _COLORS[row.state])} {row.line()}" for row in rows),
        ],
    )
    return FAULT if "fail" in states else WARNING if "warn" in states else OK
