"""Where the values come from: the command line, then the environment with `.env` beneath it, then the file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from bot.errors import SettingsError
from bot.settings.problems import Path, Problem, join_path, nearest
from bot.settings.shapes import Kind, Shape

PREFIX = "FIRSTWORD_"
DELIMITER = "__"
MAX_FILE_BYTES = 4_000_000

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


@dataclass(slots=True)
class Found:
    """What one source holds. `origins`: which variable set the value at a path."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[Path, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


class Source(PydanticBaseSettingsSource):
    """Hands values that were read already to pydantic-settings, which lays the sources over each other."""

    def __init__(self, settings_cls: type[BaseSettings], values: Mapping[str, Any]) -> None:
        super().__init__(settings_cls)
        self._values = dict(values)

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """One field's value; pydantic-settings asks for all at once instead."""
        key = field.alias or field_name
        return self._values.get(key), key, False

    def __call__(self) -> dict[str, Any]:
        """The values."""
        return self._values


def read_file(path: FilePath) -> dict[str, Any]:
    """The file's object; empty when there is no file. Raises SettingsError with line and column."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from error
    return parse_text(raw, str(path))


def parse_text(raw: bytes, source: str) -> dict[str, Any]:
    """The object that `raw` holds. Raises SettingsError with line and column; repeats no content of the file."""
    if len(raw) > MAX_FILE_BYTES:
        raise SettingsError(f"{source}: {len(raw)} bytes; a configuration has at most {MAX_FILE_BYTES}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{source}: line {line}: not UTF-8 (byte {raw[error.start]:#04x})") from error
    if not text.strip():
        raise SettingsError(f"{source}: is empty; write {{}} for the defaults, or delete it")
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        hint = _hint(text, error.pos)
        raise SettingsError(
            f"{source}: line {error.lineno}, column {error.colno}: not JSON: {error.msg}{hint}"
        ) from error
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "objects nested too deeply"
        raise SettingsError(f"{source}: {reason}") from error
    if not isinstance(value, dict):
        raise SettingsError(f"{source}: must hold one JSON object, not {_json_type(value)}")
    return value


def read_dotenv(path: FilePath) -> dict[str, str]:
    """The variables of a `.env` file; empty when there is none. Raises SettingsError when it cannot be read."""
    try:
        if not path.is_file():
            return {}
        from dotenv import dotenv_values

        rows = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read ({type(error).__name__})") from error
    return {name: value for name, value in rows.items() if value is not None}


def read_environment(environ: Mapping[str, str], shape: Shape, file_values: Mapping[str, Any]) -> Found:
    """What FIRSTWORD_A__B variables set, with keys as the tree spells them.

    Letter case does not count: a free name ("main") is spelt as the file has it, else in lower case. A variable
    without "__" that is no section's name (FIRSTWORD_HOME) is none of ours.
    """
    found = Found()
    for variable, text in sorted(environ.items()):
        if not variable.upper().startswith(PREFIX):
            continue
        parts = variable[len(PREFIX) :].split(DELIMITER)
        path, place, unknown = _resolve(parts, shape, file_values)
        if len(parts) == 1 and unknown:
            continue
        if place is None or unknown:
            close = nearest(unknown, place.fields if place is not None else ())
            meant = f"; nearest: {variable_name((*path, close))}" if close else ""
            found.problems.append(
                Problem(variable, f"there is no setting {join_path((*path, unknown))}{meant}")
            )
            continue
        try:
            _put(found.values, path, parse_value(text, place))
        except ValueError:
            found.problems.append(Problem(variable, f"sets {join_path(path)}, which takes {place.allowed}"))
            continue
        found.origins[path] = variable
    return found


def variable_name(path: Path) -> str:
    """The environment variable that sets the value at a path."""
    return PREFIX + DELIMITER.join(str(part).upper() for part in path)


def parse_value(text: str, place: Shape) -> Any:
    """A variable's or an argument's text as the kind of value that the place takes. Raises ValueError."""
    if place.kind is Kind.TEXT:
        return text
    if place.kind is Kind.FLAG and text.strip().lower() in _TRUE | _FALSE:
        return text.strip().lower() in _TRUE
    if place.kind is Kind.LIST and not text.lstrip().startswith("["):
        items = [part.strip() for part in text.split(",") if part.strip()]
        return (
            items
            if place.item is None or place.item.kind is not Kind.NUMBER
            else [json.loads(part) for part in items]
        )
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError:
        if place.kind in (Kind.OBJECT, Kind.MAP, Kind.LIST) and text.lstrip()[:1] in ("{", "["):
            raise
        return text


def _resolve(parts: list[str], shape: Shape, values: Any) -> tuple[Path, Shape | None, str]:
    """The path that the parts mean, what stands there, and the first part that means nothing ("" if all do)."""
    path: Path = ()
    place: Shape | None = shape
    for part in parts:
        if place is None or place.kind not in (Kind.OBJECT, Kind.MAP):
            return path, None, part
        spelt = {key.lower(): key for key in place.fields}
        key = spelt.get(part.lower())
        if key is None and place.kind is Kind.MAP and part:
            known = {
                str(name).lower(): str(name)
                for name in (*place.named, *(values if isinstance(values, dict) else ()))
            }
            key = known.get(part.lower(), part.lower())
        if key is None:
            return path, place, part
        path = (*path, key)
        place = place.child(key)
        values = values.get(key) if isinstance(values, dict) else None
    return path, place, ""


def _put(values: dict[str, Any], path: Path, value: Any) -> None:
    here: dict[Any, Any] = values
    for part in path[:-1]:
        below = here.setdefault(part, {})
        if not isinstance(below, dict):
            raise ValueError("set twice")  # noqa: TRY004 - a contradiction of two variables, no wrong argument
        here = below
    last = path[-1]
    if isinstance(here.get(last), dict) and isinstance(value, dict):
        value = {**value, **here[last]}
    here[last] = value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            raise ValueError(f"the key {json.dumps(key[:60])} stands twice in one object; keep one of them")
        table[key] = value
    return table


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _hint(text: str, position: int) -> str:
    before, rest = text[:position].rstrip(), text[position:].lstrip()
    if rest.startswith(("//", "/*", "#")):
        return " (comments are not allowed)"
    if (before.endswith(",") and rest[:1] in ("}", "]")) or (
        rest[:1] == "," and rest[1:].lstrip()[:1] in ("}", "]")
    ):
        return " (a comma stands before a closing bracket)"
    if rest.startswith("'"):
        return " (JSON takes double quotes)"
    return ""


def _json_type(value: Any) -> str:
    names = {list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")
