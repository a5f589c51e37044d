"""What is usual of models, over restarts."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from bot.baselines import expectations, keep_baselines, read_baselines, write_baselines
from bot.priors import Prior
from routing.health import Expectation, Health

KEY = ("one", "m", "")
WALL = 1_700_000_000.0


def busy(count: int = 400) -> Health:
    """A model that was slow for long enough to be known as slow at this hour."""
    health = Health(epoch=WALL)
    for number in range(count):
        health.began(KEY, 3.0, float(number), 100)
    return health


def test_a_busy_hour_is_known_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "data" / "route-baselines.json"
    before = busy()
    write_baselines(path, before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    after = Health(epoch=WALL)
    assert after.usually(KEY, 1.0, 0.0, 100) is None
    assert read_baselines(path, after)
    assert after.usually(KEY, 1.0, 0.0, 100) == 0.0
    assert after.usually(KEY, 10.0, 0.0, 100) == 1.0
    assert after.to_plain() == before.to_plain()


def test_without_a_file_nothing_is_known(tmp_path: Path) -> None:
    assert not read_baselines(tmp_path / "none.json", Health())


@pytest.mark.parametrize(
    "held",
    [
        b"",
        b"{",
        b"[]",
        b'{"version": 2, "models": {}}',
        b'{"version": 1, "models": {"0 one/m": {"3": [1, 2]}}}',
        b'{"version": 1, "models": {"zero one/m": {}}}',
        b'{"version": 1, "models": []}',
        b"\xff\xfe",
    ],
)
def test_a_broken_or_foreign_file_is_set_aside(tmp_path: Path, held: bytes) -> None:
    path = tmp_path / "route-baselines.json"
    path.write_bytes(held)
    health = Health()
    assert not read_baselines(path, health)
    assert not path.exists()
    assert (tmp_path / "route-baselines.broken").read_bytes() == held
    assert health.to_plain() == {}


def test_a_folder_in_its_place_or_a_full_disk_ends_nothing(tmp_path: Path) -> None:
    path = tmp_path / "route-baselines.json"
    path.mkdir()
    assert not read_baselines(path, Health())
    path.mkdir(exist_ok=True)
    write_baselines(path, busy(1))  # it is logged


async def test_they_are_written_down_every_ten_minutes(tmp_path: Path) -> None:
    path = tmp_path / "route-baselines.json"
    waits: list[float] = []

    class EndError(Exception):
        """The test has seen enough."""

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            raise EndError

    with pytest.raises(EndError):
        await keep_baselines(path, busy(30), sleep)
    assert waits == [600.0, 600.0]
    assert json.loads(path.read_text())["version"] == 1


def test_what_a_bench_measured_is_what_is_expected() -> None:
    found = expectations({"one/a/b": Prior(5.0, 3, 0.2, 0.3, 120.0), "two/m": Prior(5.0, 1, 1.0, 1.0)})
    assert found == {("one", "a/b"): Expectation(0.2, 0.3, 120.0), ("two", "m"): Expectation(1.0, 1.0, None)}
