"""Places in a JSON object by their written path, such as agents.defaults.models["provider/model"].alias."""

from __future__ import annotations

import json
import re
from typing import Any

from bot.errors import SettingsError
from bot.settings.problems import Path, join_path

_TOKEN = re.compile(
    r"""\.?(?P<name>[^.\[\]"']+)"""
    r"""|\[(?P<index>\d+)\]"""
    r"""|\[(?P<quoted>"(?:[^"\\]|\\.)*"|'[^']*')\]"""
    r"""|\[(?P<bare>[^\]"']+)\]"""
)


def parse_path(text: str) -> Path:
    """The parts of a written path. Raises SettingsError with the column of what cannot be read."""
    parts: Path = ()
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or (at == 0 and text[0] == "."):
            example = 'agents.defaults.models["provider/model"].alias'
            raise SettingsError(
                f"{text}: column {at + 1} cannot be read; a path looks like {example}", path=text
            )
        parts = (*parts, int(match["index"]) if match["index"] is not None else _name(match))
        at = match.end()
    return parts


def get_at(values: Any, path: Path) -> Any:
    """What stands at the path. Raises KeyError."""
    for part in path:
        is_there = part in values if isinstance(values, dict) else _is_index(values, part)
        if not is_there:
            raise KeyError(part)
        values = values[part]
    return values


def set_at(values: dict[str, Any], path: Path, value: Any) -> None:
    """Put `value` there, making objects on the way. A list takes an index up to its length. Raises SettingsError."""
    here: Any = values
    for place, part in enumerate(path[:-1]):
        below = _below(here, part)
        if below is None or not isinstance(below, dict | list):
            if below is not None and not isinstance(below, dict | list):
                raise SettingsError(f"{join_path(path[: place + 1])}: holds no object", path=join_path(path))
            below = [] if isinstance(path[place + 1], int) else {}
            _put(here, part, below, path)
        here = below
    _put(here, path[-1], value, path)


def unset_at(values: dict[str, Any], path: Path) -> bool:
    """Take out what stands there, and the objects that are empty then. False: nothing stood there."""
    try:
        parents = [get_at(values, path[:size]) for size in range(len(path))]
        get_at(values, path)
    except KeyError:
        return False
    for parent, part in reversed(list(zip(parents, path, strict=True))):
        del parent[part]
        if parent:
            break
    return True


def _name(match: re.Match[str]) -> str:
    if match["quoted"] is None:
        return match["name"] or match["bare"]
    quoted = match["quoted"]
    return str(json.loads(quoted)) if quoted[0] == '"' else quoted[1:-1]


def _is_index(values: Any, part: str | int) -> bool:
    return isinstance(values, list) and isinstance(part, int) and part < len(values)


def _below(here: Any, part: str | int) -> Any:
    try:
        return get_at(here, (part,))
    except KeyError:
        return None


def _put(here: Any, part: str | int, value: Any, path: Path) -> None:
    if isinstance(here, list) and isinstance(part, int) and part <= len(here):
        here[part : part + 1] = [value]
    elif isinstance(here, dict) and isinstance(part, str):
        here[part] = value
    else:
        kind = "a list takes [0] to its length" if isinstance(here, list) else "an object takes a name"
        raise SettingsError(f"{join_path(path)}: {kind}", path=join_path(path))
