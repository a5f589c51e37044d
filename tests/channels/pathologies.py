"""A megabyte of what breaks careless text code. Each name says what it is."""

from __future__ import annotations

MEGABYTE = 1_000_000


def _repeat(unit: str) -> str:
    return (unit * (MEGABYTE // len(unit) + 1))[:MEGABYTE]


PATHOLOGIES = {
    "brackets": _repeat("["),
    "images": _repeat("!["),
    "closed brackets": _repeat("[]"),
    "half links": _repeat("[a](b"),
    "links": _repeat("[a](b) "),
    "stars": _repeat("*"),
    "spaced stars": _repeat("* "),
    "open bold": _repeat("**a "),
    "mixed marks": _repeat("*a_b~~c`d"),
    "backtick runs": "".join("`" * n + " " for n in range(1, 1414))[:MEGABYTE],
    "backticks": _repeat("`"),
    "fences": _repeat("```\n"),
    "fence openings": _repeat("```python\n"),
    "tildes": _repeat("~~~\n"),
    "indented fences": _repeat("    ```\n"),
    "spaces": _repeat(" "),
    "newlines": _repeat("\n"),
    "blank lines": _repeat(" \n"),
    "quotes": _repeat(">"),
    "pipes": _repeat("|"),
    "table": _repeat("| a | b |\n"),
    "items": _repeat("- a\n"),
    "hashes": _repeat("#"),
    "backslashes": _repeat("\\"),
    "angle brackets": _repeat("<a"),
    "parentheses": "[a]" + _repeat("("),
    "combining marks": "e" + _repeat("\u0301"),
    "joiners": _repeat("\U0001f469\u200d"),
    "flags": _repeat("\U0001f1e9\U0001f1ea"),
    "letters": _repeat("a"),
    "words": _repeat("word "),
    "sentences": _repeat("A. "),
    "paragraphs": _repeat("Some words.\n\n"),
    "controls": _repeat("\x00\x07"),
    "overrides": _repeat("a\u202e"),
    "entities": _repeat("&amp;"),
}
