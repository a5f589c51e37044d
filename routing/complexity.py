"""assess(): how much a stronger model would gain at this message, told without asking a model. Pure.

The sum of a prior (rules of thumb, length), figures of the text and weights of English words. Where nothing is known
(another language, no words at all, no table) that is said, and the default model is the answer.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Container, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from routing.english import is_english
from routing.features import LEAST_CHOICES, NAMES, WORD, choices, features, length
from routing.own_words import own_words
from routing.prior import Rule, points, rules_met
from routing.weights import Weights

EVEN_OUT = 30
"""Added to the number of words that a text's word weights are spread over, so that two words decide little."""

PLAIN_SHARE = 0.5
"""What word weights count in ordinary text. They are learnt from examinations mostly, and carry over in part."""

CHOICE_LENGTH = 0.7
"""The length that a multiple-choice question is taken for: the answers to choose from say little of it."""

MOST_CAUSES = 5


class Need(StrEnum):
    """What a message asks for. DEFAULT also where nothing is known."""

    FAST = "fast"
    DEFAULT = "default"
    DEEP = "deep"


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that weighed: a rule, a figure or a word, and by how much, in points of gain."""

    name: str
    weight: float


@dataclass(frozen=True, slots=True)
class Complexity:
    """How much a message needs a strong model. `score` and `gain` None: no evidence.

    `score`: 0 (any model will do) to 1 (the strongest); half of the texts learnt from are below 0.5. `gain`: by how
    much likelier a strong model is right; 0.1 = ten in a hundred more answers.
    `evidence`: how many words and rules were known. `causes`: what weighed most, strongest first; holds single words
    of the text.
    """

    score: float | None
    gain: float | None = None
    evidence: int = 0
    causes: tuple[Cause, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as it is weighed: which words, which figures, which rules. `is_known`: there is something to go by."""

    is_known: bool
    is_choosing: bool = False
    length: float = 0.0
    words: tuple[str, ...] = ()
    figures: Sequence[float] = ()
    rules: Sequence[Rule] = ()


class _Sums(NamedTuple):
    """What a text weighs: altogether, each known word, each figure in the order of NAMES."""

    total: float
    words: list[tuple[str, float]]
    figures: list[float]


NO_EVIDENCE = Complexity(None)
_NOTHING = Reading(is_known=False)


def assess(text: str, weights: Weights | None) -> Complexity:
    """What is expected of a stronger model at this message. `weights` None: there is no table, so nothing is known.

    Raises nothing; about 0.1 ms for what people write, below 2 ms whatever the text (2026-11).
    """
    if weights is None:
        return NO_EVIDENCE
    return weigh(read(text, weights.words), weights)


def gain(text: str, weights: Weights | None) -> float | None:
    """The gain that `assess` finds, without score and causes: what a decision needs, in two thirds of the time."""
    if weights is None:
        return None
    reading = read(text, weights.words)
    return _gain(_sums(reading, weights).total, weights.gains) if reading.is_known else None


def need(complexity: Complexity, *, fast_below: float = 0.03, deep_above: float = 0.12) -> Need:
    """Which kind of model fits; the bounds are gains. Without evidence the default one, whatever the bounds."""
    if complexity.gain is None:
        return Need.DEFAULT
    if complexity.gain < fast_below:
        return Need.FAST
    return Need.DEEP if complexity.gain > deep_above else Need.DEFAULT


def read(text: str, known: Container[str]) -> Reading:
    """The text as it is weighed. `known`: the English words of the table."""
    own = own_words(text)
    found = WORD.findall(own.text)
    words = [word.lower().replace("\u2019", "'") for word in found if len(word) > 1]
    if words and not is_english(words, _elsewhere(words), known):
        return _NOTHING
    rules = rules_met(own, words)
    if not words and all(rule.points < 0 for rule in rules):
        return _NOTHING
    is_choosing = choices(own.text) >= LEAST_CHOICES
    return Reading(
        is_known=True,
        is_choosing=is_choosing,
        length=CHOICE_LENGTH if is_choosing else length(own.text),
        # In order, so that the same text gives the same sum to the last bit.
        words=tuple(dict.fromkeys(words)),
        figures=features(own.text, found),
        rules=() if is_choosing else rules,
    )


def _elsewhere(words: Sequence[str]) -> float:
    """Share of letters outside a-z."""
    joined = "".join(words)
    return 1 - len(joined.encode("ascii", "ignore")) / len(joined)


def word_weight(reading: Reading) -> float:
    """What each word's weight is multiplied by in this text."""
    return (1.0 if reading.is_choosing else PLAIN_SHARE) / math.sqrt(len(reading.words) + EVEN_OUT)


def weigh(reading: Reading, weights: Weights) -> Complexity:
    """The sum, as a score and as a gain, with what weighed most."""
    if not reading.is_known:
        return NO_EVIDENCE
    sums = _sums(reading, weights)
    rules = [(rule.name, rule.points * weights.rules) for rule in reading.rules]
    weighed = (*rules, *zip(NAMES, sums.figures, strict=True), *sums.words)
    causes = sorted(weighed, key=lambda each: (-abs(each[1]), each[0]))[:MOST_CAUSES]
    return Complexity(
        score=_score((sums.total - weights.middle) / weights.spread),
        gain=_gain(sums.total, weights.gains),
        evidence=len(sums.words) + len(rules),
        causes=tuple(Cause(name, round(weight, 4)) for name, weight in causes),
    )


def _sums(reading: Reading, weights: Weights) -> _Sums:
    share = word_weight(reading)
    words = [(word, weights.words[word] * share) for word in reading.words if word in weights.words]
    table = weights.choosing if reading.is_choosing else weights.plain
    figures = [
        (value - usual) * weight for value, (weight, usual) in zip(reading.figures, table, strict=True)
    ]
    total = weights.bias[reading.is_choosing] + points(reading.rules) * weights.rules
    total += weights.length * reading.length
    total += sum(figures) + sum([weight for _, weight in words])
    return _Sums(total, words, figures)


def _score(distance: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, distance))))


def _gain(total: float, gains: Sequence[tuple[float, float]]) -> float:
    """Between the two nearest measured points; beyond the last one as there."""
    place = bisect.bisect(gains, (total, math.inf))
    if place == 0:
        return gains[0][1]
    if place == len(gains):
        return gains[-1][1]
    (left, low), (right, high) = gains[place - 1], gains[place]
    return low + (high - low) * (total - left) / (right - left)
