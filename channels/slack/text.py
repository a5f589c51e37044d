"""Slack's own text: what a person wrote as we read it, and the emoji of reactions. Pure.

Slack docs, "Formatting message text" (2026-11): `&`, `<` and `>` arrive as entities, and what stands between `<` and
`>` is a mention, a channel, a date, a special word or a link.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

_TOKEN = re.compile(r"<([@#!]?)([^<>|\n]*)(?:\|([^<>\n]*))?>")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad\u180e]")
_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")

# The reactions that say what somebody thinks of an answer; others keep their name (":tada:").
_EMOJI = {
    "+1": "\U0001f44d",
    "thumbsup": "\U0001f44d",
    "-1": "\U0001f44e",
    "thumbsdown": "\U0001f44e",
    "heart": "\u2764\ufe0f",
    "tada": "\U0001f389",
    "eyes": "\U0001f440",
    "fire": "\U0001f525",
    "clap": "\U0001f44f",
    "pray": "\U0001f64f",
    "rocket": "\U0001f680",
    "100": "\U0001f4af",
    "raised_hands": "\U0001f64c",
    "smile": "\U0001f604",
    "joy": "\U0001f602",
    "thinking_face": "\U0001f914",
    "confused": "\U0001f615",
    "cry": "\U0001f622",
    "angry": "\U0001f620",
    "white_check_mark": "\u2705",
    "heavy_check_mark": "\u2714\ufe0f",
    "x": "\u274c",
    "question": "\u2753",
    "exclamation": "\u2757",
    "star": "\u2b50",
    "wave": "\U0001f44b",
    "ok_hand": "\U0001f44c",
    "arrows_counterclockwise": "\U0001f504",
    "octagonal_sign": "\U0001f6d1",
}
SIGNS: Mapping[str, str] = MappingProxyType({emoji: name for name, emoji in _EMOJI.items()})
"""An emoji's name, of those that stand above."""
_TONES = {str(tone): chr(0x1F3F9 + tone) for tone in range(2, 7)}


def wash(text: str) -> str:
    """`text` without control characters and lone surrogates."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub(" ", _SURROGATES.sub("\ufffd", text))


def clean_name(name: str, limit: int = 64) -> str:
    """A person's display name on one line, without invisible and direction characters."""
    return _INVISIBLE.sub("", " ".join(wash(name).split()))[:limit].strip()


def unescape(text: str) -> str:
    """The entities that Slack makes, as characters again."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def escape(text: str) -> str:
    """`text` for a field of Slack's own markup: nothing in it is a token any more."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def plain(text: str, names: Mapping[str, str]) -> str:
    """What a person wrote, with mentions, channels and links in words. `names`: id -> display name, as far known."""

    def word(match: re.Match[str]) -> str:
        kind, target, label = match.group(1), match.group(2), match.group(3) or ""
        if kind == "@":
            return f"@{names.get(target) or label or target}"
        if kind == "#":
            return f"#{label or target}"
        if kind == "!":
            return label or f"@{target.split('^')[0]}"
        if (
            not label
            or label == target
            or target in (f"mailto:{label}", f"http://{label}", f"https://{label}")
        ):
            return target.removeprefix("mailto:")
        return f"{label} ({target})"

    return wash(unescape(_TOKEN.sub(word, text)))


def mentions(text: str) -> tuple[str, ...]:
    """The ids of the people and bots that the text mentions, in order."""
    return tuple(_MENTION.findall(text))


def without_mention(text: str, user: str) -> str:
    """The raw text without the mentions of `user` at its start."""
    pattern = re.compile(rf"\s*<@{re.escape(user)}(?:\|[^<>]*)?>[\s,:;]*")
    rest, position = text, 0
    while (match := pattern.match(text, position)) is not None:
        position = match.end()
        rest = text[position:]
    return rest if rest.strip() or position == len(text) else text


def emoji(name: str) -> str:
    """The character of a reaction's name with its skin tone, else the name in colons."""
    base, _, tone = name.partition("::skin-tone-")
    found = _EMOJI.get(base)
    if found is None:
        return f":{wash(base)[:100]}:"
    return found + _TONES.get(tone, "")
