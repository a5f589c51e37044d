"""A Markdown table for Discord, which knows none: columns in a code block, or a paragraph a row. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from channels.discord.text import width

# A code block on a phone breaks its lines near 40 columns, on a desktop near 90; beyond this the columns are lost.
MAX_COLUMNS = 64

_BAR = re.compile(r"(?<!\\)\|")
_DELIMITER = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*\Z")
_BREAK = re.compile(r"<br[ \t]*/?>", re.IGNORECASE)
_MARKS = re.compile(
    r"(\*\*|__|~~)(?=\S)(.+?)(?<=\S)\1|(?<![\w*])([*_])(?=\S)(.+?)(?<=\S)\3(?![\w*])|`([^`]+)`"
)
_LINK = re.compile(r"!?\[([^\]\n]*)\]\(([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)(?:[ \t]+\"([^\"\n]*)\")?\)")


def cells(row: str) -> list[str]:
    """The cells of one row."""
    bare = row.replace("\t", " ").strip().removeprefix("|")
    if bare.endswith("|") and not bare.endswith("\\|"):
        bare = bare[:-1]
    return [cell.strip().replace("\\|", "|") for cell in _BAR.split(bare)]


def is_delimiter(row: str) -> bool:
    """Whether a row is the one below a table's head."""
    return ("|" in row) and _DELIMITER.match(row) is not None


def table(rows: Sequence[Sequence[str]], delimiter: str) -> str:
    """The rows, first the head. In columns where they fit, else one paragraph a row; every cell is there."""
    aligns = [(cell.startswith(":"), cell.endswith(":")) for cell in cells(delimiter)]
    return _columns([[_bare(cell) for cell in row] for row in rows], aligns) or _paragraphs(rows)


def _bare(cell: str) -> str:
    """A cell as it reads in a code block, where marks would stand as they are written."""
    cell = _LINK.sub(_link_words, _BREAK.sub(" ", cell))
    for _ in range(3):
        cell, count = _MARKS.subn(lambda mark: mark[2] or mark[4] or mark[5] or "", cell)
        if not count:
            break
    return cell.replace("```", "`\u200b``")


def _link_words(link: re.Match[str]) -> str:
    text, url, title = link[1], link[2], link[3] or ""
    rest = " ".join(part for part in (url, title) if part and part != text)
    return f"{text} ({rest})" if text and rest else text or rest


def _columns(rows: Sequence[Sequence[str]], aligns: Sequence[tuple[bool, bool]]) -> str | None:
    count = max(len(row) for row in rows)
    widths = [max((width(row[i]) for row in rows if i < len(row)), default=0) for i in range(count)]
    if sum(widths) + 3 * (count - 1) > MAX_COLUMNS:
        return None
    lines = []
    for number, row in enumerate(rows):
        padded = [
            _pad(row[i] if i < len(row) else "", widths[i], aligns[i] if i < len(aligns) else (False, False))
            for i in range(count)
        ]
        lines.append(" | ".join(padded).rstrip())
        if number == 0:
            lines.append("-+-".join("-" * one for one in widths))
    return "```\n" + "\n".join(lines) + "\n```" if any(line.strip(" |+-") for line in lines) else None


def _pad(cell: str, to: int, align: tuple[bool, bool]) -> str:
    space = to - width(cell)
    if align == (False, True):
        return " " * space + cell
    if align == (True, True):
        return " " * (space // 2) + cell + " " * (space - space // 2)
    return cell + " " * space


def _paragraphs(rows: Sequence[Sequence[str]]) -> str:
    """One paragraph a row, "**head:** cell" a line; Markdown again, so its marks go the usual way."""
    head, body = list(rows[0]), rows[1:]
    if not body:
        return "\n".join(cell for cell in head if cell)
    blocks = []
    for row in body:
        lines = []
        for i in range(max(len(head), len(row))):
            name = _bare(head[i]) if i < len(head) else ""
            cell = _BREAK.sub(" ", row[i]) if i < len(row) else ""
            if name or cell:
                lines.append(f"**{name}:** {cell}".rstrip() if name else cell)
        blocks.append("\n".join(lines))
    return "\n\n".join(block for block in blocks if block)
