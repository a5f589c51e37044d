"""What delivery needs from the daemon's disk: the words only; bot.store implements them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from channels.events import Sent


@dataclass(frozen=True, slots=True)
class SentPart:
    """A message that this reply has shown in an earlier life of the process. `text`: what it read, if known."""

    part: int
    message_id: str
    send_key: str
    text: str = ""


class Journal(Protocol):
    """The durable record of one reply. Delivery asks before it shows and reports what it has shown."""

    @property
    def resumed(self) -> Sequence[SentPart]:
        """Parts shown before a restart, in order; empty for a fresh reply."""

    async def intent(self, part: int) -> str | None:
        """The send key for part number `part`, once it is safe to show something.

        Waits until the question itself is durable. None: the question was a duplicate or was withdrawn, and
        nothing may be shown.
        """

    def sent(self, part: int, send_key: str, sent: Sent) -> None:
        """Part `part` now stands as the message `sent.id`. Written in order, behind the scenes."""

    def progress(self, text: str) -> None:
        """The visible text so far. Kept at most once a second; never waits."""

    async def final(self, text: str) -> None:
        """The whole text, before it is shown for the last time. Returns when it is durable."""
