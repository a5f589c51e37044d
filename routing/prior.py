"""What is held to be true before any data: the rules of thumb for a message's need, as a table. Pure.

Short questions and greetings to a fast model; "why", "explain", "analyse", code and mathematics to one that reasons
(the product's routing rules, 2026-11). The other rows and the sizes follow what is published of chat benchmarks: a
strong model gains most at code and mathematics, then at extraction, least at small talk and imaginative writing.
Points add up; a rule counts once, however often it is met.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from routing.own_words import OwnWords

SHORT = 50
"""Characters below which a question is short."""

LIMIT = 3.0
"""Points beyond which more rules add nothing, either way."""


@dataclass(frozen=True, slots=True)
class Text:
    """What a rule looks at: the words once each, the first ones in order, and the text."""

    own: OwnWords
    words: frozenset[str]
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule by its name. `points` above 0 ask for a stronger model. `holds`: what it looks for."""

    name: str
    points: float
    holds: Callable[[Text], bool]


def _any(words: str) -> Callable[[Text], bool]:
    wanted = frozenset(words.split())
    return lambda text: not wanted.isdisjoint(text.words)


def _both(one: str, other: str) -> Callable[[Text], bool]:
    first, second = _any(one), _any(other)
    return lambda text: first(text) and second(text)


_GREETING = frozenset(
    "hi hello hey hiya yo greetings thanks thank thx ty cheers bye goodbye good morning evening night afternoon there "
    "you so much very ok okay cool great nice everyone all again welcome well how are doing today".split()
)
_OPENS = frozenset(
    "hi hello hey hiya yo greetings thanks thank thx ty cheers bye goodbye good ok okay".split()
)
_CODE_SIGNS = ("=>", "==", "!=", "++", "()", "</", "/>", ";\n")
_CODE_STARTS = ("def ", "class ", "import ", "#include", "function ", "public ", "SELECT ")
_SUM = re.compile(r"\d ?[-+*/^=] ?\d")
_EQUATION = re.compile(r"[a-z\d)] ?[=^] ?[-(a-z\d]")
_FORMULA_SIGNS = ("\\frac", "\\sqrt", "\\int", "\\sum", "√", "∑", "∫", "≤", "≥", "∞")
_IMAGINED = (
    "poem poems haiku limerick story stories song songs lyrics essay blog letter email speech joke jokes caption "
    "tagline slogan script toast tale novel paragraph headline headlines post"
)
_WRITING = "write compose draft tell create invent make imagine pen rewrite"


_PUZZLE: frozenset[str] = frozenset("puzzle riddle deduce infer logically paradox".split())


def _is_greeting(text: Text) -> bool:
    return bool(text.first) and text.first[0] in _OPENS and len(text.first) < 8 and text.words <= _GREETING


def _is_short(text: Text) -> bool:
    return len(text.own.text) < SHORT and not text.own.code_blocks


def _has_code(text: Text) -> bool:
    return text.own.code_blocks + text.own.code_pieces > 0 or _looks_like_code(text.own.text)


def _looks_like_code(text: str) -> bool:
    """By signs that prose has not, or by how a line begins."""
    if any(sign in text for sign in _CODE_SIGNS):
        return True
    return any(text.startswith(start) or f"\n{start}" in text for start in _CODE_STARTS)


def _has_formula(text: str) -> bool:
    # Looking for single signs first is ten times as fast, and most texts have none.
    if any(sign in text for sign in _FORMULA_SIGNS) or _SUM.search(text) is not None:
        return True
    return ("=" in text or "^" in text) and _EQUATION.search(text) is not None


RULES: Sequence[Rule] = (
    Rule("greeting", -3.0, _is_greeting),
    Rule("short", -0.5, _is_short),
    Rule("code", 1.5, _has_code),
    Rule(
        "words of programming",
        1.5,
        _any(
            "python javascript typescript java rust golang c++ html css sql bash regex algorithm algorithms code "
            "coding program programming function functions compile compiler debug api json yaml array arrays "
            "recursion recursive stack-trace exception backend frontend database query git docker kubernetes async"
        ),
    ),
    Rule("formula", 1.0, lambda text: _has_formula(text.own.text)),
    Rule(
        "words of mathematics",
        1.0,
        _any(
            "solve calculate compute equation equations integer integers integral derivative polynomial probability "
            "triangle theorem prove proof modulo remainder divisible quadratic algebra geometry arithmetic"
        ),
    ),
    Rule(
        "asks for reasons",
        0.5,
        _any("why explain analyze analyse reason reasoning prove evaluate critique derive"),
    ),
    Rule(
        "step by step",
        0.5,
        lambda text: "step by step" in text.own.text.lower() or not _PUZZLE.isdisjoint(text.words),
    ),
    Rule(
        "takes out of a text",
        0.75,
        _both(
            "extract identify classify list given return output",
            "following text json csv table format passage",
        ),
    ),
    Rule("imaginative writing", -0.75, _both(_WRITING, _IMAGINED)),
    Rule(
        "plays a part",
        -0.75,
        _both("pretend act imagine embrace assume picture role", "you yourself are as role"),
    ),
)


def rules_met(own: OwnWords, words: Sequence[str]) -> list[Rule]:
    """The rules that hold. `words`: small letters, in order."""
    text = Text(own, frozenset(words), tuple(words[:8]))
    return [rule for rule in RULES if rule.holds(text)]


def points(met: Sequence[Rule]) -> float:
    """Their points together, within LIMIT."""
    return max(-LIMIT, min(LIMIT, sum(rule.points for rule in met)))


def heuristic(own: OwnWords) -> float:
    """The rules of thumb as they were first written, to compare with: 0 fast, 1 default, 2 reasoning."""
    low = own.text.lower()
    if len(own.text) < SHORT:
        return 0.0
    asks = any(word in low for word in ("why", "explain", "analyze", "analyse", "reason"))
    is_code = own.code_blocks > 0 or "function" in low or _looks_like_code(own.text)
    return 2.0 if asks or is_code or _has_formula(own.text) else 1.0
