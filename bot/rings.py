"""Rings of objects, which only the garbage collector frees: looked for when there may be many, or nobody waits.

A message that is answered leaves none; one whose requests fail does: an exception holds the frames it went through,
and those the whole turn. The collector's own measure, objects made less objects freed, says little here: it drifts
upward under load, and then 170,000 objects are gone through in 0.1 s for nothing (every half minute at 100 messages
a second; looking oftener costs more: 3 % of the time at twice a second, as there is always much in flight). So what
counts is by how much the memory in use has grown. Figures of 2026-11.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable

EVERY = 1.0
"""Seconds from one decision to the next."""

OLDER, ALL = 1, 2
"""How far a look goes, as gc.collect takes it: at what came since the last look; at everything but the start's own."""

MANY = 300_000
"""Blocks of memory by which what is in use has grown, some 25 MB."""

OLDER_AFTER, ALL_AFTER, ALL_AT_LAST = 60.0, 3_600.0, 86_400.0
"""Seconds since the last look that went as far. The first two wait for a moment when nobody is being answered."""


def depth(since_any: float, since_all: float, grown: int, *, is_quiet: bool) -> int | None:
    """How far to look now, None for not at all; seconds since the last looks, blocks more than after them. Pure."""
    if since_all >= ALL_AT_LAST or (is_quiet and since_all >= ALL_AFTER):
        return ALL
    if grown >= MANY or (is_quiet and since_any >= OLDER_AFTER):
        return OLDER
    return None


async def free_rings(is_quiet: Callable[[], bool]) -> None:
    """For ever. `is_quiet`: whether nobody is being answered."""
    since_any = since_all = 0.0
    least = sys.getallocatedblocks()
    while True:
        await asyncio.sleep(EVERY)
        since_any += EVERY
        since_all += EVERY
        blocks = sys.getallocatedblocks()
        how_far = depth(since_any, since_all, blocks - least, is_quiet=is_quiet())
        least = min(least, blocks)
        if how_far is not None:
            gc.collect(how_far)
            since_any, least = 0.0, sys.getallocatedblocks()
            if how_far == ALL:
                since_all = 0.0
