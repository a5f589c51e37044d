"""`firstword doctor`: look at everything that can be wrong, and say what to do about it."""

from __future__ import annotations

import argparse

from bot.cli.context import FAULT, OK, WARNING, Context
from bot.cli.loop import run_async
from bot.cli.parser import Verbs

_COLORS = {"ok": "32", "warn": "33", "fail": "31"}


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add("doctor", "check configuration, home, keys, providers and store", _doctor)
    parser.add_argument(
        "--fix", action="store_true", help="mend what can be mended: file modes, secrets in the file"
    )
    parser.add_argument("--offline", action="store_true", help="ask no provider")


def _doctor(arguments: argparse.Namespace, context: Context) -> int:
    from bot.doctor import Patient, examine, mend

    patient = Patient(context.home, context.config_file, context.environ, context.folder)
    fixed = mend(patient) if arguments.fix else []
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
