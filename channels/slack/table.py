"""Tables of a Markdown text as columns in fixed width. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from channels.markup import fence_lines

_RULE = re.compile(r"^[ \t]{0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_BAR = re.compile(r"(?<!\\)\|")


def tables_as_code(markdown: str) -> str:
    """The same text, its tables as fenced blocks with aligned columns."""
    if "|" not in markdown or "-" not in markdown:
        return markdown
    lines, found, at = markdown.split("\n"), [], 0
    is_code = list(_in_code(markdown, lines))
    while at < len(lines):
        is_head = at + 1 < len(lines) and not is_code[at] and not is_code[at + 1]
        if not (is_head and "|" in lines[at] and _is_rule(lines[at], lines[at + 1])):
            found.append(lines[at])
            at += 1
            continue
        rows = [_cells(lines[at])]
        aligns = [_align(cell) for cell in _cells(lines[at + 1])]
        at += 2
        while at < len(lines) and not is_code[at] and "|" in lines[at] and lines[at].strip():
            rows.append(_cells(lines[at]))
            at += 1
        found.extend(["```", *_columns(rows, aligns), "```"])
    return "\n".join(found)


def _in_code(markdown: str, lines: Sequence[str]) -> Iterator[bool]:
    """For each line, whether it stands in a fence or is one of its ends."""
    marks = {line.start: line.fence is not None for line in fence_lines(markdown)}
    position, is_open = 0, False
    for line in lines:
        opens = marks.get(position)
        yield is_open or opens is not None
        is_open = is_open if opens is None else opens
        position += len(line) + 1


def _is_rule(head: str, rule: str) -> bool:
    return "-" in rule and bool(_RULE.match(rule)) and len(_cells(head)) == len(_cells(rule))


def _cells(row: str) -> list[str]:
    bare = row.replace("\t", " ").strip().removeprefix("|")
    if bare.endswith("|") and not bare.endswith("\\|"):
        bare = bare[:-1]
    return [cell.strip().replace("\\|", "|").replace("```", "'''") for cell in _BAR.split(bare)]


def _align(rule: str) -> str:
    if rule.endswith(":"):
        return "center" if rule.startswith(":") else "right"
    return "left"


def _columns(rows: Sequence[Sequence[str]], aligns: Sequence[str]) -> list[str]:
    count = max(len(row) for row in rows)
    widths = [max((width(row[i]) for row in rows if i < len(row)), default=0) for i in range(count)]
    lines = []
    for number, row in enumerate(rows):
        cells = [
            _pad(row[i] if i < len(row) else "", widths[i], aligns[i] if i < len(aligns) else "left")
            for i in range(count)
        ]
        lines.append(" | ".join(cells).rstrip())
        if number == 0:
            lines.append("-+-".join("-" * one for one in widths))
    return lines


def _pad(cell: str, to: int, align: str) -> str:
    space = to - width(cell)
    if align == "right":
        return " " * space + cell
    if align == "center":
        return " " * (space // 2) + cell + " " * (space - space // 2)
    return cell + " " * space


def width(text: str) -> int:
    """Columns that `text` takes in a fixed-width font."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )
