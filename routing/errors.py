"""What can go wrong in choosing.

RoutingError
 |-- UnknownModel(name, nearest)   nobody is called that
 |-- NoModel(attempts)             every rung failed before anything was visible
 |-- WeightsError                  the table of the complexity of messages is missing, wrong or of another version
 |-- RecordError                   what should be the record of a decision is none
 +-- TraceError                    what should be a recorded day of questions cannot be read
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from routing.attempt import Attempt


class RoutingError(Exception):
    """Base of routing's errors."""


class UnknownModel(RoutingError):
    """`name` is no alias and no model; `nearest` are names that look like it."""

    def __init__(self, name: str, nearest: Sequence[str]) -> None:
        super().__init__(f"no model is called {name!r}")
        self.name = name
        self.nearest = tuple(nearest)


class NoModel(RoutingError):
    """No rung answered. `attempts` says what each of them did; the last one's kind is the plainest reason."""

    def __init__(self, attempts: Sequence[Attempt]) -> None:
        super().__init__("no model answered")
        self.attempts = tuple(attempts)


class WeightsError(RoutingError):
    """The table of weights cannot be used. The text says what is wrong with it and how to make another."""


class RecordError(RoutingError):
    """What was given is no record of a decision, or one of a version that knew other things; the text says which."""


class TraceError(RoutingError):
    """What should be a recorded day of questions cannot be read; the text names the line."""
