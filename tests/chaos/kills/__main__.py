"""`python -m tests.chaos.kills --kills 50 --seed 3`: one chain of lives, told. `--at WORDS`: at these moments only."""

from __future__ import annotations

import argparse
import asyncio
import functools
import sys

from tests.chaos.kills.chain import ANY, plan, run
from tests.chaos.kills.points import POINTS


def main() -> int:
    """1 when something was found."""
    asked = argparse.ArgumentParser(prog="python -m tests.chaos.kills", description=__doc__)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--kills", type=int, default=15)
    asked.add_argument("--at", help="a part of the names of the moments, or all")
    given = asked.parse_args()
    moments = plan(given.seed, given.kills)
    if given.at:
        named = [each for each in (*POINTS, ANY) if given.at in (*each.split(), each, "all")]
        moments = [named[number % len(named)] for number in range(max(given.kills, len(named)))]
    chain = asyncio.run(run(given.seed, moments, tell=functools.partial(print, flush=True)))
    print(chain)
    return int(bool(chain.verdict.findings))


if __name__ == "__main__":
    sys.exit(main())
