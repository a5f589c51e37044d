"""`python -m tests.soak --minutes 30`: a fault a minute, five messages a second; prints slopes and what was lost."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.soak.life import SEED, Plan, soak
from tests.soak.report import is_bad, lines
from tests.soak.troubles import FAULTS


def main() -> int:
    """1 when something was lost, or doubled for no reason."""
    asked = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    asked.add_argument("--minutes", type=float, default=30.0)
    asked.add_argument("--rate", type=float, default=5.0, help="messages a second")
    asked.add_argument("--people", type=int, default=300)
    asked.add_argument("--seed", type=int, default=SEED)
    asked.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS), help="these alone")
    asked.add_argument("--log", type=Path, help="keep the daemon's log here")
    given = asked.parse_args()
    plan = Plan(
        given.minutes * 60, rate=given.rate, people=given.people, seed=given.seed, faults=given.faults
    )
    with tempfile.TemporaryDirectory(prefix="firstword-soak-") as folder:
        home = Path(folder) / "home"
        try:
            seen = asyncio.run(soak(home, plan, lambda line: print(line, flush=True)))
        finally:
            log = home / "logs" / "firstword.log"
            if given.log is not None and log.exists():
                given.log.write_bytes(log.read_bytes())
    print("\n".join(lines(seen)))
    return int(is_bad(seen))


if __name__ == "__main__":
    sys.exit(main())
