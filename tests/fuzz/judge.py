"""What counts as a finding: an exception that no contract names, or more than 100 ms of CPU a KB."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.fuzz.targets import Run

FINDINGS = Path(__file__).parent / "findings"
"""FINDINGS/TARGET/*: inputs that once were a finding; `make test` tries each again."""

SECONDS_PER_KB = 0.1
LOOKS = 3
"""A slow input is tried again: what counts is the least that it took."""


def raised(run: Run, data: bytes) -> str:
    """The exception and where it was raised; "" when there is none."""
    try:
        run(data)
    except Exception as error:  # noqa: BLE001 - any of them is what is looked for
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
    return ""


def slow(run: Run, data: bytes, clock: Callable[[], float] = time.process_time) -> float:
    """Seconds of CPU that it took by `clock`, where that is more than allowed; 0.0 otherwise."""
    allowed = SECONDS_PER_KB * max(1.0, len(data) / 1024)
    least = float("inf")
    for _ in range(LOOKS):
        began = clock()
        run(data)
        least = min(least, clock() - began)
        if least <= allowed:
            return 0.0
    return least
