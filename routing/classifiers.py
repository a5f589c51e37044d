"""The place for classifiers of others: whatever reads a message and names a route for it, within a few milliseconds.

A trained router (RouteLLM's, say), a service (vLLM semantic router, over HTTP) or `semantic.py` here. What it said is a
value of the query, so that a decision can be given again without it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

LATE = "late"
"""What is put down for a classifier that did not answer in time. No alias or task may be called so."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """`label`: an alias or model, a task of tasks.json, or a difficulty. `confidence`: 0..1."""

    label: str
    confidence: float


class Classifier(Protocol):
    """Something that judges a message by its own words."""

    async def judge(self, text: str) -> Judgement | None:
        """What it is sure enough of; None for anything else, and where it fails. May be cancelled at any moment.

        Must not block the loop.
        """


async def ask(classifier: Classifier, text: str, deadline: float) -> str | None:
    """Its label, None where it has none, LATE after `deadline` seconds."""
    try:
        async with asyncio.timeout(deadline):
            said = await classifier.judge(text)
    except TimeoutError:
        return LATE
    return said.label if said is not None else None
