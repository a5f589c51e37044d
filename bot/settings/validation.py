"""What pydantic found wrong, in words: the place, the value unless it is secret, what is allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from bot.redact import Redactor
from bot.settings.problems import Path, Problem, join_path, looks_secret, nearest, shown
from bot.settings.shapes import Kind, Shape

_CLEAN = Redactor()


def unknown_keys(values: Any, shape: Shape, path: Path = ()) -> list[Problem]:
    """Every key that means nothing, with the nearest one that does. Shows no values."""
    problems: list[Problem] = []
    if isinstance(values, dict):
        for key, value in values.items():
            child = shape.child(key)
            if child is not None:
                problems += unknown_keys(value, child, (*path, key))
            elif shape.kind is Kind.OBJECT:
                close = nearest(key, shape.fields)
                where = join_path((*path, close)) if close else ""
                known = f"nearest: {where}" if close else f"allowed here: {', '.join(sorted(shape.fields))}"
                problems.append(Problem(join_path((*path, key)), f"there is no such key; {known}"))
    elif isinstance(values, list) and shape.kind is Kind.LIST and shape.item is not None:
        for place, value in enumerate(values):
            problems += unknown_keys(value, shape.item, (*path, place))
    return problems


def problems_of(
    error: ValidationError,
    shape: Shape,
    path: Path = (),
    *,
    origins: Mapping[Path, str] | None = None,
    hints: Mapping[str, str] | None = None,
) -> list[Problem]:
    """One problem for each place. `shape` describes what stands at `path`; `hints`: key -> what to do if missing."""
    found: dict[str, Problem] = {}
    for row in error.errors(include_url=False):
        place = _place(row["loc"], shape)
        full = (*path, *place)
        text = _text(row, shape.at(place), place, hints or {})
        variable = _variable(full, origins or {})
        where = join_path(full)
        found.setdefault(
            where,
            Problem(where, f"{text} (set by {variable})" if variable else text, row["type"] == "missing"),
        )
    return list(found.values())


def _place(loc: Sequence[str | int], shape: Shape) -> Path:
    """The location without what pydantic adds for keys and arms of unions."""
    place: Path = ()
    here: Shape | None = shape
    for part in loc:
        if part == "[key]":
            break
        if here is not None and here.kind is Kind.OBJECT and part not in here.fields:
            part = here.names.get(str(part), part)  # noqa: PLW2901 - the model's name for it, as people write it
        child = here.child(part) if here is not None else None
        if child is None and here is not None and here.kind not in (Kind.OBJECT, Kind.ANY):
            continue
        place = (*place, part)
        here = child
    return place


def _text(row: Mapping[str, Any], shape: Shape | None, place: Path, hints: Mapping[str, str]) -> str:
    kind = row["type"]
    name = next((part for part in reversed(place) if isinstance(part, str)), "")
    allowed = shape.allowed if shape is not None else ""
    if kind == "missing":
        todo = hints.get(str(place[-1])) if place else None
        return f"is missing; {todo or f'it takes {allowed}'}"
    if kind == "extra_forbidden":
        return "there is no such key"
    if kind in ("value_error", "assertion_error"):
        said = str(row.get("ctx", {}).get("error", ""))
        if said and isinstance(row["input"], dict):
            return _CLEAN.text(said)  # about several keys together: it says by itself what is wrong
        allowed = said or allowed
    is_secret = looks_secret(name) or (shape is not None and shape.is_secret)
    if is_secret:
        return f"this value is not allowed (not shown, as it may be secret); allowed: {allowed}"
    return f"{shown(row['input'])} is not allowed; allowed: {_CLEAN.text(allowed)}"


def _variable(path: Path, origins: Mapping[Path, str]) -> str:
    return next((origins[path[:size]] for size in range(len(path), 0, -1) if path[:size] in origins), "")
