"""Reading and changing single values of the configuration file: checked before, written in one step, backed up."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

from bot.errors import SettingsError
from bot.files import keep_backup, open_folder_lock, write_private
from bot.home import Home
from bot.plugins import Plugins, discover
from bot.redact import Redactor
from bot.settings.load import build_settings, merge_environment
from bot.settings.mount import Secrets, load_specs
from bot.settings.paths import get_at, parse_path, set_at, unset_at
from bot.settings.problems import Path, join_path, looks_secret, nearest
from bot.settings.shapes import ANYTHING, Kind, Shape
from bot.settings.sources import parse_value, read_environment, read_file

MASKED = "***"
_KEYLESS = Redactor()


class ConfigFile:
    """One configuration file, for the command line. Nothing is cached: each call reads the file."""

    def __init__(
        self,
        home: Home,
        path: FilePath,
        environ: Mapping[str, str],
        folder: FilePath | None = None,
        plugins: Plugins | None = None,
    ) -> None:
        self.home, self.path = home, path
        self._environ = merge_environment(home, environ, folder)
        self._plugins = plugins or discover()

    def get(self, written: str) -> Any:
        """The value in force at a path (file, environment, defaults), secrets masked. Raises SettingsError."""
        path = parse_path(written)
        values = read_file(self.path)
        shape = self._shape(values)
        self._known(path, shape)
        found = read_environment(self._environ, shape, values)
        whole = _in_force(_laid_over(values, found.values), shape)
        try:
            return get_at(whole, path)
        except KeyError:
            raise SettingsError(
                f"{written}: is not set; see it all: firstword config get", path=written
            ) from None

    def set(self, written: str, text: str) -> Any:
        """Put a value, given as JSON or as bare text; returns it. Raises SettingsError, and then writes nothing."""
        path = parse_path(written)
        if not path:
            raise SettingsError("a path is needed, as server.port")

        def change(values: dict[str, Any]) -> Any:
            place = self._known(path, self._shape(values))
            try:
                value = parse_value(text, place)
            except ValueError as error:
                raise SettingsError(f"{written}: takes {place.allowed}, as JSON", path=written) from error
            set_at(values, path, value)
            return value

        return self._change(change)

    def unset(self, written: str) -> bool:
        """Take a value out; False when it was not there. Raises SettingsError, and then writes nothing."""
        path = parse_path(written)
        return bool(path) and bool(self._change(lambda values: unset_at(values, path)))

    def replace(self, change: Callable[[dict[str, Any]], Any]) -> Any:
        """Change the file's object in place, checked and backed up like `set`. Raises SettingsError."""
        return self._change(change)

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the configuration, with every installed adapter's settings in place."""
        shape = self._shape({})
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **json_schema(shape)}

    def shape(self) -> Shape:
        """What the configuration may hold."""
        return self._shape({})

    def _shape(self, values: Mapping[str, Any]) -> Shape:
        return load_specs(self._plugins, values).shape(values)

    @staticmethod
    def _known(path: Path, shape: Shape) -> Shape:
        for size in range(len(path)):
            above = shape.at(path[:size])
            part = path[size]
            if above is not None and above.child(part) is not None:
                continue
            close = nearest(str(part), above.fields) if above is not None else None
            meant = f"; nearest: {join_path((*path[:size], close))}" if close else ""
            text = f"{join_path(path[: size + 1])}: there is no such key{meant}"
            raise SettingsError(text, path=join_path(path))
        place = shape.at(path)
        return place if place is not None else shape

    def _change(self, change: Callable[[dict[str, Any]], Any]) -> Any:
        with open_folder_lock(self.path.parent):
            before = read_file(self.path)
            after = copy.deepcopy(before)
            result = change(after)
            if after == before:
                return result
            known, _ = self._problems(before)
            now, missing = self._problems(after)
            fresh = [problem for problem in now if problem not in known and problem[0] not in missing]
            if fresh:
                lines = "\n".join(f"  {path}: {text}" if path else f"  {text}" for path, text in fresh)
                raise SettingsError(
                    f"{self.path}: not changed\n{lines}", path=fresh[0][0], problems=tuple(fresh)
                )
            keep_backup(self.path)
            write_private(self.path, json.dumps(after, indent=2, ensure_ascii=False) + "\n")
            return result

    def _problems(self, values: Mapping[str, Any]) -> tuple[tuple[tuple[str, str], ...], frozenset[str]]:
        """What is wrong, and which of it is only missing: a file may be written one value at a time."""
        try:
            build_settings(self.home, self.path, values, self._environ, overrides={}, plugins=self._plugins)
        except SettingsError as error:
            return error.problems or ((error.path, str(error)),), error.missing
        return (), frozenset()


def json_schema(shape: Shape) -> dict[str, Any]:
    """A shape as JSON Schema."""
    kinds = {Kind.TEXT: "string", Kind.FLAG: "boolean", Kind.NUMBER: "number", Kind.LIST: "array"}
    schema: dict[str, Any] = {}
    if shape.kind in (Kind.OBJECT, Kind.MAP):
        schema["type"] = "object"
        keys = shape.fields if shape.kind is Kind.OBJECT else shape.named
        if keys:
            schema["properties"] = {key: json_schema(child) for key, child in keys.items()}
        required = [key for key, child in shape.fields.items() if child.is_required]
        if required:
            schema["required"] = required
        schema["additionalProperties"] = json_schema(shape.held) if shape.kind is Kind.MAP else False
    elif shape.kind in kinds:
        schema["type"] = kinds[shape.kind]
    if shape.kind is Kind.NUMBER and shape.allowed.startswith("a whole number"):
        schema["type"] = "integer"
    if shape.kind is Kind.LIST:
        schema["items"] = json_schema(shape.held)
    if shape.choices:
        schema["enum"] = list(shape.choices)
    if shape.default:
        schema["default"] = json.loads(shape.default)
    if shape.description:
        schema["description"] = shape.description
    return schema


def _in_force(values: Any, shape: Shape) -> Any:
    """Values with defaults filled in and secrets masked; references to secrets are shown as written."""
    if shape.kind is Kind.OBJECT and isinstance(values, dict):
        rows = {key: _in_force(values[key], shape.child(key) or shape) for key in values if shape.child(key)}
        for key, child in shape.fields.items():
            if key in rows:
                continue
            if child.default:
                rows[key] = json.loads(child.default)
            elif child.kind is Kind.OBJECT:
                rows[key] = _in_force({}, child)
        return rows
    if shape.kind is Kind.MAP and isinstance(values, dict):
        return {key: _in_force(value, shape.child(key) or shape.held) for key, value in values.items()}
    if shape.kind is Kind.LIST and isinstance(values, list):
        return [_in_force(value, shape.held) for value in values]
    if isinstance(values, dict):  # nobody knows its keys
        return {key: _in_force(value, _named(key)) for key, value in values.items()}
    if isinstance(values, str) and not Secrets.is_reference(values):
        # People also write keys and passwords into addresses.
        return MASKED if shape.is_secret else _KEYLESS.text(values)
    return values


def _named(key: str) -> Shape:
    """What probably stands under a key of which nothing else is known."""
    return replace(ANYTHING, is_secret=looks_secret(key))


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    rows = dict(below)
    for key, value in above.items():
        old = rows.get(key)
        rows[key] = _laid_over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return rows
