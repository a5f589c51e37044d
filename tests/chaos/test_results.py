"""The book of results can be read again, goes on where it stopped, and sums up."""

from __future__ import annotations

from tests.chaos.results import Row, next_seed, read, written

ONE = Row("2026-11-21T18:00Z", "0.3.0", "abc1234", 1200, 0, 1199, 3100, ())
OTHER = Row("2026-11-22T18:00Z", "0.3.0", "abc1235+", 800, 1200, 1999, 2000, (1300, 1999))


def test_what_was_written_is_read_again() -> None:
    assert read(written([ONE, OTHER])) == [ONE, OTHER]


def test_the_rows_of_a_version_are_summed() -> None:
    assert "- 0.3.0: 2,000 of 100,000 seeds, 5,100 crashes, 2 findings" in written([ONE, OTHER])


def test_a_run_goes_on_behind_the_seeds_that_its_version_has_had() -> None:
    assert next_seed([ONE, OTHER], "0.3.0") == 2000
    assert next_seed([ONE, OTHER], "0.4.0") == 0
