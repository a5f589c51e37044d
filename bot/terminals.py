"""Words of others on a terminal: no character of theirs steers it. Pure."""

from __future__ import annotations

import re

# C0 and C1 controls but for newline and tab, and what turns the letters around. A terminal carries out what they
# begin: sets its title, fills the clipboard, writes over lines (ECMA-48; xterm, "Control Sequences", 2026-11).
_STEERS = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
_COLOUR = r"\x1b\[(?:[012]|3[1-6])m"  # those that we and structlog write; others hide
_STEERING = re.compile(_STEERS)
_BUT_COLOURS = re.compile(f"({_COLOUR})|{_STEERS}")


def harmless(text: str, *, has_colours: bool = False) -> str:
    r"""`text` with such characters written as \u001b, so JSON stays the same; CR goes. `has_colours`: ours stay."""
    if has_colours:
        return _BUT_COLOURS.sub(lambda found: found[1] or _written(found), text)
    return _STEERING.sub(_written, text)


def _written(found: re.Match[str]) -> str:
    return "" if found[0] == "\r" else f"\\u{ord(found[0]):04x}"
