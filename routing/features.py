"""What is measured of a text without knowing its language: lengths, figures, signs, layout. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
"""A word in any script: letters, with one apostrophe inside."""

LEAST_CHOICES = 3
"""Answers to choose from that make a text a multiple-choice question; those are weighed by figures of their own."""

_NUMBER = re.compile(r"\d+")
_CHOICE = re.compile(r"^[ \t]{0,8}\(?[A-E][.):][ \t]", re.MULTILINE)
_LISTED = re.compile(r"^[ \t]{0,8}(?:[-*\u2022]|\d{1,2}[.)])[ \t]", re.MULTILINE)
_NAMED = re.compile(r"(?<=[a-z,] )[A-Z][a-z]")
_MATHS = "+=^\\√∑∫≤≥≠\u00d7÷∞∂πθλΔ"
_CODE = "{}[]_;<>#|"
_CODE_LINE = re.compile(
    r"^[ \t]{0,40}(?:def |class |import |return\b|for \(|if \(|while \(|function |public |private |const |let |var "
    r"|#include|SELECT |print\()",
    re.MULTILINE,
)
_ENDS = re.compile(r"[.!?。\uff1f\uff01](?=\s|$)")

NAMES = (
    "log characters|log words|letters a word|long words|different words|log numbers|numbers a word|no number|"
    "maths signs|maths signs a word|money or percent|code signs|code lines|log sentences|words a sentence|log lines|"
    "choices|list|question marks|ends with a question|commas a word|brackets|quotation marks|names|"
    "blank to fill|colon"
).split("|")
"""What `features` returns, in this order."""


def choices(text: str) -> int:
    """How many answers to choose from are listed."""
    return len(_CHOICE.findall(text))


def without_choices(text: str) -> str:
    """The question alone, where answers to choose from follow it; else all of it."""
    first = _CHOICE.search(text)
    return text if first is None else text[: first.start()].rstrip()


def length(text: str) -> float:
    """The length on a scale from 0 to 1, where 1 is as much as is ever read and each doubling is a step."""
    return math.log1p(len(text)) / math.log(4_000)


def features(text: str, words: Sequence[str]) -> list[float]:
    """The values of NAMES, about 0..1 each. `text`: own words, cut to length. `words`: all of its words."""
    count = len(words)
    per_word = 1 / (count or 1)
    numbers = len(_NUMBER.findall(text))
    maths = sum(map(text.count, _MATHS))
    sentences = len(_ENDS.findall(text)) or 1
    money = text.count("$") + text.count("%") + text.count("£")
    return [
        length(text),
        math.log1p(count) / 6.5,
        min(sum(map(len, words)) * per_word, 12) / 12,
        min(sum(len(word) > 8 for word in words) * per_word * 3, 1),
        len(set(words)) * per_word,
        math.log1p(numbers) / 4,
        min(numbers * per_word, 1),
        float(not numbers),
        math.log1p(maths) / 4,
        min(maths * per_word, 1),
        math.log1p(money) / 3,
        math.log1p(sum(map(text.count, _CODE))) / 5,
        math.log1p(len(_CODE_LINE.findall(text))) / 3,
        math.log(sentences) / 4,
        min(count / sentences, 60) / 60,
        math.log1p(text.count("\n")) / 5,
        math.log1p(choices(text)) / 3,
        math.log1p(len(_LISTED.findall(text))) / 3,
        math.log1p(text.count("?")) / 2,
        float(text.endswith("?")),
        min(text.count(",") * per_word * 3, 1),
        math.log1p(text.count("(")) / 3,
        math.log1p(text.count('"') + text.count("“")) / 3,
        math.log1p(len(_NAMED.findall(text))) / 4,
        float("__" in text),
        math.log1p(text.count(":")) / 3,
    ]
