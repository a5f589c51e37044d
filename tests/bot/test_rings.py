"""What only the garbage collector frees goes soon; a look at everything waits for a quiet moment, but not for ever."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from bot.rings import ALL, ALL_AFTER, ALL_AT_LAST, EVERY, OLDER, YOUNG, depth, free_rings
from tests.virtual_time import virtual_time


class Ring:
    """Holds itself."""

    def __init__(self) -> None:
        self.next = self


@pytest.mark.parametrize(
    ("looks", "is_quiet", "expected"),
    [
        (1, True, YOUNG),
        (10, True, OLDER),
        (ALL_AFTER, True, ALL),
        (ALL_AFTER, False, OLDER),
        (ALL_AFTER + 1, False, YOUNG),
        (ALL_AFTER + 1, True, ALL),
        (ALL_AT_LAST, False, ALL),
    ],
)
def test_how_far_a_look_goes(looks: int, is_quiet: bool, expected: int) -> None:
    assert depth(looks, is_quiet=is_quiet) == expected


@virtual_time
async def test_rings_are_freed_although_the_collector_never_comes_by_itself() -> None:
    gc.disable()
    freeing = asyncio.create_task(free_rings(lambda: True))
    try:
        known = [weakref.ref(Ring()) for _ in range(100)]
        assert all(each() is not None for each in known)
        await asyncio.sleep(EVERY + 1)
        assert [each() for each in known if each() is not None] == []
    finally:
        gc.enable()
        freeing.cancel()
