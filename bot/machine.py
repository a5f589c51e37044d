"""Time and chance as the machine has them. Whoever builds an app may hand in others: a simulation does."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Machine:
    """`clock`: monotonic seconds, in step with the event loop's. `wall`: seconds since the epoch, UTC.

    `roll`: a number in 0..1. `bits(n)`: a whole number below 2**n that nobody can guess.
    """

    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    roll: Callable[[], float] = random.SystemRandom().random
    bits: Callable[[int], int] = secrets.randbits


MACHINE = Machine()
"""The real one."""
