"""The book of results can be read again, goes on where it stopped, and sums up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.chaos.results import Book, Row, Span, next_chain, next_seed, read, written

ONE = Row("2026-11-21T18:00Z", "0.3.0", "abc1234", 1200, Span(0, 1199), 3100, 40, Span(0, 1), 31, ())
OTHER = Row(
    "2026-11-22T18:00Z", "0.3.0", "abc1235+", 800, Span(1200, 1999), 2000, findings=("seed 1300", "chain 7")
)
OLD = "| 2026-11-20T18:00Z | 0.2.0 | abc1233 | 1,000 | 0-999 | 2,100 | seed 5, seed 7 |\n"


def test_what_was_written_is_read_again() -> None:
    assert read(written([ONE, OTHER])) == [ONE, OTHER]


def test_a_row_from_before_there_were_kills_is_read() -> None:
    (row,) = read(OLD)
    assert (row.seeds, row.crashes, row.kills, row.findings) == (1000, 2100, 0, ("seed 5", "seed 7"))


def test_the_rows_of_a_version_are_summed() -> None:
    told = "- 0.3.0: 2,000 of 100,000 seeds, 5,100 crashes, 40 of 1,000 kills, 31 orphans, 2 findings"
    assert told in written([ONE, OTHER])


def test_a_run_goes_on_behind_what_its_version_has_had() -> None:
    assert (next_seed([ONE, OTHER], "0.3.0"), next_chain([ONE, OTHER], "0.3.0")) == (2000, 2)
    assert (next_seed([ONE, OTHER], "0.4.0"), next_chain([ONE, OTHER], "0.4.0")) == (0, 0)


def test_runs_at_the_same_time_keep_a_row_each(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    seeds, kills = Book(path), Book(path)
    for step in (1, 2):
        seeds.keep(replace(OTHER, seeds=400 * step))
        kills.keep(replace(ONE, kills=20 * step))
    assert seeds.rows() == [ONE, OTHER]
