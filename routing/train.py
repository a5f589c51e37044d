"""train(): the weight table from rows that say how much a strong model gained. Pure; the same rows give the same table.

Ridge regression on gain, solved by conjugate gradients: about a minute for 12,000 rows, with no library. What is learnt
is the gain and not "the weak model fails": where both fail, a stronger model is money lost. The prior is not fitted,
it stands beside what the data say (they are examinations mostly, people's chats are not).
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import mul
from types import MappingProxyType
from typing import Any

from routing.complexity import Reading, read, weigh, word_weight
from routing.errors import RoutingError
from routing.examples import Example
from routing.features import LEAST_CHOICES, NAMES, choices, without_choices
from routing.weights import Weights

LEAST_ROWS = 50
"""Fewer teach nothing."""

_FIGURES = len(NAMES)
_FIRST_WORD = 2 * _FIGURES + 2  # the figures of both kinds of text, then what both kinds begin with


class TrainingError(RoutingError):
    """Nothing can be learnt from these rows; the text says why."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is chosen and not learnt. `words`: how many at most, each in `least_texts` texts or more.

    `hold_words`, `hold_plain`, `hold_choosing`: how strongly weights are held near 0 (ridge), the figures' by their
    own variance. `question_alone`: what a multiple-choice question counts a second time without its choices, so that
    its words are met in ordinary text too. `rules`, `length`: see Weights.
    """

    words: int = 2_500
    least_texts: int = 5
    hold_words: float = 8.0
    hold_plain: float = 3_000.0
    hold_choosing: float = 300.0
    question_alone: float = 0.05
    rules: float = 0.08
    length: float = 0.2
    steps: int = 60
    folds: int = 3


@dataclass(frozen=True, slots=True)
class _Row:
    """A text as numbers: places of the weights that it touches, and its values there."""

    places: tuple[int, ...]
    values: tuple[float, ...]
    gain: float
    share: float
    reading: Reading
    fold: int


def train(
    rows: Sequence[tuple[Example, float]],
    recipe: Recipe | None = None,
    *,
    made: Mapping[str, Any] | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Weights:
    """A table from examples, each with what it counts. `made` goes into the table as it is; `tell` hears of each step.

    Raises TrainingError for fewer than LEAST_ROWS rows or rows without any gain or loss.
    """
    recipe = recipe or Recipe()
    if len(rows) < LEAST_ROWS:
        raise TrainingError(f"{len(rows)} rows are too few to learn from; {LEAST_ROWS} are needed")
    if not any(example.gain for example, _ in rows):
        raise TrainingError("both models were equally right in all rows; there is nothing to learn")
    words = _vocabulary(rows, recipe)
    tell(f"{len(rows)} rows, {len(words)} words")
    table = [row for example, share in rows for row in _rows(example, share, words, recipe)]
    tell(f"calibrating on {recipe.folds} parts")
    sums: list[tuple[float, float]] = []
    for fold in range(recipe.folds):
        learnt = [row for row in table if row.fold != fold]
        part = _weights(learnt, words, recipe)
        sums += [
            (_sum(row.reading, part), row.gain) for row in table if row.fold == fold and row.share >= 0.1
        ]
    tell("learning from all rows")
    return _calibrated(_weights(table, words, recipe), sums, made or {})


def _vocabulary(rows: Sequence[tuple[Example, float]], recipe: Recipe) -> dict[str, int]:
    """Words and their places, commonest first; of equals the earlier in the alphabet."""
    counts: Counter[str] = Counter()
    for example, _ in rows:
        counts.update(set(_read(example.prompt).words))
    common = sorted(((-count, word) for word, count in counts.items() if count >= recipe.least_texts))
    return {word: _FIRST_WORD + place for place, (_, word) in enumerate(common[: recipe.words])}


class _Everything:
    """Any word counts as known: what is learnt from is taken to be English."""

    def __contains__(self, word: object) -> bool:
        return True


def _read(prompt: str) -> Reading:
    return read(prompt, _Everything())


def _rows(example: Example, share: float, words: Mapping[str, int], recipe: Recipe) -> list[_Row]:
    texts = [(example.prompt, share)]
    if recipe.question_alone and choices(example.prompt) >= LEAST_CHOICES:
        texts.append((without_choices(example.prompt), share * recipe.question_alone))
    made = []
    for text, counts in texts:
        reading = _read(text)
        if reading.is_known:
            places, values = _numbers(reading, words)
            # The question alone goes where its choices go, or it would be judged by what it was learnt from.
            fold = zlib.crc32(example.prompt.encode()) % recipe.folds
            made.append(_Row(places, values, example.gain, counts, reading, fold))
    return made


def _numbers(reading: Reading, words: Mapping[str, int]) -> tuple[tuple[int, ...], tuple[float, ...]]:
    start = _FIGURES * reading.is_choosing
    pairs = [(start + place, value) for place, value in enumerate(reading.figures) if value]
    pairs.append((2 * _FIGURES + reading.is_choosing, 1.0))
    value = word_weight(reading)
    pairs += [(words[word], value) for word in reading.words if word in words]
    return tuple(place for place, _ in pairs), tuple(value for _, value in pairs)


def _weights(rows: Sequence[_Row], words: Mapping[str, int], recipe: Recipe) -> Weights:
    """Fit, and lay the figures' usual values aside so that each contribution can be told."""
    size = _FIRST_WORD + len(words)
    usual = _usual(rows)
    held = _held(rows, usual, size, recipe)
    fitted = _solve(rows, held, recipe.steps)
    tables = []
    bias = []
    for kind in (0, 1):
        first = kind * _FIGURES
        pairs = [(fitted[first + place], usual[first + place]) for place in range(_FIGURES)]
        tables.append(tuple(pairs))
        bias.append(fitted[2 * _FIGURES + kind] + sum(map(mul, *zip(*pairs, strict=True))))
    return Weights(
        plain=tables[0],
        choosing=tables[1],
        bias=(bias[0], bias[1]),
        words=MappingProxyType({word: fitted[place] for word, place in words.items()}),
        rules=recipe.rules,
        length=recipe.length,
        middle=0.0,
        spread=1.0,
        gains=((0.0, 0.0),),
        made=MappingProxyType({}),
    )


