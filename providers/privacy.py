"""Takes keys and the words of a conversation out of texts that go to logs and owners. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "[...]"
WINDOW = 16
"""Characters: no longer piece of a prompt is left standing."""

MAX_PROMPT_CHARS = 100_000
"""Beyond this a text is not searched for pieces of the prompt but dropped: searching must not hold up the loop."""

_SECRETS = re.compile(
    r"""(?ix)
    \b(?:authorization|bearer)\b ["']? \s* [:=]? \s* ["']? (?:bearer|basic)? \s* [^\s"',;]{6,} ["']?
    | \b(?:x-api-key|api[-_]?key|token|secret|password)["']? \s* [:=] \s* ["']? [^\s"',;]{6,} ["']?
    | \b(?:sk|csk|gsk|rk|pk|xai|hf|ghp|xox[abp])[-_][\w.-]{6,}       # vendors' prefixes
    | \bAIza[\w-]{10,}
    | \S*\*{3,}\S*                                                 # a key that its owner has masked in part
    | \b(?=[a-z0-9]*\d)(?=[0-9]*[a-z])[a-z0-9]{24,}\b              # long runs of letters and digits
    | (?<=[?&])(?:key|auth|sig|signature)= [^\s"'&,;]{6,}             # in a URL's query
    | (?<=://)[^\s/@]+@                                             # user and password of a URL
    """
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without anything that looks like a key, and without the given secrets."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, MASK)
    return _SECRETS.sub(MASK, text)


def without(text: str, private: Iterable[str]) -> str:
    """The text without any piece of the private texts of WINDOW or more characters, or a whole shorter one."""
    texts = [one for one in private if one.strip()]
    if sum(map(len, texts)) > MAX_PROMPT_CHARS:
        return MASK
    hidden = [False] * len(text)
    for one in texts:
        if len(one) < WINDOW:
            _hide_word(text, one.strip(), hidden)
    long = "\n".join(one for one in texts if len(one) >= WINDOW)
    for start in range(len(text) - WINDOW + 1):
        if text[start : start + WINDOW] in long:
            hidden[start : start + WINDOW] = [True] * WINDOW
    return _masked(text, hidden)


def _hide_word(text: str, word: str, hidden: list[bool]) -> None:
    for match in re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE):
        hidden[match.start() : match.end()] = [True] * (match.end() - match.start())


def _masked(text: str, hidden: list[bool]) -> str:
    parts: list[str] = []
    for character, is_hidden in zip(text, hidden, strict=True):
        if not is_hidden:
            parts.append(character)
        elif not parts or parts[-1] != MASK:
            parts.append(MASK)
    return "".join(parts)
