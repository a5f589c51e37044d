"""Turn ids: short, in the order of their time, safe in file names, URLs and channels' idempotency keys."""

from __future__ import annotations

from base64 import b32hexencode
from collections.abc import Callable

TURN_ID_LENGTH = 20
_TIME_BITS = 48
_RANDOM_BITS = 52
_PADDING_BITS = 20  # base32 works in groups of 40 bits: 100 of 120 are ours, the last four characters are cut


def new_turn_id(now: float, random_bits: Callable[[int], int]) -> str:
    """A new id of 20 characters (0-9, a-v) that sorts as text by time.

    `now`: seconds since the epoch; milliseconds are kept, times before 1970 count as 1970. `random_bits(n)`
    gives a whole number below 2**n, as `secrets.randbits` does; it keeps apart what shares a millisecond.
    """
    milliseconds = max(0, int(now * 1000)) & ((1 << _TIME_BITS) - 1)
    number = (milliseconds << _RANDOM_BITS) | random_bits(_RANDOM_BITS)
    whole = (number << _PADDING_BITS).to_bytes(15, "big")
    return b32hexencode(whole)[:TURN_ID_LENGTH].decode().lower()