def _usual(rows: Sequence[_Row]) -> list[float]:
    """The mean of each figure, for both kinds of text."""
    sums = [0.0] * (2 * _FIGURES)
    counts = [0.0, 0.0]
    for row in rows:
        counts[row.reading.is_choosing] += row.share
        for place, value in zip(row.places, row.values, strict=True):
            if place < 2 * _FIGURES:
                sums[place] += value * row.share
    return [value / (counts[place // _FIGURES] or 1) for place, value in enumerate(sums)]


def _held(rows: Sequence[_Row], usual: Sequence[float], size: int, recipe: Recipe) -> list[float]:
    """The ridge of each weight; what a text begins with is free."""
    squares = [0.0] * (2 * _FIGURES)
    total = sum(row.share for row in rows)
    for row in rows:
        first = _FIGURES * row.reading.is_choosing
        for place, value in enumerate(row.reading.figures, first):
            squares[place] += row.share * (value - usual[place]) ** 2
    plain, choosing = squares[:_FIGURES], squares[_FIGURES:]
    return [
        *(recipe.hold_plain * max(value / total, 1e-4) for value in plain),
        *(recipe.hold_choosing * max(value / total, 1e-4) for value in choosing),
        *(1e-6, 1e-6),
        *([recipe.hold_words] * (size - _FIRST_WORD)),
    ]


def _solve(rows: Sequence[_Row], held: Sequence[float], steps: int) -> list[float]:
    """Weights with the least squared error: conjugate gradients on the normal equations, scaled by their diagonal."""
    size = len(held)
    scale = list(held)
    target = [0.0] * size
    for row in rows:
        for place, value in zip(row.places, row.values, strict=True):
            scale[place] += row.share * value * value
            target[place] += row.share * value * row.gain
    found = [0.0] * size
    rest = target
    toward = [value / by for value, by in zip(rest, scale, strict=True)]
    step = list(toward)
    error = sum(map(mul, rest, toward))
    first = error
    for _ in range(steps):
        if error <= first * 1e-12:
            break
        turned = _times(rows, held, step)
        length = error / sum(map(mul, step, turned))
        found = [value + length * by for value, by in zip(found, step, strict=True)]
        rest = [value - length * by for value, by in zip(rest, turned, strict=True)]
        toward = [value / by for value, by in zip(rest, scale, strict=True)]
        last, error = error, sum(map(mul, rest, toward))
        step = [value + error / last * by for value, by in zip(toward, step, strict=True)]
    return found


def _times(rows: Sequence[_Row], held: Sequence[float], vector: Sequence[float]) -> list[float]:
    """The normal equations' matrix times a vector, without ever writing the matrix down."""
    product = list(map(mul, held, vector))
    at = vector.__getitem__
    for row in rows:
        weight = row.share * sum(map(mul, row.values, map(at, row.places)))
        for place, value in zip(row.places, row.values, strict=True):
            product[place] += weight * value
    return product


def _sum(reading: Reading, weights: Weights) -> float:
    """The sum alone: with no calibration yet, the score is its logistic curve."""
    score = weigh(reading, weights).score
    return 0.0 if score is None else math.log(score / (1 - score))


def _calibrated(weights: Weights, sums: Sequence[tuple[float, float]], made: Mapping[str, Any]) -> Weights:
    """Middle, spread and expected gains from sums of rows that were not learnt from."""
    order = sorted(sums)
    low, middle, high = (order[len(order) * part // 4][0] for part in (1, 2, 3))
    return replace(
        weights,
        middle=middle,
        # The quarters of a logistic curve are 2 ln 3 of its spread apart.
        spread=max((high - low) / (2 * math.log(3)), 1e-6),
        gains=_rising(order),
        made=MappingProxyType(dict(made)),
    )


def _rising(order: Sequence[tuple[float, float]], parts: int = 40) -> tuple[tuple[float, float], ...]:
    """Expected gain by sum, never falling: means of `parts` equal parts, neighbours that fall pooled (isotonic)."""
    pools: list[tuple[float, float, int]] = []
    for part in range(parts):
        rows = order[len(order) * part // parts : len(order) * (part + 1) // parts]
        if not rows:
            continue
        pool = (sum(at for at, _ in rows), sum(gain for _, gain in rows), len(rows))
        while pools and pools[-1][1] / pools[-1][2] >= pool[1] / pool[2]:
            before = pools.pop()
            pool = (before[0] + pool[0], before[1] + pool[1], before[2] + pool[2])
        pools.append(pool)
    return tuple((at / count, gain / count) for at, gain, count in pools)
