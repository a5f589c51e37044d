"""Whether a secret that people choose can be guessed. Pure."""

from __future__ import annotations

LEAST = 16
"""Characters of a token that people choose and that a limit on tries guards."""

LEAST_SENT = 32
"""Characters of a secret that nobody has to type: 192 bits of base64url, 128 of hexadecimal digits."""

_LEAST_DIFFERENT = 8


def fault_of(secret: str, least: int = LEAST) -> str | None:
    """What a secret has to be that this one is not, for a message; None when it is fit. Never repeats it."""
    if len(secret.strip()) < least:
        return f"at least {least} characters that nobody can guess; this one is blank or too short"
    if secret != secret.strip():
        return "a secret that neither begins nor ends with a space"
    if len(set(secret)) < _LEAST_DIFFERENT:
        return f"at least {_LEAST_DIFFERENT} different characters; this one can be guessed"
    return None
