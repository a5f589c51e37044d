"""A classifier by example: the route whose sample utterance is nearest in meaning. No model is asked for words."""

from __future__ import annotations

import asyncio
import math
from array import array
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from operator import mul

from routing.classifiers import Judgement

MAX_TEXT = 1000
"""Characters that are looked at; a route is told by how a message begins."""

REMEMBERED = 256
"""Messages whose vectors are kept: by their hash, the words themselves are not."""

AT_ONCE = 40_000
"""Multiplications that may run on the loop, about a millisecond; more go to a thread."""

Vector = Sequence[float]
Embed = Callable[[Sequence[str]], Awaitable[Sequence[Vector]]]


@dataclass(frozen=True, slots=True)
class Route:
    """A label, and messages that belong to it."""

    label: str
    utterances: tuple[str, ...]


class Semantic:
    """The nearest route. `embed` gives vectors of unit length, or raises; `threshold`: the least cosine that counts.

    Says nothing before `prepare` has ended.
    """

    def __init__(self, embed: Embed, routes: Sequence[Route], threshold: float) -> None:
        self._embed = embed
        self._routes = tuple(routes)
        self._threshold = threshold
        self._known: list[tuple[str, array[float]]] = []
        self._vectors: OrderedDict[bytes, array[float]] = OrderedDict()

    @property
    def is_ready(self) -> bool:
        """Whether the samples' vectors are there."""
        return bool(self._known)

    async def prepare(self) -> None:
        """Have the samples' vectors made. Raises what `embed` raises."""
        samples = [(route.label, text) for route in self._routes for text in route.utterances]
        vectors = await self._embed([text for _, text in samples])
        self._known = [(label, _unit(vector)) for (label, _), vector in zip(samples, vectors, strict=True)]

    async def judge(self, text: str) -> Judgement | None:
        """The route of the nearest sample. Raises what `embed` raises."""
        text = text.strip()[:MAX_TEXT]
        if not text or not self._known:
            return None
        vector = await self._vector(text)
        if len(vector) * len(self._known) <= AT_ONCE:
            label, likeness = _nearest(vector, self._known)
        else:
            label, likeness = await asyncio.to_thread(_nearest, vector, self._known)
        return Judgement(label, likeness) if likeness >= self._threshold else None

    async def _vector(self, text: str) -> array[float]:
        key = blake2b(text.encode(errors="replace"), digest_size=16).digest()
        if (known := self._vectors.get(key)) is not None:
            self._vectors.move_to_end(key)
            return known
        (vector,) = await self._embed([text])
        made = self._vectors[key] = _unit(vector)
        while len(self._vectors) > REMEMBERED:
            self._vectors.popitem(last=False)
        return made


def _unit(vector: Vector) -> array[float]:
    length = math.sqrt(sum(each * each for each in vector)) or 1.0
    return array("f", (each / length for each in vector))


def _nearest(vector: array[float], known: Sequence[tuple[str, array[float]]]) -> tuple[str, float]:
    found = ((label, sum(map(mul, vector, each))) for label, each in known if len(each) == len(vector))
    return max(found, key=lambda pair: pair[1], default=("", -1.0))
