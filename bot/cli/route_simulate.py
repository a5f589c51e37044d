"""`firstword route simulate`: a day of questions through several policies on a virtual clock."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.cli.context import FAULT, OK, USAGE, CommandError, Context, reason
from bot.cli.parser import Verbs
from bot.cli.table import table

if TYPE_CHECKING:
    from routing.traffic import Day

MAX_FILE_BYTES = 500 * 1024 * 1024
MOST = 200_000


def add(below: Verbs) -> None:
    """Add the verb."""
    verb = below.add("simulate", "play a day of questions through policies; asks nobody", _simulate)
    verb.add_argument(
        "trace", nargs="?", metavar="FILE", help="a recorded day: JSONL, as route replay --all --json"
    )
    verb.add_argument(
        "--scenario", default="outage", metavar="NAME", help="calm, outage, peak, price; or a FILE"
    )
    verb.add_argument("--seed", type=int, default=1, metavar="N", help="of all that is made up; 1")
    verb.add_argument(
        "--questions", type=int, default=3_000, metavar="N", help="of a made-up day, about; 3000"
    )
    verb.add_argument(
        "--policy", action="append", metavar="NAME", help="static, greedy, smart; may be repeated; none: all"
    )


def _simulate(arguments: argparse.Namespace, context: Context) -> int:
    from routing.simulate import POLICIES, compare

    chosen = arguments.policy or list(POLICIES)
    if unknown := [each for each in chosen if each not in POLICIES]:
        known = ", ".join(POLICIES)
        raise CommandError(
            f"--policy: there is no {unknown[0]!r}; there are: {known}", kind="usage", code=USAGE
        )
    if not 1 <= arguments.questions <= MOST:
        raise CommandError(f"--questions is a whole number from 1 to {MOST}", kind="usage", code=USAGE)
    day, about = _day(arguments)
    played = [each.to_plain() for each in compare(day, chosen, arguments.seed)]
    data = {"day": day.name, "seed": arguments.seed, "questions": len(day.questions), "policies": played}
    context.say(data, _lines(data, about))
    return FAULT if any(each["violations"] for each in played) else OK


def _day(arguments: argparse.Namespace) -> tuple[Day, str]:
    from routing.errors import TraceError
    from routing.traffic import SCENARIOS, recorded, scenario

    name = arguments.trace or arguments.scenario
    if arguments.trace is None and name in SCENARIOS:
        return scenario(name, arguments.seed, arguments.questions), SCENARIOS[name][0]
    path = Path(name)
    if not path.is_file():
        known = ", ".join(SCENARIOS)
        raise CommandError(f"{name}: no such file, and the scenarios are: {known}", kind="usage", code=USAGE)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise CommandError(f"{name}: larger than {MAX_FILE_BYTES} bytes", kind="usage", code=USAGE)
        with path.open(encoding="utf-8") as lines:
            return recorded(lines, path.name), "a recorded day"
    except TraceError as error:
        raise CommandError(f"{name}: {error}", kind="usage", code=USAGE) from error
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{name}: cannot be read ({reason(error)})", kind="usage", code=USAGE) from error


def _lines(data: Mapping[str, Any], about: str) -> Sequence[str]:
    policies = data["policies"]
    head = ("class", "policy", "questions", "p50", "p95", "p99", "late", "lost")
    classes = sorted({name for each in policies for name in each["classes"]})
    rows = [
        (
            name,
            each["policy"],
            str(found["questions"]),
            *(_ms(found[key]) for key in ("p50", "p95", "p99")),
            str(found["late"]),
            str(found["lost"]),
        )
        for name in classes
        for each in policies
        if (found := each["classes"].get(name)) is not None
    ]
    costs = (
        "policy",
        "cost",
        "switches",
        "without cause",
        "extra calls",
        "of them hedges",
        "failed",
        "answers",
    )
    totals = [
        (
            each["policy"],
            f"${each['cost_usd']:.4f}",
            str(each["switches"]),
            str(each["uncaused"]),
            f"{each['requests'] - data['questions']:+d}",
            str(each["hedges"]),
            str(each["failed"]),
            ", ".join(f"{ref} {count}" for ref, count in each["answers"].items()),
        )
        for each in policies
    ]
    played = f"{data['questions']} questions, seed {data['seed']}"
    return [
        f"{data['day']}: {about}; {played}. Time to the first word:",
        "",
        *table(head, rows),
        "",
        *table(costs, totals),
    ]


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"
