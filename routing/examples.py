"""Rows to learn from and to judge by: a prompt, and how right a weak and a strong model were. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from routing.errors import RoutingError

PAIR = ("qwen2.5-7b-instruct", "llama-3.1-nemotron-51b-instruct")
"""Weak and strong model where a row holds the scores of many and nothing else is said: LLMRouter's data, 2026-11."""

_PROMPTS = ("prompt", "text", "question", "input")
_LABELS = (("weak_ok", "strong_ok"), ("weak_score", "strong_score"), ("weak", "strong"))
_GROUPS = ("task", "category")
_SIGNS = re.compile(r"\W+")
_CHOICES = re.compile(r"\n\(?A[.)] .*", re.DOTALL)


class ExamplesError(RoutingError):
    """A row cannot be used; the text names the line and what it must hold."""


@dataclass(frozen=True, slots=True)
class Example:
    """`gain`: how right the strong model was minus how right the weak one was; 1 = right instead of wrong.

    `group`: the task that the row belongs to, "" where it says none.
    """

    prompt: str
    gain: float
    group: str = ""


def parse_lines(
    lines: Iterable[str], weak: str | None = None, strong: str | None = None
) -> Iterator[Example]:
    """A row a line. `weak`, `strong`: names of fields of the row or of its `scores`; None: the usual names.

    Raises ExamplesError at the first line that is wrong. Empty lines are passed over.
    """
    for number, row, prompt in _parse(lines):
        pair = _pair(row, weak, strong)
        if pair is None:
            names = " and ".join(filter(None, (weak, strong))) or "weak_ok and strong_ok, or scores by model"
            raise ExamplesError(f"line {number} does not say how right both models were: {names}")
        group = next((str(row[name]) for name in _GROUPS if row.get(name)), "")
        yield Example(prompt, pair[1] - pair[0], group)


def parse_prompts(lines: Iterable[str]) -> Iterator[str]:
    """The prompts alone. Raises ExamplesError."""
    return (prompt for _, _, prompt in _parse(lines))


def _parse(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any], str]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ExamplesError(f"line {number} is no JSON") from error
        if not isinstance(row, dict):
            raise ExamplesError(f"line {number} is no JSON object")
        prompt = next((row[name] for name in _PROMPTS if isinstance(row.get(name), str)), None)
        if prompt is None:
            raise ExamplesError(f"line {number} has no text under any of {', '.join(_PROMPTS)}")
        yield number, row, prompt


def _pair(row: Mapping[str, Any], weak: str | None, strong: str | None) -> tuple[float, float] | None:
    scores = row.get("scores")
    places: list[tuple[str, str]] = [(weak, strong)] if weak and strong else [*_LABELS, PAIR]
    for low, high in places:
        for holder in (row, scores):
            if isinstance(holder, dict) and low in holder and high in holder:
                values = (_number(holder[low]), _number(holder[high]))
                if values[0] is not None and values[1] is not None:
                    return values[0], values[1]
    return None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def question(prompt: str) -> str:
    """By what two rows count as the same question: small letters and figures, answers to choose from left out."""
    return _SIGNS.sub(" ", _CHOICES.sub("", prompt).lower()).strip()
