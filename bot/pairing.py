"""Codes by which a stranger is let in: how they look, how long they hold, how often one may guess. Pure.

A stranger writes to the bot and is told a code; whoever may let people in (an owner or admin in a chat, whoever runs
the command line) types it. So both know that it is the same person, by an id that cannot be changed, not by a name.
The code is shown to the stranger alone; the store keeps a salted digest of it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Capital letters and digits without those that look like others (I and 1, O and 0): 32 of them, five bits each."""

LENGTH = 8
"""So a code is one of 32**8, about 10**12."""

LIFETIME = 3600.0
"""Seconds that a code holds."""

MAX_PENDING = 3
"""Strangers of one account who may hold a code at once; whoever comes later is told so."""

MAX_WRONG = 5
"""Wrong codes by one way (the command line, or chats) within `LOCK` that close it: 10**4 guesses get no further."""

LOCK = 3600.0
"""Seconds that a way stays closed, counted from each of the wrong codes."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What is kept of a code."""

    salt: bytes
    digest: bytes


def new_code(bits: Callable[[int], int]) -> str:
    """A code; `bits(n)` gives a whole number below 2**n that nobody can guess, as `secrets.randbits` does."""
    return "".join(ALPHABET[bits(5)] for _ in range(LENGTH))


def seal(code: str, bits: Callable[[int], int]) -> Sealed:
    """What to keep of it."""
    salt = bits(128).to_bytes(16, "big")
    return Sealed(salt, _digest(code, salt))


def fits(sealed: Sealed, code: str) -> bool:
    """Whether it is this code."""
    return hmac.compare_digest(sealed.digest, _digest(code, sealed.salt))


def typed(text: str) -> str:
    """A code as people type it ("abcd-efgh", with spaces) as it was given out."""
    return "".join(char for char in text.upper() if char.isalnum())


def is_try(code: str) -> bool:
    """Whether it is as long as a code; whoever types another length has slipped and does not guess."""
    return len(code) == LENGTH


def _digest(code: str, salt: bytes) -> bytes:
    return hashlib.sha256(salt + code.encode(errors="replace")).digest()
