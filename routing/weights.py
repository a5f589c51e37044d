"""The table that `firstword route train` makes: one small JSON file, read and checked. Pure but for `shipped`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from routing.errors import WeightsError
from routing.features import NAMES

VERSION = 1
"""Of the file's form and of what the numbers stand for. A file of another version is refused, not guessed at."""

MAX_BYTES = 1_000_000
_MAX_WORDS = 50_000
_REMEDY = "make it anew: firstword route train DATA --out FILE"


@dataclass(frozen=True, slots=True)
class Weights:
    """What is added up, in points of gain: the share of answers right with a strong model minus with a weak one.

    `plain` and `choosing`: for each of features.NAMES its weight and its usual value, for ordinary text and for
    multiple-choice questions; `bias`: what both kinds begin with, in that order. `words`: small English words.
    `rules` and `length`: what a point of the prior and a whole length weigh. `middle` and `spread` bring sums to a
    score, `gains` to an expected gain: (sum, gain), rising in both. `made`: from what and when, for people.
    """

    plain: Sequence[tuple[float, float]]
    choosing: Sequence[tuple[float, float]]
    bias: tuple[float, float]
    words: Mapping[str, float]
    rules: float
    length: float
    middle: float
    spread: float
    gains: Sequence[tuple[float, float]]
    made: Mapping[str, Any]


@cache
def shipped() -> Weights:
    """The table that comes with the product; reads one file, once. Raises WeightsError when it is missing or wrong."""
    try:
        data = files("routing").joinpath("weights.json").read_bytes()
    except OSError as error:
        raise WeightsError(f"the routing weights are missing ({type(error).__name__}); {_REMEDY}") from error
    return parse(data)


def parse(data: bytes) -> Weights:
    """A table from its file. Raises WeightsError that says what is wrong and what to do."""
    if len(data) > MAX_BYTES:
        raise WeightsError(f"routing weights have at most {MAX_BYTES} bytes, not {len(data)}; {_REMEDY}")
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"the routing weights are no JSON; {_REMEDY}") from error
    version = tree.get("version") if isinstance(tree, dict) else None
    if version != VERSION:
        raise WeightsError(f"routing weights of version {version!r}, where {VERSION} is read; {_REMEDY}")
    try:
        return _table(tree)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(
            f"the routing weights are incomplete or wrong ({error!r:.80}); {_REMEDY}"
        ) from error


def _table(tree: dict[str, Any]) -> Weights:
    words = {str(word): _number(value) for word, value in tree["words"].items()}
    gains = [(_number(at), _number(gain)) for at, gain in tree["gains"]]
    if len(words) > _MAX_WORDS or not gains or sorted(gains) != gains:
        raise ValueError("words or gains")
    spread = _number(tree["spread"])
    if spread <= 0:
        raise ValueError("spread")
    return Weights(
        plain=_pairs(tree["plain"]),
        choosing=_pairs(tree["choosing"]),
        bias=(_number(tree["bias"][0]), _number(tree["bias"][1])),
        words=MappingProxyType(words),
        rules=_number(tree["rules"]),
        length=_number(tree["length"]),
        middle=_number(tree["middle"]),
        spread=spread,
        gains=tuple(gains),
        made=MappingProxyType(dict(tree["made"])),
    )


def _pairs(tree: Mapping[str, Any]) -> tuple[tuple[float, float], ...]:
    if set(tree) != set(NAMES):
        raise ValueError("the figures are others")
    return tuple((_number(tree[name][0]), _number(tree[name][1])) for name in NAMES)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def dump(weights: Weights) -> str:
    """The file of a table: one line a part, so that a change can be read."""
    parts: dict[str, Any] = {
        "version": VERSION,
        "made": dict(weights.made),
        "bias": [round(each, 4) for each in weights.bias],
        "rules": weights.rules,
        "length": weights.length,
        "middle": round(weights.middle, 4),
        "spread": round(weights.spread, 4),
        "gains": [[round(at, 4), round(gain, 4)] for at, gain in weights.gains],
        "plain": _named(weights.plain),
        "choosing": _named(weights.choosing),
        "words": {word: round(each, 3) for word, each in sorted(weights.words.items())},
    }
    lines = [
        f" {json.dumps(name)}: {json.dumps(part, separators=(',', ':'))}" for name, part in parts.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _named(pairs: Sequence[tuple[float, float]]) -> dict[str, list[float]]:
    return {name: [round(each, 4) for each in pair] for name, pair in zip(NAMES, pairs, strict=True)}
