"""A large store is looked through beside the work, and damage is told."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
import structlog

from bot.store.scrub import scrub
from bot.store.sqlite import open_store
from tests.story.inside import message


@pytest.fixture
async def store(tmp_path: Path) -> Path:
    path = tmp_path / "firstword.db"
    async with open_store(path) as opened:
        for number in range(300):
            await opened.add_message(message("x" * 2000, number, key=f"k{number}"), f"t{number}", 0.0)
    return path


def _damage(path: Path) -> None:
    """A disk that gives back something else than it was given."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        for at in range(size // 2, size - 8192, 4096):
            file.seek(at)
            file.write(b"\xff" * 512)


async def test_a_sound_store_is_no_news(store: Path) -> None:
    told: list[int] = []
    with structlog.testing.capture_logs() as lines:
        await scrub(store, lambda: told.append(1), 0)
    assert ([line["event"] for line in lines], told) == (["store looked through"], [])


async def test_damage_is_logged_and_told(store: Path) -> None:
    _damage(store)
    told: list[int] = []
    with structlog.testing.capture_logs() as lines:
        await scrub(store, lambda: told.append(1), 0)
    assert ([line["event"] for line in lines], told) == (["store damaged"], [1])
    assert str(store) in lines[0]["error"]
    assert "firstword backup restore" in lines[0]["error"]


async def test_what_the_start_has_looked_through_is_left(store: Path) -> None:
    _damage(store)
    told: list[int] = []
    await scrub(store, lambda: told.append(1), 10_000_000)
    assert not told


async def test_a_stop_does_not_wait_for_it(store: Path) -> None:
    looking = asyncio.ensure_future(scrub(store, lambda: None, 0))
    await asyncio.sleep(0)
    looking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await looking
    assert looking.cancelled()
