"""A decision as plain values, and the same decision again from them. Pure; holds no word of anybody's message.

A record is what `policy.pick` was given and what it gave. Values that are as usual are left out, so that a decision
among ten candidates takes about 2 KB.
"""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from routing.case import Case
from routing.errors import RecordError
from routing.policy import VERSION, Decision, Picked, pick

T = TypeVar("T")


def record_of(decision: Decision, weights: str = "") -> Mapping[str, Any] | None:
    """A decision's record; None for a ladder that nobody decided. `weights`: what difficulty was told by."""
    if decision.case is None:
        return None
    picked = pick(decision.case)
    return {
        "policy": VERSION,
        "weights": weights,
        "case": to_plain(decision.case),
        "picked": to_plain(picked),
    }


@dataclass(frozen=True, slots=True)
class Replayed:
    """`picked`: what is chosen now; `is_same`: byte for byte what was chosen then. `policy`: the version of then."""

    case: Case
    picked: Picked
    is_same: bool
    policy: str
    weights: str


def replay(record: Mapping[str, Any]) -> Replayed:
    """Decide again. Raises RecordError where the record is none, or of a version that knew other things."""
    try:
        case = from_plain(Case, record["case"])
        then = canonical(record["picked"])
        policy, weights = str(record["policy"]), str(record["weights"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordError(f"no record of a decision ({type(error).__name__}: {error})") from error
    picked = pick(case)
    return Replayed(case, picked, canonical(to_plain(picked)) == then, policy, weights)


def canonical(plain: Any) -> bytes:
    """The one way to write plain values down."""
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def to_plain(value: Any) -> Any:
    """Dataclasses, enums and tuples as what JSON knows; what is as a field's default is left out."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [to_plain(each) for each in value]
    return _fields(value) if is_dataclass(value) else value


def _fields(value: Any) -> Mapping[str, Any]:
    kind: Any = type(value)
    return {
        name: to_plain(held)
        for name, usual in _usual(kind)
        if (held := getattr(value, name)) is not usual and held != usual
    }


def from_plain(kind: type[T], plain: Any) -> T:
    """What `to_plain` was given. Raises KeyError, TypeError or ValueError for anything else."""
    made: T = _made(kind, plain)
    return made


@cache
def _usual(kind: type) -> tuple[tuple[str, Any], ...]:
    return tuple((each.name, each.default) for each in fields(kind))


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _made(kind: Any, plain: Any) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        arms = [arm for arm in get_args(kind) if arm is not type(None)]
        return None if plain is None else _made(arms[0], plain)
    if origin is tuple:
        return tuple(_made(get_args(kind)[0], each) for each in plain)
    if is_dataclass(kind):
        return _built(kind, plain)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(plain)
    if kind is float and isinstance(plain, int) and not isinstance(plain, bool):
        return float(plain)
    if not isinstance(plain, kind):
        raise TypeError(f"{plain!r} is no {kind.__name__}")
    return plain


def _built(kind: Any, plain: Any) -> Any:
    unknown = set(plain) - {name for name, _ in _usual(kind)}
    if unknown:
        raise ValueError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    values = {name: _made(_hints(kind)[name], held) for name, held in plain.items()}
    missing = [name for name, usual in _usual(kind) if usual is MISSING and name not in values]
    if missing:
        raise ValueError(f"{kind.__name__} without {', '.join(missing)}")
    return kind(**values)
