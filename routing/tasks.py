"""Which alias answers for a kind of work that a caller names. Data with its source: tasks.json. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Task:
    """A kind of work. `aliases`: in order of preference. `local_first`: models on this machine before them.

    `about`: why, in a sentence.
    """

    name: str
    aliases: tuple[str, ...]
    local_first: bool
    about: str


@cache
def tasks() -> tuple[Task, ...]:
    """All of them, as tasks.json lists them."""
    plain = json.loads((Path(__file__).parent / "tasks.json").read_text(encoding="utf-8"))["tasks"]
    return tuple(
        Task(each["name"], tuple(each["aliases"]), each["local_first"], each["about"]) for each in plain
    )


def find(name: str | None) -> Task | None:
    """A kind of work by its name, letter case aside; None for an unknown one."""
    wanted = (name or "").strip().lower()
    return next((each for each in tasks() if each.name == wanted), None)
