"""What only the garbage collector frees goes soon; nobody who waits for an answer waits for a look without need."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from bot.rings import ALL, ALL_AFTER, ALL_AT_LAST, EVERY, MANY, OLDER, OLDER_AFTER, depth, free_rings
from tests.virtual_time import virtual_time


class Ring:
    """Holds itself, and so much memory besides."""

    def __init__(self, blocks: int = 0) -> None:
        self.next = self
        self.weight = [[] for _ in range(blocks)]  # type: ignore[var-annotated]


@pytest.fixture(autouse=True)
def _no_collector_of_its_own() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize(
    ("since_any", "since_all", "grown", "is_quiet", "expected"),
    [
        (1.0, 1.0, 0, True, None),
        (OLDER_AFTER, OLDER_AFTER, 0, True, OLDER),
        (OLDER_AFTER, OLDER_AFTER, MANY - 1, False, None),
        (1.0, 1.0, MANY, False, OLDER),
        (1.0, ALL_AFTER, 0, True, ALL),
        (1.0, ALL_AFTER, MANY, False, OLDER),
        (1.0, ALL_AT_LAST, 0, False, ALL),
    ],
)
def test_how_far_a_look_goes(
    since_any: float, since_all: float, grown: int, is_quiet: bool, expected: int | None
) -> None:
    assert depth(since_any, since_all, grown, is_quiet=is_quiet) == expected


@virtual_time
async def test_a_quiet_moment_frees_them_although_the_collector_never_comes_by_itself() -> None:
    freeing = asyncio.create_task(free_rings(lambda: True))
    known = [weakref.ref(Ring()) for _ in range(100)]
    await asyncio.sleep(OLDER_AFTER - EVERY)
    assert all(each() is not None for each in known)
    await asyncio.sleep(2 * EVERY)
    assert [each() for each in known if each() is not None] == []
    freeing.cancel()


@virtual_time
async def test_many_are_freed_at_once_although_somebody_waits() -> None:
    freeing = asyncio.create_task(free_rings(lambda: False))
    await asyncio.sleep(EVERY / 2)
    few = weakref.ref(Ring())
    await asyncio.sleep(OLDER_AFTER)
    assert few() is not None
    many = weakref.ref(Ring(MANY + 1_000))
    await asyncio.sleep(EVERY)
    assert few() is None and many() is None
    freeing.cancel()
