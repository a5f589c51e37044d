"""Takes secrets out of text on its way to a log: the ones we know, and whatever looks like one.

Works on rendered bytes, so that nothing can slip by inside a nested value or a traceback.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import quote

MASK = b"***"
MIN_SECRET = 6
"""Shorter values are not masked: they would blank out ordinary words."""

# Shapes of well-known keys, from their vendors' documentation, 2026-11.
_PATTERN = re.compile(
    rb"(?P<key>\b(?:sk|csk|rk|pk|gsk|xai|hf|nvapi|or)[-_][A-Za-z0-9_-]{16,}"  # model providers
    rb"|\bAIza[A-Za-z0-9_-]{30,}"  # Google
    rb"|\bxox[abposre]-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{10,}"  # Slack
    rb"|\bgh[pousr]_[A-Za-z0-9]{20,}"  # GitHub
    rb"|\bsyt_[A-Za-z0-9_]{10,}"  # Matrix
    rb"|\b[MNO][A-Za-z0-9_-]{23,28}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}"  # Discord
    rb"|(?<![0-9])[0-9]{6,12}(?::|%3A)[A-Za-z0-9_-]{30,}"  # Telegram, also inside its URLs
    rb"|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+"  # JSON web tokens
    rb"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----)"
    rb"|(?P<lead>\b(?:Bearer|Basic)\s+|://[^\s/:@\"]{1,64}:|"
    rb"(?:api[_-]?key|access[_-]?token|token|secret|password|authorization)(?:=|%3D|\\?[\"']\s*:\s*\\?[\"']))"
    rb"(?P<value>[^\s\"'&,;<>\\@]{6,})",
    re.IGNORECASE,
)


class Redactor:
    """Masks secrets. `add` may be called at any time; looking costs a few microseconds a line."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._known: re.Pattern[bytes] | None = None
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Mask these from now on; values shorter than MIN_SECRET are left alone."""
        fresh = {secret for secret in secrets if len(secret) >= MIN_SECRET} - self._secrets
        if not fresh:
            return
        self._secrets |= fresh
        forms = {form for secret in self._secrets for form in _forms(secret)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._known = re.compile(b"|".join(re.escape(form) for form in longest_first))

    def line(self, raw: bytes) -> bytes:
        """`raw` without secrets."""
        if self._known is not None:
            raw = self._known.sub(MASK, raw)
        return _PATTERN.sub(_mask, raw)

    def text(self, text: str) -> str:
        """`text` without secrets."""
        return self.line(text.encode(errors="replace")).decode(errors="replace")


def _mask(match: re.Match[bytes]) -> bytes:
    return (match["lead"] or b"") + MASK


def _forms(secret: str) -> set[bytes]:
    """The secret as it may stand in a line: plain, inside JSON, inside a URL."""
    forms = (secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], quote(secret, safe=""))
    return {form.encode(errors="replace") for form in forms}
