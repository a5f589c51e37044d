"""`firstword security audit`: what is exposed, to whom, and how to close it. The same as `doctor --security`."""

from __future__ import annotations

import argparse

from bot.cli.context import FAULT, OK, WARNING, Context
from bot.cli.parser import Verbs

_COLORS = {"ok": "32", "warn": "33", "fail": "31"}


def add(verbs: Verbs) -> None:
    """Add the verb."""
    below = verbs.under(verbs.add("security", "what is exposed, and to whom"))
    parser = below.add("audit", "list what is exposed, to whom, and how to close it", _audit)
    parser.add_argument("--fix", action="store_true", help="make all files of the home yours alone")


def _audit(arguments: argparse.Namespace, context: Context) -> int:
    return audit(context, is_fixing=arguments.fix)


def audit(context: Context, *, is_fixing: bool) -> int:
    """Print the rows; returns the exit code: 1 for an open door, 3 for what should be looked at."""
    from bot.doctor import Patient
    from bot.doctor_files import tighten
    from bot.doctor_security import audit as rows_of

    fixed = tighten(context.home, context.config_file) if is_fixing else []
    rows = rows_of(Patient(context.home, context.config_file, context.environ, context.folder))
    states = {str(row.state) for row in rows}
    context.say(
        {"ok": "fail" not in states, "fixed": fixed, "exposures": [row.values() for row in rows]},
        [
            *(f"fixed: {line}" for line in fixed),
            *(f"{context.paint(f'{row.state:<4}', _COLORS[row.state])} {row.line()}" for row in rows),
        ],
    )
    return FAULT if "fail" in states else WARNING if "warn" in states else OK
