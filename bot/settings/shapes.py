"""What a configuration may hold, as plain data read off the pydantic models.

One description serves the errors, the environment's names, the reference in the guide and the schema.
"""

from __future__ import annotations

import enum
import json
import types
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bot.settings.problems import looks_secret


@dataclass(frozen=True, slots=True)
class Allowed:
    """Says in words what a field takes, where its type alone would not."""

    text: str


@dataclass(frozen=True, slots=True)
class Named:
    """How the free keys of an object are called in the guide ("NAME")."""

    key: str


class Kind(enum.Enum):
    """What sort of value stands at a place."""

    OBJECT = "object"  # known keys
    MAP = "map"  # free keys, one kind of value
    LIST = "list"
    TEXT = "text"
    FLAG = "flag"
    NUMBER = "number"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Shape:
    """A place in the configuration.

    `choices`: the only values allowed, () where there are more. `fields`: the known keys of an OBJECT.
    `names`: what the model behind an OBJECT calls a key, where that differs -> the key. `item`: what a MAP or
    LIST holds; `named`: keys of a MAP that hold something else. `default` is JSON text, "" when there is none.
    `is_required`: the key must be there. `is_free`: it stands under a key that people choose.
    """

    kind: Kind
    allowed: str
    choices: tuple[Any, ...] = ()
    fields: Mapping[str, Shape] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    item: Shape | None = None
    named: Mapping[str, Shape] = field(default_factory=dict)
    key: str = "NAME"
    is_secret: bool = False
    is_required: bool = False
    is_free: bool = False
    default: str = ""
    description: str = ""

    @property
    def held(self) -> Shape:
        """What a MAP or LIST holds; anything, where nothing is said."""
        return self.item or ANYTHING

    def child(self, part: str | int) -> Shape | None:
        """What stands under a key or index, None where nothing may."""
        if isinstance(part, int):
            return self.item if self.kind is Kind.LIST else None
        if self.kind is Kind.OBJECT:
            return self.fields.get(part)
        if self.kind is Kind.MAP:
            return self.named.get(part, self.item)
        return ANYTHING if self.kind is Kind.ANY else None

    def at(self, path: Sequence[str | int]) -> Shape | None:
        """What stands at a path below here, None where nothing may."""
        here: Shape | None = self
        for part in path:
            here = here.child(part) if here is not None else None
        return here


ANYTHING = Shape(Kind.ANY, "any value")


_SIMPLE: tuple[tuple[tuple[type, ...], Shape], ...] = (
    ((SecretStr, SecretBytes), Shape(Kind.TEXT, "text, ${VARIABLE} or profile:NAME", is_secret=True)),
    ((str,), Shape(Kind.TEXT, "text")),
    ((FilePath,), Shape(Kind.TEXT, "a path")),
    ((bool,), Shape(Kind.FLAG, "true or false")),
    ((int,), Shape(Kind.NUMBER, "a whole number")),
    ((float,), Shape(Kind.NUMBER, "a number")),
)


@lru_cache(maxsize=512)
def model_shape(model: type[BaseModel]) -> Shape:
    """The shape of a model; its keys are aliases, or the camelCase of names that have none.

    Kept: made anew each time it was nearly all of the 30 ms of CPU that reading a configuration took (2026-11).
    """
    fields: dict[str, Shape] = {}
    names: dict[str, str] = {}
    for name, info in model.model_fields.items():
        key = config_key(name, info)
        if not info.alias and name != key:
            names[name] = key
        shape = _annotation_shape(info.annotation, list(info.metadata))
        fields[key] = replace(
            shape,
            is_secret=shape.is_secret or (shape.kind is Kind.TEXT and looks_secret(key)),
            is_required=info.is_required(),
            default=_default(info),
            description=info.description or "",
        )
    return Shape(Kind.OBJECT, "an object", fields=fields, names=names)


def config_key(name: str, info: FieldInfo) -> str:
    """The key of a model's field in the configuration."""
    alias = info.validation_alias if isinstance(info.validation_alias, str) else info.alias
    return alias or to_camel(name)


def as_model_keys(values: Any, shape: Shape) -> Any:
    """Values with the keys that the models behind the shape take."""
    if isinstance(values, dict):
        own = {key: name for name, key in shape.names.items()}
        return {
            own.get(key, key): as_model_keys(value, shape.child(key) or ANYTHING)
            for key, value in values.items()
        }
    if isinstance(values, list):
        return [as_model_keys(value, shape.held) for value in values]
    return values


