"""The words that a person wrote themselves: no quotes, code bodies, mentions, signatures or links. Pure.

Every step looks at a character a bounded number of times, and none of them sees more than MAX_CHARACTERS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_CHARACTERS = 4_000
"""What is read of a message; the cut comes before any pattern."""

_FENCES = ("```", "~~~")
_QUOTED = (">", "&gt;")
_ATTRIBUTION = ("wrote:", "writes:", "said:")
_FORWARDED = ("-----original message", "---------- forwarded message", "begin forwarded message:")
_SENT_FROM = ("sent from my ", "get outlook for ")
# One class of characters a repetition, none inside another: nothing to go back to.
_INLINE_CODE = re.compile(r"`[^`\n]{1,400}`")
_LINK = re.compile(r"<?(?:https?|ftp|mailto)://?[^\s>|]*[|]?|\bwww\.\S+")
_MENTION = re.compile(
    r"<[@#!:][^\s<>]{1,80}>|(?<!\w)@[\w.:-]{1,80}|(?<!\S)[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{1,64}"
)
_SHORTCODE = re.compile(r"(?<!\w):[a-z0-9_+-]{1,40}:(?!\w)")
_COMMAND = re.compile(r"[/!][a-z_]{1,32}(?=\s)")


@dataclass(frozen=True, slots=True)
class OwnWords:
    """`text`: what was left. The counts say what was taken out: blocks and pieces of code, links, quoted lines."""

    text: str
    code_blocks: int = 0
    code_pieces: int = 0
    links: int = 0
    quoted: int = 0


def own_words(message: str) -> OwnWords:
    """What the person says themselves in this message. Raises nothing, whatever the text."""
    lines, blocks, quoted = _own_lines(message[:MAX_CHARACTERS])
    text = "\n".join(lines)
    pieces = links = 0
    if "`" in text:
        text, pieces = _INLINE_CODE.subn(" ", text)
    if "://" in text or "www." in text or "mailto:" in text:
        text, links = _LINK.subn(" ", text)
    if "@" in text or "<" in text:
        text = _MENTION.sub(" ", text)
    if text.count(":") > 1:
        text = _SHORTCODE.sub(" ", text)
    text = text.strip()
    if text[:1] in ("/", "!"):
        text = _COMMAND.sub("", text, count=1).lstrip()
    return OwnWords(text, blocks, pieces, links, quoted)


def _own_lines(text: str) -> tuple[list[str], int, int]:
    """Lines outside fences and quotes, up to a signature or a forwarded mail; fenced blocks; quoted lines."""
    lines: list[str] = []
    fence = ""
    blocks = quoted = 0
    for line in text.split("\n"):
        bare = line.strip()
        if fence:
            if bare.startswith(fence):
                fence = ""
        elif not bare:
            lines.append("")
        elif bare.startswith(_FENCES):
            fence = bare[:3]
            blocks += 1
            # A block on one line ends where it began.
            if fence in bare[3:]:
                fence = ""
        elif bare.startswith(_QUOTED):
            quoted += 1
        elif _ends_here(bare, has_words=bool(lines)):
            break
        else:
            lines.append(line)
    return lines, blocks, quoted


def _ends_here(bare: str, *, has_words: bool) -> bool:
    """A signature, or the mail that this one answers, begins at this line."""
    if bare == "--":
        return has_words
    low = bare.lower()
    if low.startswith(_FORWARDED):
        return True
    if low.startswith(_SENT_FROM):
        return len(bare) < 60
    return low.startswith("on ") and low.endswith(_ATTRIBUTION) and len(bare) < 200
