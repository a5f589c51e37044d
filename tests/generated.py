"""Generated events: how many, and the settings that every adapter's test of them shares.

    @generated
    @given(updates())
    def test_no_generated_update_crashes_the_parser(update: dict[str, Any]) -> None: ...

`make test` draws 300 examples a test, `make chaos` 10,000 (`FIRSTWORD_CHAOS=1`) and runs these tests alone.
Async tests and tests with fixtures may carry it too; a fixture is then shared by all examples of its test.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

# Read once, on import: the conftest takes every foreign FIRSTWORD_ variable away afterwards.
IS_CHAOS = os.environ.get("FIRSTWORD_CHAOS", "") not in ("", "0")
EXAMPLES = 10_000 if IS_CHAOS else 300

# Seconds. Ten thousand events through a whole adapter take minutes; a test that hangs still ends.
TIMEOUT = 1800 if IS_CHAOS else 120

# A shared fixture is a fresh peer's price, and payloads of a real service are large and slow to draw.
UNCHECKED = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large)

Test = TypeVar("Test", bound=Callable[..., Any])


def generated(test: Test) -> Test:
    """Mark a `@given` test as one of generated events; it stands above `@given`."""
    drawn = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=UNCHECKED)(test)
    marked: Test = pytest.mark.generated(pytest.mark.timeout(TIMEOUT)(drawn))
    return marked
