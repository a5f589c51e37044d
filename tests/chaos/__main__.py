"""`python -m tests.chaos --minutes 5`: new seeds for so long, on every core, into the book. `--seed N` plays one again."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import count

from tests.chaos.results import BOOK, Row, commit, next_seed, read, written
from tests.chaos.seeds import Outcome, try_seed

BATCH = 20
"""Seeds that a worker is given at a time."""


def _try(seeds: Sequence[int]) -> list[Outcome]:
    return [try_seed(each) for each in seeds]


def run(minutes: float, first: int, workers: int) -> list[Outcome]:
    """As many seeds from `first` on as the minutes allow; those that fail are printed at once."""
    end, numbers, done = time.monotonic() + minutes * 60, count(first, BATCH), list[Outcome]()
    with ProcessPoolExecutor(workers) as pool:
        running: set[Future[list[Outcome]]] = set()
        while True:
            while len(running) < workers and time.monotonic() < end:
                begin = next(numbers)
                running.add(pool.submit(_try, range(begin, begin + BATCH)))
            if not running:
                return sorted(done, key=lambda each: each.seed)
            ready, running = wait(running, return_when=FIRST_COMPLETED)
            for outcome in (outcome for each in ready for outcome in each.result()):
                done.append(outcome)
                if outcome.findings:
                    print(outcome, flush=True)


def main() -> int:
    """1 when something was found."""
    asked = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    asked.add_argument("--minutes", type=float, default=5.0)
    asked.add_argument("--seed", type=int, help="play this one alone and tell its story")
    asked.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = asked.parse_args()
    if given.seed is not None:
        outcome = try_seed(given.seed)
        print(outcome)
        return int(bool(outcome.findings))
    rows = read(BOOK.read_text()) if BOOK.exists() else []
    of = version("firstword")
    done = run(given.minutes, next_seed(rows, of), given.workers)
    if not done:
        return 0
    bad = tuple(each.seed for each in done if each.findings)
    kills = sum(each.kills for each in done)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ")
    row = Row(now, of, commit(), len(done), done[0].seed, done[-1].seed, kills, bad)
    BOOK.write_text(written([*rows, row]))
    print(f"{len(done):,} seeds, {kills:,} crashes, findings: {list(bad) or 'none'}; see {BOOK.name}")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
