"""The table: must | aim | firstword | 60-line bot | ratio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.bench.figures import LINES, Line

Figures = Mapping[str, float | None]


def table(firstword: Figures, floor: Figures) -> str:
    """What was measured, line by line; a mark says whether must (and aim) is reached."""
    rows = [("", "must", "aim", "firstword", "", "60-line bot", "ratio")]
    for line in LINES:
        if line.key not in firstword and line.key not in floor:
            continue
        ours, theirs = firstword.get(line.key), floor.get(line.key)
        unit = f" {line.unit}" if line.unit else ""
        rows.append(
            (
                line.title,
                _number(line.must, line) + (unit if line.must is not None else ""),
                _number(line.aim, line),
                "lost" if line.key in firstword and ours is None else _number(ours, line),
                _verdict(ours, line),
                "lost" if line.key in floor and theirs is None else _number(theirs, line),
                _ratio(ours, theirs),
            )
        )
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return "\n".join(_row(row, widths) for row in rows)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = cells
    padded = [first.ljust(widths[0])]
    padded += [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
    return "  ".join(padded).rstrip()


def _number(value: float | None, line: Line) -> str:
    if value is None:
        return ""
    text = f"{value:,.{line.digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text and value == int(value) else text


def _verdict(value: float | None, line: Line) -> str:
    """`+` the aim is reached, `ok` the bar, `MISS` not."""
    if value is None or (line.must is None and line.aim is None):
        return ""
    if line.aim is not None and _reaches(value, line.aim, line):
        return "+"
    if line.must is None:
        return ""
    return "ok" if _reaches(value, line.must, line) else "MISS"


def _reaches(value: float, bar: float, line: Line) -> bool:
    return value >= bar if line.more_is_better else value <= bar


def _ratio(ours: float | None, theirs: float | None) -> str:
    return "" if ours is None or not theirs else f"{ours / theirs:.2f}x"
