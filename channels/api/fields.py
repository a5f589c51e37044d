"""Reading fields of foreign JSON; whatever is wrong names its path. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from channels.api.problems import wrong

MAX_DEPTH = 64
"""Levels of a schema; deeper ones no model takes, and writers of JSON give up at 254."""


def path_of(name: str, above: str = "") -> str:
    """The path of a field below another."""
    return f"{above}.{name}" if above else name


def text(
    body: Mapping[str, Any],
    name: str,
    above: str = "",
    *,
    limit: int | None = None,
    may_be_empty: bool = False,
) -> str:
    """A text that has to be there."""
    value = body.get(name)
    if not isinstance(value, str):
        raise wrong(path_of(name, above), "it has to be a text" if name in body else "it is missing")
    if not value and not may_be_empty:
        raise wrong(path_of(name, above), "it is empty")
    if limit is not None and len(value) > limit:
        raise wrong(path_of(name, above), f"it is longer than {limit} characters")
    return value


def text_or_none(body: Mapping[str, Any], name: str, above: str = "") -> str | None:
    """A text that may be missing."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise wrong(path_of(name, above), "it has to be a text")
    return value


def flag(body: Mapping[str, Any], name: str, above: str = "") -> bool | None:
    """true, false or nothing."""
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise wrong(path_of(name, above), "it has to be true or false")
    return value


def number_or_none(body: Mapping[str, Any], name: str, least: float, most: float) -> float | None:
    """A number within bounds, or nothing."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise wrong(name, f"it has to be a number from {least:g} to {most:g}")
    return float(value)


def whole_or_none(body: Mapping[str, Any], name: str, least: int, most: int) -> int | None:
    """A whole number within bounds, or nothing."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise wrong(name, f"it has to be a whole number from {least} to {most}")
    return value


def items(body: Mapping[str, Any], name: str, above: str = "") -> Sequence[Mapping[str, Any]]:
    """A list of objects."""
    value = body.get(name)
    if not isinstance(value, list):
        raise wrong(path_of(name, above), "it has to be a list" if name in body else "it is missing")
    for at, each in enumerate(value):
        if not isinstance(each, dict):
            raise wrong(f"{path_of(name, above)}[{at}]", "it has to be an object")
    return value


def shallow(value: Any, path: str) -> None:
    """Raises BadRequest for what is nested too deeply."""
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below += each.values()
            elif isinstance(each, list):
                below += each
        if not below:
            return
        level = below
    raise wrong(path, f"it is nested more than {MAX_DEPTH} levels deep")
