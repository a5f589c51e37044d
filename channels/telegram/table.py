"""A Markdown table as text: columns in a fixed-width font where they fit a phone, else one paragraph a row. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from channels.telegram.text import width

# Wider than this a phone breaks the lines of a fixed-width block and the columns are lost (seen at 40-60).
MAX_COLUMNS = 56

_BAR = re.compile(r"(?<!\\)\|")


def source_cells(row: str) -> list[str]:
    """The cells that stand in the source of one row, also those beyond the header's number."""
    bare = row.replace("\t", " ").strip().removeprefix("|")
    if bare.endswith("|") and not bare.endswith("\\|"):
        bare = bare[:-1]
    return [cell.strip().replace("\\|", "|") for cell in _BAR.split(bare)]


def columns(rows: Sequence[Sequence[str]], aligns: Sequence[str]) -> str | None:
    """The rows below each other, the first one underlined; None when they are too wide."""
    count = max(len(row) for row in rows)
    widths = [max((width(row[i]) for row in rows if i < len(row)), default=0) for i in range(count)]
    if sum(widths) + 3 * (count - 1) > MAX_COLUMNS:
        return None
    lines = []
    for number, row in enumerate(rows):
        cells = [
            _pad(row[i] if i < len(row) else "", widths[i], aligns[i] if i < len(aligns) else "None")
            for i in range(count)
        ]
        lines.append(" | ".join(cells).rstrip())
        if number == 0:
            lines.append("-+-".join("-" * one for one in widths))
    return "\n".join(lines)


def _pad(cell: str, to: int, align: str) -> str:
    space = to - width(cell)
    if align == "Right":
        return " " * space + cell
    if align == "Center":
        return " " * (space // 2) + cell + " " * (space - space // 2)
    return cell + " " * space


def paragraphs(rows: Sequence[Sequence[str]]) -> str:
    """One paragraph a row, "header: cell" a line."""
    head, body = list(rows[0]), rows[1:]
    if not body:
        return "\n".join(cell for cell in head if cell)
    blocks = []
    for row in body:
        lines = []
        for i in range(max(len(head), len(row))):
            name = head[i] if i < len(head) else ""
            cell = row[i] if i < len(row) else ""
            if name or cell:
                lines.append(f"{name}: {cell}" if name else cell)
        blocks.append("\n".join(lines))
    return "\n\n".join(block for block in blocks if block)
