"""`make bench`: measure, print the table; `--json FILE` writes the figures too."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.bench import rows, streams
from tests.bench.figures import ROWS
from tests.bench.processes import cores, machine, pin
from tests.bench.report import table
from tests.bench.rig import Kind
from tests.bench.rows import Found, Scale

RUN: dict[str, Callable[[Kind, Scale], Awaitable[Found]]] = {
    "start": rows.start,
    "serial": rows.serial,
    "throughput": rows.throughput,
    "open": rows.open_loop,
    "streams1k": streams.streams1k,
    "streams10k": streams.streams10k,
    "memory": streams.memory,
}
NOT_FOR_THE_FLOOR = frozenset({"streams10k", "memory", "pacer"})
"""It keeps no conversations and no limits, and at 1,000 streams its pool has collapsed already."""


def main() -> int:
    """Run what is asked for; 1 when a row could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rows", default=",".join(ROWS), help=f"of {', '.join(ROWS)}")
    parser.add_argument("--bots", default="firstword,floor", help="which bots, of firstword, floor")
    parser.add_argument("--quick", action="store_true", help="a tenth of each row: does the rig work?")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    given = parser.parse_args()
    wanted = [name for name in given.rows.split(",") if name]
    if unknown := [name for name in wanted if name not in ROWS]:
        parser.error(f"--rows: {unknown[0]!r} is none of {', '.join(ROWS)}")
    kinds = [Kind(name) for name in given.bots.split(",")]
    notes = machine()
    pin(cores()[1])
    found, failed = asyncio.run(measure(wanted, kinds, Scale(quick=given.quick)))
    print("\n".join([*notes, "", table(found[Kind.FIRSTWORD], found[Kind.FLOOR])]))
    if given.json is not None:
        given.json.write_text(json.dumps({"machine": notes, "figures": found}, indent=1) + "\n", "utf-8")
    return 1 if failed else 0


async def measure(wanted: list[str], kinds: list[Kind], scale: Scale) -> tuple[dict[Kind, Found], list[str]]:
    """Every row for every bot, one after the other; a row that fails is said and left out."""
    found: dict[Kind, Found] = {kind: {} for kind in Kind}
    failed = []
    for name in wanted:
        if name not in RUN:
            continue
        for kind in kinds:
            if kind is Kind.FLOOR and name in NOT_FOR_THE_FLOOR and not scale.quick:
                continue
            print(f"measuring {name} of {kind} ...", file=sys.stderr, flush=True)
            try:
                found[kind] |= await RUN[name](kind, scale)
            except Exception:  # noqa: BLE001 - the other rows are worth having
                traceback.print_exc()
                failed.append(f"{name} of {kind}")
    return found, failed


if __name__ == "__main__":
    sys.exit(main())
