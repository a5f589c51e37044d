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

# What a line that may hold a key has in it, in lower case: all the patterns on every line would cost four times as
# much as looking for these first. (Text, because `in` on bytes is twice as slow; measured on CPython 3.11, 2026-11.)
_HINTS = (
    *(
        "sk-",
        "sk_",
        "rk-",
        "pk-",
        "xai-",
        "hf_",
        "nvapi-",
        "aiza",
        "xox",
        "xapp-",
        "ghp_",
        "gho_",
        "ghu_",
        "ghs_",
    ),
    *("ghr_", "syt_", ":aa", "%3aa", "eyj", "private key", "bearer", "basic ", "@", "key=", "key%3d", 'key"'),
    *(
        'token"',
        "token=",
        "token%3d",
        "token'",
        "token\\",
        'secret"',
        "secret=",
        "secret'",
        "secret\\",
        "password",
    ),
    *("authorization", "key'", "key\\", "auth=", "sig=", "signature="),
)

# Shapes of well-known keys, from their vendors' documentation, 2026-11.
_PATTERNS = (
    re.compile(rb"\b(?:sk|csk|rk|pk|gsk|xai|hf|nvapi)[-_][A-Za-z0-9_-]{16,}"),  # model providers
    re.compile(rb"\bAIza[A-Za-z0-9_-]{30,}"),  # Google
    re.compile(rb"\b(?:xox[abposre]|xapp)-[A-Za-z0-9-]{10,}"),  # Slack
    re.compile(rb"\bgh[pousr]_[A-Za-z0-9]{20,}"),  # GitHub
    re.compile(rb"\bsyt_[A-Za-z0-9_]{10,}"),  # Matrix
    re.compile(rb"(?<![0-9])[0-9]{6,12}(?::|%3[Aa])AA[A-Za-z0-9_-]{30,}"),  # Telegram, also inside its URLs
    re.compile(rb"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+"),  # JSON web tokens
    re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"),
    # by the words before them
    re.compile(rb"\b(?P<lead>bearer +)[^\s\"'\\,;<>]{6,}", re.IGNORECASE),
    # credentials in Base64 hold more than one capital and small letters, which the page "Basic Information" does not
    re.compile(rb"\b(?P<lead>(?i:basic) +)(?![A-Za-z][a-z]*(?![A-Za-z0-9+/=]))[^\s\"'\\,;<>]{6,}"),
    re.compile(rb"(?P<lead>://[^\s/:@\"]{0,64}:)[^\s/@\"]+(?=@)"),
    re.compile(
        rb"(?P<lead>[?&](?:key|auth|sig|signature)=)[^\s\"'&,;<>\\#]{6,}", re.IGNORECASE
    ),  # in a URL's query
    re.compile(
        rb"(?P<lead>(?:api[_-]?key|access[_-]?key|token|secret|password|authorization)"
        rb"(?:=|%3D|\\*[\"']\s*:\s*\\*[\"']))[^\s\"'&,;<>\\]{6,}",
        re.IGNORECASE,
    ),
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
        lowered = raw.decode("latin-1").lower()
        for hint in _HINTS:
            if hint in lowered:
                for pattern in _PATTERNS:
                    raw = pattern.sub(_mask, raw)
                break
        return raw

    def text(self, text: str) -> str:
        """`text` without secrets."""
        return self.line(text.encode(errors="replace")).decode(errors="replace")


def _mask(match: re.Match[bytes]) -> bytes:
    return (match.groupdict().get("lead") or b"") + MASK


def _forms(secret: str) -> set[bytes]:
    """The secret as it may stand in a line: plain, inside JSON, inside a URL."""
    forms = (
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret, safe=""),
    )
    return {form.encode(errors="replace") for form in forms}
