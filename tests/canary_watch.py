"""A pytest plug-in (tests/conftest.py takes it in): a test that leaves or shows a marked secret fails."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.canary import check, found_in


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """Search the test's folder once everything that it started has ended."""
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    yield
    if isinstance(folder, Path) and folder.is_dir():
        found = list(found_in(folder))
        assert not found, "secrets were left in files:\n" + "\n".join(found)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that printed or logged a secret; one that failed shows its values, and those may be secrets."""
    report = yield
    if report.passed:
        for title, text in report.sections:
            if not title.endswith(report.when):
                continue  # said in the phase before, and told there
            try:
                check(text, title.lower())
            except AssertionError as error:
                report.outcome = "failed"
                report.longrepr = str(error)
    return report
