"""`make bench`: measure, print the table; `--json FILE` writes the figures too."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench import (
    decisions,
    durable,
    hedges,
    mixed,
    pacer,
    provider_table,
    providers,
    router,
    rows,
    sampler,
    streams,
    surfaces,
)
from tests.bench.daemon import PROFILE
from tests.bench.figures import GROUPS, OWN_TABLES, ROWS
from tests.bench.processes import cores, machine, pin
from tests.bench.report import table
from tests.bench.rig import Kind
from tests.bench.rows import Found, Scale

RUN: dict[str, Callable[[Kind, Scale], Coroutine[Any, Any, Found]]] = {
    "start": rows.start,
    "serial": rows.serial,
    "throughput": rows.throughput,
    "open": rows.open_loop,
    "streams1k": streams.streams1k,
    "streams10k": streams.streams10k,
    "memory": streams.memory,
    "pacer": pacer.pacer,
    **{name: partial(surfaces.channel, name) for name in surfaces.GROUNDS},
    "mixed500": mixed.mixed500,
    "routing": router.routing,
    "hedge": hedges.hedge,
    "decision": decisions.decision,
    "degradation": decisions.degradation,
    "sustained": durable.sustained,
    "durability": durable.durability,
    "recovery": durable.recovery,
    "backlog": durable.backlog,
    "providers": providers.providers,
    "streams1000": providers.streams1000,
}
PROFILED = {"serial": 440, "throughput": 1700, "open": 1602, "streams1k": 2000, "mixed500": 848}
"""Rows that can be sampled, and how many messages each sends."""
NOT_FOR_THE_FLOOR = frozenset({"streams10k", "memory"})
"""It keeps no conversations, and at 1,000 streams its pool has collapsed already."""
OURS_ALONE = frozenset({"sustained", "durability", "recovery", "backlog"})
"""It keeps nothing, so there is nothing that could last."""


def main() -> int:
    """Run what is asked for; 1 when a row could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    known = [*ROWS, *GROUPS]
    parser.add_argument("--rows", default=",".join(ROWS), help=f"of {', '.join(known)}")
    parser.add_argument("--bots", default="firstword,floor", help="which bots, of firstword, floor")
    parser.add_argument("--quick", action="store_true", help="a tenth of each row: does the rig work?")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long `sustained` goes on")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--profile", choices=PROFILED, help="say where firstword's CPU goes in this row")
    given = parser.parse_args()
    asked = [name for name in given.rows.split(",") if name]
    if unknown := [name for name in asked if name not in known]:
        parser.error(f"--rows: {unknown[0]!r} is none of {', '.join(known)}")
    wanted = [row for name in asked for row in GROUPS.get(name, (name,))]
    kinds = [Kind(name) for name in given.bots.split(",")]
    if given.profile:
        print(profile(given.profile, Scale(quick=given.quick)))
        return 0
    notes = machine()
    pin(cores()[1])
    found, failed = asyncio.run(measure(wanted, kinds, Scale(quick=given.quick, minutes=given.minutes)))
    print("\n".join([*notes, "", *shown(wanted, found)]))
    if given.json is not None:
        given.json.write_text(json.dumps({"machine": notes, "figures": found}, indent=1) + "\n", "utf-8")
    return 1 if failed else 0


def shown(wanted: list[str], found: dict[Kind, Found]) -> list[str]:
    """The tables of what was measured."""
    bots = [table(found[Kind.FIRSTWORD], found[Kind.FLOOR])] if set(wanted) - set(OWN_TABLES) else []
    askers = provider_table.tables(found[Kind.FIRSTWORD])
    return [*bots, *([""] if bots and askers else []), *([askers] if askers else [])]


def profile(row: str, scale: Scale) -> str:
    """Run one row of firstword under the sampler; its report. The row's own figures are not worth much then."""
    pin(cores()[1])
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "samples.json"
        os.environ[PROFILE] = str(out)
        try:
            asyncio.run(RUN[row](Kind.FIRSTWORD, scale))
        finally:
            del os.environ[PROFILE]
        return sampler.report(out, scale.of(PROFILED[row]))


async def measure(wanted: list[str], kinds: list[Kind], scale: Scale) -> tuple[dict[Kind, Found], list[str]]:
    """Every row for every bot, one after the other; a row that fails is said and left out."""
    found: dict[Kind, Found] = {kind: {} for kind in Kind}
    failed = []
    for name in wanted:
        for kind in kinds:
            if kind is Kind.FLOOR and name in NOT_FOR_THE_FLOOR and not scale.quick:
                continue
            if kind is Kind.FLOOR and name in OWN_TABLES:
                continue  # their floors stand in the same table
            if kind is Kind.FLOOR and name in OURS_ALONE:
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
