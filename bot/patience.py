"""How long and how often an answer is tried again, and when its message is given up. Pure."""

from __future__ import annotations

from channels.capabilities import Surface

MAX_AGE = 15 * 60.0
"""An interactive message older than this is not answered unasked after a restart (a rival sent 110 answers
up to 15 hours late: openclaw issue 39138), and its answer is not offered to its channel any longer."""

MAX_AGE_SLOW = 24 * 3600.0
"""The same for mail and jobs."""

CATCHING_UP = 120.0
"""Seconds after its account was connected in which a message may have waited at its platform (Slack's look back takes
up to two minutes). Later ones are taken as just said: a clock that is wrong must not make the bot deaf."""

MAX_CRASHES = 3
"""A message that was being answered when the process died this often is set aside."""

SUSPECT_CRASHES = 2
"""After so many deaths it is answered alone among its like, so that the next one tells which of them it was."""

SUSPECT_PATIENCE = 10.0
"""Seconds for which the others wait for one of them."""

SUSPECTS_TOGETHER = 20
"""Of so many one is at work at a time, of twice as many two: five hundred answers must not wait for half an hour."""

WARY = 300.0
"""Seconds after a start, where the process before did not end by itself, in which a model is asked only once the
message and the attempt at it are durable. What ended that process is offered again right after the start."""

MAX_ERRORS = 5
"""So is one whose answer failed this often for a reason of its own, the channel and the network being well."""

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 300.0

FIRST_QUICK = 0.5
LONGEST_QUICK = 4.0
"""Seconds: a fault of ours passes at once or not at all. Five tries take seven and a half, so that nobody has to be
told in between (openclaw issue 121798: attempts without end)."""

_SLOW = frozenset({Surface.EMAIL, Surface.JOB})


def age_limit(surface: Surface) -> float:
    """Seconds after which nobody waits for an answer there any more."""
    return MAX_AGE_SLOW if surface in _SLOW else MAX_AGE


def is_too_late(age: float, connected: float | None, surface: Surface) -> bool:
    """Whether a message of that age arrives so late that nobody waits for an answer any more.

    `connected`: seconds since its account was, None where it is not.
    """
    return age > age_limit(surface) and connected is not None and connected <= CATCHING_UP


def pause(tries: int) -> float:
    """Seconds before the next try, after so many that failed."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(tries - 1, 16))


def quick_pause(tries: int) -> float:
    """The same after faults of our own."""
    return min(LONGEST_QUICK, FIRST_QUICK * 2.0 ** min(tries - 1, 16))
