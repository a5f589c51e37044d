"""One attack of the corpus: where its words stand, who asks, what the model does then, and what it may not bring about."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True, slots=True)
class Attack:
    """A row of corpus/*.jsonl.

    `says` stands at the `carrier` (a quoted message, a file's name, a page ...). `role` and `surface`: who asks the
    model afterwards, and where. `emits`: the answers of a model that does whatever `says` wants, in order. `then`:
    what people do meanwhile. `allowed`: calls that the person who asked was shown, and allowed.
    """

    id: str
    effect: str
    carrier: str
    role: str
    surface: str
    says: str
    emits: Sequence[Mapping[str, Any]]
    then: Sequence[Mapping[str, Any]] = ()
    allowed: Sequence[Sequence[Any]] = ()


def corpus() -> list[Attack]:
    """All of it, in the order of the files."""
    rows = [
        json.loads(line) for path in sorted(CORPUS.glob("*.jsonl")) for line in path.read_text().splitlines()
    ]
    return [Attack(**row) for row in rows]
