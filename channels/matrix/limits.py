"""What a Matrix account offers at an address, as data, and the pace that its homeserver allows. Pure.

Source: Synapse configuration manual, rc_message (2026-11): 0.2 events a second after a burst of 10 for each user,
edits are events like any other, typing is not counted. What a homeserver really allows shows when it refuses: the
time that it asks to wait is at most that of one event.
"""

from __future__ import annotations

from channels.capabilities import (
    Capabilities,
    LatencyClass,
    LengthUnit,
    Markup,
    Operation,
    SendKey,
    Streaming,
    WriteBudget,
)
from channels.events import Address
from channels.matrix.settings import MatrixSettings, StreamMode

SCOPE = "account"
_WRITES = frozenset({Operation.SEND, Operation.EDIT, Operation.STREAM, Operation.DELETE})
# Bytes of Markdown. An edit carries the text four times (body and HTML, each twice) and may have 65,536 bytes.
MAX_TEXT = 12_000
# How long one typing call shows; clients ask for 20 to 30 s. It is taken back when the answer stands.
TYPING_SECONDS = 20.0
_SLOWEST = 1 / 60
_LONGEST_WAIT = 60.0


class Offers:
    """What one account offers. Knows the pace that was learnt."""

    def __init__(self, settings: MatrixSettings) -> None:
        self._stream = settings.stream
        self._burst = settings.write_burst
        self.rate = settings.writes_per_second
        self._made: Capabilities | None = None

    def at(self, address: Address) -> Capabilities:
        """The capabilities there: the same everywhere, as the homeserver counts the account and not the room."""
        if self._made is None:
            self._made = self._make()
        return self._made

    def refused(self, retry_after: float) -> bool:
        """The homeserver asked to wait: one write in that time is what it allows. True when this is slower than known.

        A longer wait than a minute says more about what went wrong than about the pace.
        """
        if retry_after > _LONGEST_WAIT or retry_after <= 0:
            return False
        rate = max(_SLOWEST, 1 / retry_after)
        if rate >= self.rate:
            return False
        self.rate, self._made = rate, None
        return True

    def _make(self) -> Capabilities:
        streaming = {StreamMode.EDITS: Streaming.EDIT, StreamMode.LIVE: Streaming.NATIVE}
        return Capabilities(
            latency=LatencyClass.ASYNC,
            streaming=streaming.get(self._stream, Streaming.NONE),
            markup=Markup.RICH,
            max_text=MAX_TEXT,
            unit=LengthUnit.UTF8,
            budgets=(WriteBudget(SCOPE, _WRITES, self.rate, self._burst),),
            typing_ttl=TYPING_SECONDS,
            threads=True,
            reactions=True,
            signs=True,
            deletes=True,
            attachments_in=True,
            send_key=SendKey.KEY,
        )
