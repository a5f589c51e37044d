"""`python -m tests.chaos --minutes 5`: half of them real kills, half new seeds, into the book. `--seed N`, `--chain N`: again."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import count
from typing import TypeVar

from tests.chaos.kills.chain import Chain, plan
from tests.chaos.kills.chain import run as live
from tests.chaos.results import BOOK, Book, Row, Span, commit, next_chain, next_seed, summed
from tests.chaos.seeds import Outcome, try_seed

BATCH = 20
"""Seeds that a worker is given at a time."""

KILLS = 20
"""Deaths of a chain."""

Keep = Callable[[Row], None]
Task = TypeVar("Task")
Done = TypeVar("Done")


def _try(seeds: Sequence[int]) -> list[Outcome]:
    return [try_seed(each) for each in seeds]


def chain(seed: int) -> Chain:
    """One chain of lives."""
    return asyncio.run(live(seed, plan(seed, KILLS)))


def kill(minutes: float, row: Row, first: int, workers: int, keep: Keep) -> Row:
    """As many chains from `first` on as the minutes allow, so many at a time, each told and kept when it is over."""
    for one in _in_time(minutes, workers, count(first), chain):
        print(one, flush=True)
        row = replace(
            row,
            kills=row.kills + one.kills,
            chains=Span(first, max(row.chains.last, one.seed)),
            orphans=row.orphans + one.verdict.orphans,
            findings=(*row.findings, *([f"chain {one.seed}"] if one.verdict.findings else ())),
        )
        keep(row)
    return row


def play(minutes: float, row: Row, first: int, workers: int, keep: Keep) -> Row:
    """As many seeds from `first` on as the minutes allow; those that fail are told at once."""
    batches = (range(begin, begin + BATCH) for begin in count(first, BATCH))
    for outcomes in _in_time(minutes, workers, batches, _try):
        for outcome in outcomes:
            row = _noted(row, outcome, first)
            if outcome.findings:
                print(outcome, flush=True)
        keep(row)
    return row


def _in_time(
    minutes: float, workers: int, tasks: Iterator[Task], work: Callable[[Task], Done]
) -> Iterator[Done]:
    """What comes of the tasks that are begun within the minutes, as it comes; `workers` at a time."""
    end = time.monotonic() + minutes * 60
    with ProcessPoolExecutor(workers) as pool:
        running: set[Future[Done]] = set()
        while True:
            while len(running) < workers and time.monotonic() < end:
                running.add(pool.submit(work, next(tasks)))
            if not running:
                return
            ready, running = wait(running, return_when=FIRST_COMPLETED)
            for each in ready:
                yield each.result()


def _noted(row: Row, outcome: Outcome, first: int) -> Row:
    return replace(
        row,
        seeds=row.seeds + 1,
        numbers=Span(first, max(row.numbers.last, outcome.seed)),
        crashes=row.crashes + outcome.kills,
        findings=(*row.findings, *([f"seed {outcome.seed}"] if outcome.findings else ())),
    )


def main() -> int:
    """1 when something was found."""
    asked = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    asked.add_argument("--minutes", type=float, default=5.0)
    asked.add_argument(
        "--kills", type=float, default=0.5, help="the share of real kills in that time, 0 to 1"
    )
    asked.add_argument("--seed", type=int, help="play this one alone and tell its story")
    asked.add_argument("--chain", type=int, help="live through this one alone")
    asked.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = asked.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no process is left behind
    if given.seed is not None:
        outcome = try_seed(given.seed)
        print(outcome)
        return int(bool(outcome.findings))
    if given.chain is not None:
        one = chain(given.chain)
        print(one)
        return int(bool(one.verdict.findings))
    of = version("firstword")
    book, row = Book(), Row(datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"), of, commit())
    if given.kills > 0:
        row = kill(given.minutes * given.kills, row, next_chain(book.rows(), of), given.workers, book.keep)
    if given.kills < 1:
        row = play(
            given.minutes * (1 - given.kills), row, next_seed(book.rows(), of), given.workers, book.keep
        )
    print(f"this run: {summed([row])}: {', '.join(row.findings) or 'nothing'}")
    print(f"{of} so far: {summed([each for each in book.rows() if each.version == of])}; see {BOOK.name}")
    return int(bool(row.findings))


if __name__ == "__main__":
    sys.exit(main())
