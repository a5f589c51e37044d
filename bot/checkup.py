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
        return f"{self.name}: {self.what}" + (f"; {self.todo}" if self.todo else "")

    def values(self) -> dict[str, str]:
        """As programs read it."""
        return {"name": self.name, "state": str(self.state), "what": self.what, "todo": self.todo}
