"""Changes to JSON that leave it JSON: bytes alone would be refused before a parser of ours sees them. Pure."""

from __future__ import annotations

from random import Random
from typing import Any

import orjson

_ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 2**63 - 1, -(2**63), 1e308, "", "0", "\0", "\ud7ff\ufffd", "a" * 300),
    *([], {}, [[]], [None], {"": None}, {"type": []}, "999999999999999999999", "2026-13-45T99:99:99Z"),
)


def altered(data: bytes, random: Random) -> bytes | None:
    """One place of the value is odd, doubled, gone or swapped with another; None for what is no JSON."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    root = [value]
    places = list(_places(root))
    holder, key = random.choice(places)
    other, at = random.choice(places)
    match random.randrange(4):
        case 0:
            holder[key] = random.choice(_ODD)
        case 1:
            holder[key] = orjson.loads(orjson.dumps(other[at]))
        case 2 if isinstance(holder, dict):
            del holder[key]
        case 3 if isinstance(holder, dict):
            holder[random.choice(["type", "id", "text", "", str(at)])] = holder.pop(key)
        case _:
            holder[key] = [holder[key]]
    try:
        return orjson.dumps(root[0])
    except (orjson.JSONEncodeError, RecursionError):
        return None


def _places(value: Any) -> Any:
    """Every place of the value: what holds it, and under which key."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])
