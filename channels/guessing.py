"""Whether a secret that people choose can be guessed. Pure."""

from __future__ import annotations

LEAST = 16
"""Characters of a token that people choose and that a limit on tries guards."""

LEAST_SENT = 32
"""Characters of a secret that nobody has to type: 192 bits of base64url, 128 of hexadecimal digits."""

_LEAST_DIFFERENT = 8


def fault_of(secret: str, least: int = LEAST) -> str | None:
    """What is wrong with it as a secret, for a message; None when nothing is. Never repeats it."""
    if not secret.strip():
        return "it is blank"
    if secret != secret.strip():
        return "it begins or ends with a space"
    if len(secret) < least:
        return f"a token has at least {least} characters; this one can be guessed"
    if len(set(secret)) < _LEAST_DIFFERENT:
        return f"a token has at least {_LEAST_DIFFERENT} different characters; this one can be guessed"
    return None
