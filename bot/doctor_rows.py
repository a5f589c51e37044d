"""Rows of the security check: what is exposed, to whom, what closes it."""

from __future__ import annotations

from dataclasses import dataclass

from bot.checkup import State, joined


@dataclass(frozen=True, slots=True)
class Exposure:
    """One thing that somebody can reach. `to`: who, "" where it is nobody's doing. `remedy`: the next step, or ""."""

    area: str
    state: State
    exposure: str
    to: str
    remedy: str = ""

    def line(self) -> str:
        """As people read it."""
        what = f"{self.exposure} (to {self.to})" if self.to else self.exposure
        return f"{self.area}: {joined(what, self.remedy)}"

    def values(self) -> dict[str, str]:
        """As programs read it."""
        return {
            "area": self.area,
            "state": str(self.state),
            "exposure": self.exposure,
            "to": self.to,
            "remedy": self.remedy,
        }