def leaves(shape: Shape, path: str = "") -> Iterator[tuple[str, Shape]]:
    """Every place that holds a value rather than further keys, with its path ("channels.NAME.enabled")."""
    if shape.kind is Kind.OBJECT and shape.fields:
        for key, child in shape.fields.items():
            yield from leaves(child, f"{path}.{key}" if path else key)
    elif shape.kind is Kind.MAP and shape.item is not None and shape.item.kind is not Kind.ANY:
        held = shape.item if shape.item.description else replace(shape.item, description=shape.description)
        yield from leaves(held, f"{path}.{shape.key}")
    elif shape.kind is Kind.LIST and shape.item is not None and shape.item.kind is Kind.OBJECT:
        yield from leaves(shape.item, f"{path}[]")
    else:
        yield path, shape


def _annotation_shape(annotation: Any, metadata: list[Any]) -> Shape:
    while get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        metadata = [*metadata, *more]
    metadata = [
        part for item in metadata for part in (item.metadata if isinstance(item, FieldInfo) else [item])
    ]
    origin = get_origin(annotation)
    if origin is Union or origin is types.UnionType:
        return _union_shape([arm for arm in get_args(annotation) if arm is not type(None)], metadata)
    shape = _plain_shape(annotation, origin, get_args(annotation))
    shape = replace(shape, allowed=shape.allowed + _bounds(metadata, shape.kind))
    for item in metadata:
        if isinstance(item, Allowed):
            shape = replace(shape, allowed=item.text)
        elif isinstance(item, Named):
            shape = replace(shape, key=item.key)
    return shape


def _union_shape(arms: list[Any], metadata: list[Any]) -> Shape:
    shapes = [_annotation_shape(arm, metadata) for arm in arms]
    if len(shapes) == 1:
        return shapes[0]
    allowed = " or ".join(dict.fromkeys(shape.allowed for shape in shapes))
    # The arm with the most structure gives the keys below it.
    richest = max(shapes, key=lambda shape: (len(shape.fields), shape.kind in (Kind.MAP, Kind.LIST)))
    return replace(richest, allowed=allowed, is_secret=any(shape.is_secret for shape in shapes))


def _plain_shape(annotation: Any, origin: Any, arguments: tuple[Any, ...]) -> Shape:
    kind = origin or annotation
    if origin is Literal:
        return _one_of(arguments)
    if not isinstance(kind, type):
        return ANYTHING
    if issubclass(kind, BaseModel):
        return model_shape(kind)
    if issubclass(kind, enum.Enum):
        return _one_of(tuple(member.value for member in kind))
    if issubclass(kind, Mapping):
        item = _annotation_shape(arguments[1], []) if len(arguments) == 2 else ANYTHING
        return Shape(Kind.MAP, "an object", item=replace(item, is_free=True))
    for classes, shape in _SIMPLE:
        if issubclass(kind, classes):
            return shape
    if issubclass(kind, Sequence | AbstractSet):
        item = _annotation_shape(arguments[0], []) if arguments else ANYTHING
        return Shape(Kind.LIST, f"a list, each {item.allowed}", item=item)
    return ANYTHING


def _one_of(values: tuple[Any, ...]) -> Shape:
    kind = Kind.TEXT if all(isinstance(value, str) for value in values) else Kind.ANY
    return Shape(kind, "one of " + ", ".join(json.dumps(value) for value in values), choices=values)


def _bounds(metadata: list[Any], kind: Kind) -> str:
    low = next(
        (getattr(item, name) for item in metadata for name in ("ge", "gt") if hasattr(item, name)), None
    )
    high = next(
        (getattr(item, name) for item in metadata for name in ("le", "lt") if hasattr(item, name)), None
    )
    shortest = next((item.min_length for item in metadata if hasattr(item, "min_length")), 0)
    if kind is Kind.NUMBER and low is not None and high is not None:
        return f" from {low} to {high}"
    if kind is Kind.NUMBER and low is not None:
        return f", {low} or more" if any(hasattr(item, "ge") for item in metadata) else f" above {low}"
    if kind is Kind.NUMBER and high is not None:
        return f", at most {high}"
    return ", not empty" if shortest else ""


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return ""
    value = info.get_default(call_default_factory=True, validated_data={})
    if value is None or value is PydanticUndefined or isinstance(value, BaseModel):
        return ""
    if isinstance(value, SecretStr | SecretBytes):
        return ""
    return json.dumps(value, default=str)
