"""What a row may ask of a platform's peer. All times are seconds of the machine's monotonic clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class State:
    """What one message of the bot read from `at` on. `stays` False: a preview, which goes by itself.

    `sent`: when the write reached the peer; before `at` where the peer is slow.
    """

    at: float
    text: str
    stays: bool = True
    sent: float | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What a person said, and when it was offered to the bot."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Look:
    """Everything that one conversation showed so far."""

    said: tuple[Said, ...]
    states: tuple[State, ...]


@dataclass(frozen=True, slots=True)
class Write:
    """One call of the bot. `is_text`: a person sees it as text (not typing, not a receipt)."""

    at: float
    is_text: bool
    status: int


class Site(Protocol):
    """A platform's peer with a number of conversations, `0` to `places - 1`."""

    channel: str

    @property
    def places(self) -> int:
        """How many there are."""

    def accounts(self) -> dict[str, Any]:
        """The channel's accounts as a person would write them into config.json."""

    async def connected(self) -> None:
        """Returns when every account of the bot is connected."""

    async def say(self, items: Sequence[tuple[int, str]]) -> None:
        """One message in each of these conversations, addressed to the bot."""

    async def look(self, places: Sequence[int]) -> list[Look]:
        """These conversations."""

    async def writes(self) -> list[Write]:
        """The calls of the bot so far, but for those by which it only listens."""
