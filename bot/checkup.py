"""What the doctor's checks come to: rows, each with what was seen and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Row:
    """One check. `what` was seen; `todo` is the next step, "" where there is none."""

    name: str
    state: State
    what: str
    todo: str = ""

    def line(self) -> str:
        """As people read it."""
        return f"{self.name}: {joined(self.what, self.todo)}"

    def values(self) -> dict[str, str]:
        """As programs read it."""
        return {"name": self.name, "state": str(self.state), "what": self.what, "todo": self.todo}


def joined(what: str, todo: str) -> str:
    """What was seen and what to do in one line, whether they are whole sentences or parts of one."""
    if not todo:
        return what
    return f"{what} {todo}" if what.endswith((".", "!", "?")) else f"{what}; {todo}"


def counted(count: int, noun: str) -> str:
    """A number with its noun: "1 owner", "2 owners"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
