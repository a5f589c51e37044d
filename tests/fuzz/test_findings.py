"""What fuzzing once found stays mended, and every target takes its own seeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import judge
from tests.fuzz.targets import TARGETS

FOUND = sorted(path for path in judge.FINDINGS.glob("*/*") if path.is_file())
ODD = (b"", b"null", b"[]", b"{}", b'"a"', b"[1]", b"\xff\xfe\x00", b"[" * 200)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_takes_its_seeds_and_odd_bytes(name: str) -> None:
    run, seeds = TARGETS[name]()
    assert seeds
    assert [judge.raised(run, data) for data in (*seeds, *ODD)] == [""] * (len(seeds) + len(ODD))


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_an_input_that_was_a_finding_is_none(path: Path) -> None:
    assert judge.raised(TARGETS[path.parent.name]().run, path.read_bytes()) == ""


def test_an_exception_is_a_finding_and_so_is_slowness() -> None:
    def breaks(data: bytes) -> None:
        data.decode("ascii")

    now = 0.0

    def spins(_: bytes) -> None:
        nonlocal now
        now += 0.2

    def hurries(_: bytes) -> None:
        nonlocal now
        now += 0.05

    assert judge.raised(breaks, b"\xff").startswith("UnicodeDecodeError at ")
    assert judge.raised(breaks, b"a") == ""
    assert judge.slow(spins, b"", lambda: now) == pytest.approx(0.2)
    assert judge.slow(spins, b"x" * 3000, lambda: now) == 0.0
    assert judge.slow(hurries, b"", lambda: now) == 0.0
