"""What follows from each kind of error: the one table of retries, fallback and cooldown. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from providers.errors import ErrorKind

MAX_RETRIES_A_TURN = 2
FIRST_DELAY = 1.0
MAX_DELAY = 4.0
JITTER = 0.2
DEFAULT_RATE_LIMIT_COOLDOWN = 60.0


class Next(StrEnum):
    """Where a failed request may go."""

    ANY = "any"  # the next rung: the model's next key, then another model
    OTHER_MODEL = (
        "other_model"  # the model is at fault, not the key; its next key only where no other model is left
    )
    OTHER_CREDENTIAL = "other_credential"  # another key, then another provider
    LARGER_WINDOW = "larger_window"  # only a rung that can hold more
    NOWHERE = "nowhere"  # the request itself is at fault, or nobody wants it any more


@dataclass(frozen=True, slots=True)
class Rule:
    """What one kind of error means.

    `retries`: on the same rung, where the class's time allows. `cooldown`: seconds that the rung is left
    alone; None = none. `counts`: against the breaker. `disables`: the credential is not used until changed.
    `rests_credential`: the cooldown is for every model that the credential reaches.
    """

    retries: int
    then: Next
    cooldown: float | None = None
    counts: bool = False
    disables: bool = False
    rests_credential: bool = False


RULES: Mapping[ErrorKind, Rule] = MappingProxyType(
    {
        ErrorKind.RATE_LIMIT: Rule(0, Next.ANY, cooldown=DEFAULT_RATE_LIMIT_COOLDOWN),
        ErrorKind.QUOTA: Rule(0, Next.ANY, cooldown=3600.0, rests_credential=True),
        ErrorKind.OVERLOADED: Rule(0, Next.OTHER_MODEL, counts=True),
        ErrorKind.SERVER: Rule(1, Next.OTHER_MODEL, counts=True),
        ErrorKind.CONNECT: Rule(1, Next.OTHER_MODEL, counts=True),
        ErrorKind.FIRST_TOKEN: Rule(0, Next.OTHER_MODEL, counts=True),
        ErrorKind.STALL: Rule(0, Next.OTHER_MODEL, counts=True),
        ErrorKind.TOTAL: Rule(0, Next.NOWHERE, counts=True),
        ErrorKind.INCOMPLETE: Rule(1, Next.OTHER_MODEL, counts=True),
        ErrorKind.MALFORMED: Rule(1, Next.OTHER_MODEL, counts=True),
        ErrorKind.AUTH: Rule(0, Next.OTHER_CREDENTIAL, disables=True),
        ErrorKind.PERMISSION: Rule(0, Next.OTHER_CREDENTIAL, disables=True),
        ErrorKind.BAD_REQUEST: Rule(0, Next.NOWHERE),
        ErrorKind.CONTEXT_LENGTH: Rule(0, Next.LARGER_WINDOW),
        ErrorKind.TOO_LARGE: Rule(0, Next.NOWHERE),
        ErrorKind.MODEL_GONE: Rule(0, Next.OTHER_MODEL, cooldown=86400.0),
        ErrorKind.CONTENT_FILTER: Rule(0, Next.NOWHERE),
        ErrorKind.CANCELLED: Rule(0, Next.NOWHERE),
        ErrorKind.BUDGET: Rule(0, Next.ANY),
    }
)


def backoff(retry: int, roll: float) -> float:
    """Seconds before retry number `retry` (0 = the first): 1 s, then up to 4 s, within 20 % by `roll` in 0..1."""
    delay = min(MAX_DELAY, FIRST_DELAY * float(2**retry))
    return delay * (1 - JITTER + 2 * JITTER * roll)


def retry_delay(
    kind: ErrorKind,
    *,
    retry: int,
    roll: float,
    retry_after: float | None,
    time_left: float,
    here: int = 0,
) -> float | None:
    """Seconds to wait before asking the same rung again; None: do not.

    `retry`: how many retries this turn has had, `here` those of them on this rung. `time_left`: what remains of the
    time in which a first word is still useful on this rung. A 429 is waited for only when its Retry-After fits into
    that.
    """
    if retry >= MAX_RETRIES_A_TURN:
        return None
    if kind is ErrorKind.RATE_LIMIT:
        return retry_after if retry_after is not None and retry_after < time_left else None
    if here >= RULES[kind].retries:
        return None
    delay = backoff(retry, roll)
    return delay if delay < time_left else None
