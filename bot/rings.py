"""Rings of objects, which only the garbage collector frees: looked for in time, and never long in somebody's turn.

A message that is answered leaves none; one whose requests fail does: an exception holds the frames it went through,
and those the whole turn. At the thresholds of `bot.daemon.calm_collector` alone some 50,000 such objects pile up, tens
of megabytes, before anybody looks.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

EVERY = 60.0
"""Seconds from one look to the next."""

YOUNG, OLDER, ALL = 0, 1, 2
"""How far a look goes, as gc.collect takes it."""

OLDER_EVERY, ALL_AFTER, ALL_AT_LAST = 10, 60, 24 * 60
"""Looks. One at everything may take 0.1 s with much at hand: it waits for a moment in which nobody is answered."""


def depth(looks: int, *, is_quiet: bool) -> int:
    """How far this look goes, the last one at everything being so many looks ago. Pure."""
    if looks >= ALL_AT_LAST or (is_quiet and looks >= ALL_AFTER):
        return ALL
    return YOUNG if looks % OLDER_EVERY else OLDER


async def free_rings(is_quiet: Callable[[], bool]) -> None:
    """For ever. `is_quiet`: whether nobody is being answered."""
    looks = 0
    while True:
        await asyncio.sleep(EVERY)
        looks += 1
        how_far = depth(looks, is_quiet=is_quiet())
        gc.collect(how_far)
        if how_far == ALL:
            looks = 0
