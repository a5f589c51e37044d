"""How much one page may do. Figures are ours: far above what a person needs, far below what hurts."""

from __future__ import annotations

from collections.abc import Callable

# A person's page holds one connection; sixty-four leave room for many tabs and for those left half open.
MAX_CONNECTIONS = 64
# Frames a second a connection may send, after a burst: reconnecting pages send what was typed offline at once.
FRAME_RATE = 20.0
FRAME_BURST = 60
# A connection that goes on past this many refused frames is closed.
MAX_REFUSED = 500
# Seconds that one frame may take to reach the page before the connection is given up.
SEND_DEADLINE = 20.0
# Seconds between the pings that find a dead connection.
HEARTBEAT = 25.0
# Frames larger than this are not read at all; a text within it gets a clear answer. Bytes.
MIN_FRAME_CAP = 4 * 1024 * 1024
MAX_FORM_BYTES = 4096
FORM_DEADLINE = 10.0
HISTORY_LINES = 100


def frame_cap(max_message_bytes: int) -> int:
    """The largest frame that is read: the longest allowed text, however much JSON escapes it."""
    return max(MIN_FRAME_CAP, 6 * max_message_bytes + 1024)


class Bucket:
    """A token bucket: `rate` a second after a `burst`."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._level = float(burst)
        self._at = clock()

    def take(self) -> float:
        """Take one and return 0, or return the seconds until there is one."""
        now = self._clock()
        passed = max(0.0, now - self._at)  # the clock may have been set back
        self._level = min(self._burst, self._level + passed * self._rate)
        self._at = now
        if self._level < 1:
            return (1 - self._level) / self._rate
        self._level -= 1
        return 0.0
